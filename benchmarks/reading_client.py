"""Reads from a share to a local disk and prints how long that took, without the login.

    reading_client.py KIND ADDRESS PORT USER PASSWORD SHARE PATH DESTINATION

KIND: `file`, `holes` (what is no hole of a file), `small` (a tree of small files by one process),
`workers` (by several) or `copy` (what `fsrvpshadow copy` does with a directory). `mark` marks a
file as sparse: Samba tells the holes of no other. Prints a line of JSON: seconds, processor
seconds, resident bytes.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Callable, Iterable, Iterator, Mapping

from fsrvpd.requestor.copying.mirror import Mirror
from fsrvpd.requestor.copying.mirror_directory import open_mirror
from fsrvpd.requestor.copying.shortfalls import Shortfalls
from fsrvpd.requestor.copying.totals import Totals
from fsrvpd.requestor.files import messages as m
from fsrvpd.requestor.files.channel import Channel
from fsrvpd.requestor.files.link import good
from fsrvpd.requestor.files.many import Workers
from fsrvpd.requestor.files.small import SmallFile, Wanted, small_files
from fsrvpd.requestor.files.tree import FileTree
from fsrvpd.requestor.smb.connector import SmbConnector
from fsrvpd.requestor.smb.credentials import Credentials
from fsrvpd.requestor.smb.session import SmbSession

SET_SPARSE = 0x900C4
Small = Callable[[Iterable[Wanted]], Iterator[SmallFile]]


def read_file(tree: FileTree, path: str, destination: Path) -> None:
    with tree.open(path) as file, destination.open("wb", buffering=0) as local:
        for piece in file.chunks():
            local.write(piece)


def read_holes(tree: FileTree, path: str, destination: Path) -> None:
    with tree.open(path) as file, destination.open("wb", buffering=0) as local:
        local.truncate(file.entry.size)
        for offset, length in file.data_ranges():
            local.seek(offset)
            for piece in file.chunks(offset, length):
                local.write(piece)


def read_small(tree: FileTree, read: Small, path: str, destination: Path) -> None:
    for found in read(_below(tree, path)):
        if found.failure is not None:
            raise found.failure
        local = destination / found.path.replace("\\", "/")
        local.parent.mkdir(parents=True, exist_ok=True)
        local.write_bytes(found.data)


def mark(channel: Channel, path: str) -> None:
    [opened] = channel.ask(m.create(path, 0x2 | m.READ_ATTRIBUTES, m.NON_DIRECTORY_FILE))
    good(channel.ask(m.ioctl(m.created(good(opened)).file_id, SET_SPARSE, b"", 0))[0])


def copy(tree: FileTree, workers: Workers, destination: Path) -> None:
    """With one worker, as it would have on two processors."""
    lacks: list[object] = []
    with open_mirror(str(destination)) as mirror:
        mirror.side.begin_run("benchmark")
        Mirror(
            tree,
            lambda wanted: workers.small_files(wanted, with_metadata=True),
            mirror.top,
            mirror.parts,
            mirror.side,
            Shortfalls(lacks.append),
            Totals(lambda: None),
        ).run()
    assert not lacks


def _below(tree: FileTree, path: str) -> Iterator[Wanted]:
    for entry in tree.entries(path):
        name = f"{path}\\{entry.name}"
        if entry.is_directory:
            yield from _below(tree, name)
        else:
            yield name, entry.size


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

    def connect() -> SmbSession:
        return connector.log_in(address)

    local, prefix = Path(destination), path if kind == "copy" else ""
    with Workers(connect, share, prefix, count=2 if kind == "workers" else 1) as workers:
        tree = FileTree(connect, share, prefix)
        tree.entry("")
        began, used = time.perf_counter(), _processor()
        if kind == "file":
            read_file(tree, path, local)
        elif kind == "holes":
            read_holes(tree, path, local)
        elif kind == "copy":
            copy(tree, workers, local)
        elif kind == "mark":
            tree.run(path, lambda channel: mark(channel, path))
        elif kind == "small":
            read_small(tree, lambda files: small_files(tree, files), path, local)
        else:
            read_small(tree, workers.small_files, path, local)
        seconds = time.perf_counter() - began
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        tree.close()
        return {"seconds": seconds, "processor": _processor() - used, "resident": resident}


def _processor() -> float:
    times = os.times()
    return times.user + times.system


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
