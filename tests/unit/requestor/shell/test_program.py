"""fsrvpd/requestor/shell/program.py"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from fsrvpd.requestor.ctl.signals import Interrupted, Signals
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.shell.program import environment_of, run_program
from tests.unit.requestor.shell.copies import Copies, ignore


def program(path: Path, text: str, mode: int = 0o755) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def run(path: str, **variables: str) -> None:
    run_program(path, {**os.environ, **variables}, subprocess.DEVNULL, Signals())


def test_a_program_of_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "ls", '#!/bin/sh\necho "$x" > done\n')
    monkeypatch.chdir(tmp_path)
    run("ls", x="a b")
    assert (tmp_path / "done").read_text() == "a b\n"


def test_a_program_that_fails(tmp_path: Path) -> None:
    with pytest.raises(RequestorError, match="it ended with exit status 3") as caught:
        run(program(tmp_path / "x", "#!/bin/sh\nexit 3\n"))
    assert caught.value.exit_status == 1
    with pytest.raises(RequestorError, match="signal 9 ended it"):
        run(program(tmp_path / "y", "#!/bin/sh\nkill -9 $$\n"))


def test_what_cannot_be_run(tmp_path: Path) -> None:
    with pytest.raises(RequestorError, match="No such file or directory; name a file"):
        run(str(tmp_path / "x"))
    with pytest.raises(RequestorError, match=r"Permission denied; make it executable: chmod \+x"):
        run(program(tmp_path / "x", "#!/bin/sh\n", 0o644))
    with pytest.raises(RequestorError, match=r"Exec format error; .* of Windows do not run here"):
        run(program(tmp_path / "x.cmd", "@echo off\r\n"))


def test_a_signal_is_passed_on_and_the_end_awaited(tmp_path: Path) -> None:
    text = '#!/bin/sh\ntrap "touch $d/got; exit" TERM\ntouch $d/up\nwhile :; do sleep 0.1; done\n'

    def end_it() -> None:
        while not (tmp_path / "up").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    with Signals() as signals:
        threading.Thread(target=end_it).start()
        with pytest.raises(Interrupted):
            run_program(
                program(tmp_path / "x", text),
                {**os.environ, "d": str(tmp_path)},
                subprocess.DEVNULL,
                signals,
            )
    assert (tmp_path / "got").exists()


def test_the_environment() -> None:
    copies = Copies()
    made = copies.create([copies.root(r"\\nas\data\below")], 0, {}, ignore)
    assert environment_of({"HOME": "/root", "x": "1"}, {"x": "2"}, made) == {
        "HOME": "/root",
        "x": "2",
        "FSRVPSHADOW_SET": made[0].set_id,
        "FSRVPSHADOW_SHARE_1": made[0].device,
        "FSRVPSHADOW_PREFIX_1": "below",
        "VSS_SHADOW_SET": made[0].set_id,
        "VSS_SHADOW_1": made[0].copy_id,
    }
    assert environment_of({}, {}, ()) == {}
