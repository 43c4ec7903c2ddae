"""The mount table as the kernel prints it, read anew at each question."""

from __future__ import annotations

from pathlib import Path
from typing import List, NamedTuple


class Mount(NamedTuple):
    mount_point: str
    kind: str


class Mounts:
    def all(self) -> List[Mount]:
        out = []
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            f = line.split()
            mp = f[4].encode().decode("unicode_escape").encode("latin1").decode()
            out.append(Mount(mp, line.split(" - ")[1].split()[0]))
        return out

    def covering(self, path: str) -> Mount:
        return max(
            (m for m in self.all() if (path + "/").startswith(m.mount_point.rstrip("/") + "/")),
            key=lambda m: len(m.mount_point),
        )

    def below(self, path: str) -> List[Mount]:
        return [m for m in self.all() if m.mount_point.startswith(path.rstrip("/") + "/")]
