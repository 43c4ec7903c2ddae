"""Reads a file through a mount to a local disk and prints how long that took, without the mounting.

    mounted_client.py mount ADDRESS PORT USER PASSWORD SHARE PATH DESTINATION

Prints a line of JSON: seconds; processor seconds and resident bytes of the mount's process.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Mapping

from fsrvpd.requestor.files.tree import FileTree
from fsrvpd.requestor.mount import kernel
from fsrvpd.requestor.mount.binding import serve
from fsrvpd.requestor.mount.file_system import FileSystem
from fsrvpd.requestor.mount.identity import BY_PATH
from fsrvpd.requestor.mount.problems import Problems
from fsrvpd.requestor.smb.connector import SmbConnector
from fsrvpd.requestor.smb.credentials import Credentials

PIECE = 1 << 20  # bytes that a program reads at once


def start(tree: FileTree, point: Path) -> int:
    """Returns the process that serves the mount, once it is there."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        problems = Problems(point.with_suffix(".problems"))
        ready = lambda: os.write(writer, b"x")  # noqa: E731
        serve(FileSystem(tree, BY_PATH, problems, ready), str(point))  # type: ignore[arg-type]
        os._exit(0)
    os.close(writer)
    assert os.read(reader, 1), "it is not mounted"
    mounted = kernel.mounted_at(point)
    assert mounted is not None
    kernel.read_ahead(mounted.device)
    return pid


def main(
    kind: str,
    address: str,
    port: str,
    user: str,
    password: str,
    share: str,
    path: str,
    destination: str,
) -> Mapping[str, float]:
    connector = SmbConnector(Credentials(user, password), port=int(port))
    with tempfile.TemporaryDirectory() as directory:
        point = Path(directory, kind)
        point.mkdir()
        pid = start(FileTree(lambda: connector.log_in(address), share), point)
        began = time.perf_counter()
        with open(point / path, "rb", buffering=0) as source, Path(destination).open("wb") as local:
            while piece := source.read(PIECE):
                local.write(piece)
        seconds = time.perf_counter() - began
        kernel.unmount(point)
        _, _, used = os.wait4(pid, 0)
    processor = used.ru_utime + used.ru_stime
    return {"seconds": seconds, "processor": processor, "resident": used.ru_maxrss * 1024}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
