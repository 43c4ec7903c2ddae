"""A mount of a tree in memory: `python -m tests.requestor.tree_in_memory POINT PROBLEMS`.

It has what no file system here can have behind smbd: names of 255 characters, half of a pair of
UTF-16, names with a separator, streams above 64 KiB.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fsrvpd.requestor.mount.binding import serve
from fsrvpd.requestor.mount.file_system import FileSystem
from fsrvpd.requestor.mount.identity import BY_PATH
from fsrvpd.requestor.mount.problems import Problems
from tests.unit.requestor.mount.trees import DIRECTORY, MemoryTree

LONG = "ü" * 255
HALF = "half \ud800 pair"


def tree() -> MemoryTree:
    made = MemoryTree()
    made.add("folder", attributes=DIRECTORY)
    for name in (LONG, HALF, "what?", "ADC3FK~7.TXT"):
        made.add(f"folder\\{name}", name.encode("utf-8", "surrogatepass"))
    made.add("folder\\link", attributes=0x410, reparse_tag=0xA000000C)
    made.found["folder\\evil"] = made.found["folder"]._replace(name="../../evil")
    made.add("streams", b"x")
    made.alternate["streams"] = {"fits": bytes(65536), "large": bytes(65537), "n" * 240: b"x"}
    return made


def main(point: str, problems: str) -> None:
    made = FileSystem(tree(), BY_PATH, Problems(Path(problems)), lambda: print("ready", flush=True))
    serve(made, point)


if __name__ == "__main__":
    main(*sys.argv[1:])
