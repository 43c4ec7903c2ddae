"""fsrvpd, with a record of the source files that each request passes.

traced_daemon.py RECORD fsrvpd ARGUMENT…

Writes RECORD as JSON when the daemon ends: a list of requests in order of arrival, each with
its method and the files of this tree in which the event loop's thread ran a function before the
response was sent.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import fsrvpd.daemon.main
import samba_hooks
from fsrvpd.daemon.agent.driver import AgentDriver
from fsrvpd.daemon.pipe.connection import PipeConnection

ROOT = Path(fsrvpd.__file__).parents[1]
PACKAGES = (Path(fsrvpd.__file__).parent, Path(samba_hooks.__file__).parent)


class Recorder:
    """A profile function. A request begins when its bytes are read, and ends with its response."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self._files: set[str] = set()
        self._ready = PipeConnection._on_ready.__code__
        self._call = AgentDriver.call.__code__
        self._reply = PipeConnection.reply.__code__

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if event == "return" and code is self._reply:
            self._files = set()
        if event != "call":
            return
        if code is self._ready:
            self._files = set()
        elif code is self._call:
            method = frame.f_locals["call"].opnum.name
            self.requests.append({"method": method, "files": self._files})
        self._files.add(code.co_filename)

    def written(self) -> str:
        return json.dumps(
            [
                {"method": each["method"], "files": sorted(filter(None, map(ours, each["files"])))}
                for each in self.requests
            ]
        )


def ours(file: str) -> str:
    """Return the path relative to the tree, or "" if the file is not in it."""
    path = Path(file)
    inside = any(package in path.parents for package in PACKAGES)
    return str(path.relative_to(ROOT)) if inside else ""


def main(record: str, _: str, *arguments: str) -> int:
    recorder = Recorder()
    sys.setprofile(recorder)
    try:
        return fsrvpd.daemon.main.main(arguments)
    finally:
        sys.setprofile(None)
        Path(record).write_text(recorder.written())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
