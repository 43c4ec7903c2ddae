"""Reading a share to disk: the requestor's `files` against smbclient, in one run.

All signed with SMB 3.1.1, from one smbd on the loopback; what is read and what is written are on
one disk. smbclient's time is that of its process, ours that of the reading without the start of
Python. Over a distance, each byte takes 1 ms to get there, either way.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Callable, Dict, Iterator, List, Mapping, NamedTuple

from lab import Lab, Samba, Share
from lab.samba import ROOT

CLIENT = Path(__file__).with_name("reading_client.py")
MOUNTED = Path(__file__).with_name("mounted_client.py")
TREE = CLIENT.parents[1]
ROUNDS = 3
MIB = 1 << 20
LARGE, HOLES, DATA = 512 * MIB, 1024 * MIB, 256 * MIB  # bytes: a file; another with holes
DIRECTORIES, FILES, SMALL = 50, 100, 10_600  # of small files; bytes of each
DELAY = 0.001  # s, one way
FAR_PORT = 4450
MAKE = f"""
cd "$1"; chmod 0777 .
head -c {LARGE} /dev/urandom > large; mkdir one; ln large one/large
i=0; while [ $i -lt 4 ]; do
    dd if=large of=holes bs=64M count=1 skip=$i seek=$((i * 4)) conv=notrunc status=none
    i=$((i + 1))
done
truncate -s {HOLES} holes
for d in $(seq {DIRECTORIES}); do
    mkdir -p small/$d
    for f in $(seq {FILES}); do head -c {SMALL} large > small/$d/$f; done
done
sync
"""


class Times(NamedTuple):
    """In s; of each round. `resident`: bytes of our process at most."""

    ours: List[float]
    smbclient: List[float]
    resident: int

    @property
    def ratio(self) -> float:
        """Of the medians: above 1 ours is faster."""
        return median(self.smbclient) / median(self.ours)


class Reading:
    def __init__(self, lab: Lab, samba: Samba) -> None:
        self._lab, self._samba = lab, samba
        self._destination = lab.directory / "destination"

    def ours(self, kind: str, path: str, *, port: int = 445) -> Mapping[str, float]:
        login = [self._samba.address, port, ROOT.name, ROOT.password]
        client = MOUNTED if kind == "mount" else CLIENT
        argv = [sys.executable, client, kind, *map(str, login), "data", path, self._destination]
        with self._cleared():
            done = self._lab.run(argv, environment={"PYTHONPATH": str(TREE)}, timeout=600)
        found: Mapping[str, float] = json.loads(done.stdout)
        return found

    def smbclient(self, *words: str, port: int = 445) -> float:
        """`DESTINATION` in a word is where to."""
        words = tuple(word.replace("DESTINATION", str(self._destination)) for word in words)
        unc, user = f"//{self._samba.address}/data", f"{ROOT.name}%{ROOT.password}"
        protected = ["-U", user, "-s", self._samba.conf, "-p", str(port)]
        argv = ["smbclient", unc, *protected, "--client-protection=sign", *words]
        with self._cleared():
            began = time.perf_counter()
            self._lab.run(argv, timeout=600)
            return time.perf_counter() - began

    @contextmanager
    def _cleared(self) -> Iterator[None]:
        """Nothing is there, and nothing waits to be written."""
        self._lab.run(["sh", "-c", 'rm -rf "$1"; sync', "sh", self._destination], timeout=600)
        yield


@contextmanager
def opened() -> Iterator[Reading]:
    with Lab() as lab:
        data = lab.directory / "data"
        data.mkdir()
        samba = Samba(lab, [Share("data", data)], {"server signing": "mandatory"})
        lab.run(["sh", "-ec", MAKE, "sh", data], timeout=600)
        samba.start()
        near, far = (samba.address, "445"), (samba.address, str(FAR_PORT))
        argv = [sys.executable, "-m", "benchmarks.distance", *far, *near, str(DELAY)]
        line = lab.converse(["env", f"PYTHONPATH={TREE}", *argv])
        assert line.stdout is not None
        assert line.stdout.readline() == "ready\n"
        reading = Reading(lab, samba)
        reading.ours("mark", "holes")
        yield reading


def measure(rounds: int = ROUNDS) -> Dict[str, Times]:
    """Both take turns, so that they have the same machine."""
    with opened() as reading:
        get = ("-c", "get large DESTINATION")
        rows: Dict[str, tuple[Callable[[], Mapping[str, float]], Callable[[], float]]] = {
            "a file of 512 MiB": (
                lambda: reading.ours("file", "large"),
                lambda: reading.smbclient(*get),
            ),
            "the same over 2 ms": (
                lambda: reading.ours("file", "large", port=FAR_PORT),
                lambda: reading.smbclient(*get, port=FAR_PORT),
            ),
            "a file of 512 MiB by copy": (
                lambda: reading.ours("copy", "one"),
                lambda: reading.smbclient(*get),
            ),
            "the same over 2 ms, by copy": (
                lambda: reading.ours("copy", "one", port=FAR_PORT),
                lambda: reading.smbclient(*get, port=FAR_PORT),
            ),
            "a file of 512 MiB through the mount": (
                lambda: reading.ours("mount", "large"),
                lambda: reading.smbclient(*get),
            ),
            "the same over 2 ms, mounted": (
                lambda: reading.ours("mount", "large", port=FAR_PORT),
                lambda: reading.smbclient(*get, port=FAR_PORT),
            ),
            "1 GiB with 256 MiB of data": (
                lambda: reading.ours("holes", "holes"),
                lambda: reading.smbclient("-c", "get holes DESTINATION"),
            ),
            "5,000 small files": (
                lambda: reading.ours("small", "small"),
                lambda: reading.smbclient("-Tc", "DESTINATION", "small"),
            ),
            "5,000 small files by copy": (
                lambda: reading.ours("copy", "small"),
                lambda: reading.smbclient("-Tc", "DESTINATION", "small"),
            ),
            "5,000 small files, 2 workers": (
                lambda: reading.ours("workers", "small"),
                lambda: reading.smbclient("-Tc", "DESTINATION", "small"),
            ),
        }
        return {name: _times(rounds, *both) for name, both in rows.items()}


def lines(found: Mapping[str, Times]) -> Iterator[str]:
    """The rows of a table."""
    yield "| | ours | smbclient | times as fast | resident |"
    yield "| --- | --- | --- | --- | --- |"
    for name, times in found.items():
        seconds = (f"{median(each):.2f} s" for each in (times.ours, times.smbclient))
        cells = (name, *seconds, f"{times.ratio:.2f}", f"{times.resident / 1e6:.0f} MB")
        yield f"| {' | '.join(cells)} |"


def _times(
    rounds: int, ours: Callable[[], Mapping[str, float]], theirs: Callable[[], float]
) -> Times:
    times = Times([], [], 0)
    resident = 0
    for _ in range(rounds):
        found = ours()
        times.ours.append(found["seconds"])
        times.smbclient.append(theirs())
        resident = max(resident, int(found["resident"]))
    return times._replace(resident=resident)
