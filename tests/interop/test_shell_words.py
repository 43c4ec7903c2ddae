"""The words that a real Samba makes of the paths in tests/vectors/shell_words.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import List, Optional, Tuple

from lab import Lab, Samba, Share

SEEN = Path(__file__).parents[1] / "vectors" / "shell_words.json"
RECORD = """
import json, sys
with open(sys.argv[1], "a") as record:
    record.write(json.dumps(sys.argv[2:]) + "\\n")
"""


def test_samba_still_makes_the_same_words() -> None:
    expected: List[Tuple[str, Optional[List[str]]]] = json.loads(SEEN.read_text())
    with Lab() as lab:
        root = lab.directory / "r"
        script, record = lab.directory / "record.py", lab.directory / "record"
        script.write_text(RECORD)
        recorder = f"/usr/bin/python3 -X utf8 {script} {record}"
        options = {"vfs objects": "shell_snap", "shell_snap:check path command": recorder}
        root.mkdir()
        samba = Samba(lab, [Share("base", root, options)], own_agent=True)
        samba.start()
        for number, (path, _) in enumerate(expected):
            lab.run(["mkdir", "-p", f"{root}{path}"])
            share = f"s{number}"
            samba.net("conf", "addshare", share, f"{root}", "writeable=y", "guest_ok=n")
            samba.net("conf", "setparm", share, "path", f"{root}{path}")
            for name, value in options.items():
                samba.net("conf", "setparm", share, name, value)
        for number, (path, words) in enumerate(expected):
            record.write_text("")
            samba.rpcclient(f"fss_is_path_sup s{number}", check=False)
            arrived = [json.loads(line) for line in record.read_text().splitlines()]
            shown = words and [[f"{root}{words[0]}", *words[1:]]]
            assert arrived == (shown or []), path
