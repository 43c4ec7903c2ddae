"""The Python files that one unsigned request passes in the daemon, smbd and a client included.

python -m benchmarks.route [METHOD]

The second of two sequences is counted, when caches are filled. Without METHOD, prints how many
files each method passes; with one, lists them. A file counts if the event loop's thread runs one
of its functions between the arrival of the request and the end of its response: nobody waits for
what comes after that.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lab import FsrvpdProcess, Lab, Samba, Share, fss

TRACED = Path(__file__).with_name("traced_daemon.py")
OPTIONS = {"fsrvpd:require rpc integrity": "no"}
Routes = dict[str, list[str]]  # files by method


def routes() -> Routes:
    """Return the files of the last request of each method."""
    with Lab() as lab:
        volume = lab.volume("btrfs", "volume")
        samba = Samba(lab, [Share("data", volume / "data")], OPTIONS)
        lab.run(["btrfs", "subvolume", "create", volume / "data"])
        record = lab.directory / "routes.json"
        samba.start()
        daemon = FsrvpdProcess(lab, samba, debug_level=0)
        daemon.start(before=[sys.executable, TRACED, record])
        for _ in range(2):
            [copy] = fss.create_expose(samba, "data")
            fss.delete(samba, copy)
        daemon.stop()
        requests = json.loads(lab.seen(record).read_text())
    return {request["method"]: request["files"] for request in requests}


def main(*methods: str) -> None:
    found = routes()
    for method in methods:
        print("\n".join(found[method]))
    for method, files in found.items():
        if not methods or method in methods:
            print(f"{method:32} {len(files)} files")


if __name__ == "__main__":
    main(*sys.argv[1:])
