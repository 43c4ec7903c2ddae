"""fsfreeze on a loop-mounted XFS, and whoever has frozen it is killed or stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, NamedTuple

import pytest

from lab import Lab
from lab.daemon import SCRIPTS
from lab.namespaces import wait_until
from tests.requestor.freezer import Freezer

STATE = Path("/var/lib/fsrvpshadow")
STEPS = ("prepared", "started", "watched", "frozen", "thawed")


class Host(NamedTuple):
    lab: Lab
    xfs: Path
    ext4: Path
    subvolume: Path  # of the file system on which the state is

    def freezer(self, *paths: Path, seconds: float = 60.0) -> Freezer:
        words = [f"fsfreeze:{path}" for path in paths or (self.xfs,)]
        return Freezer(self.lab, STATE, *words, seconds=seconds)

    def is_frozen(self, path: Path) -> bool:
        """The kernel freezes nothing twice. A keeper may be first to thaw what this freezes."""
        if self.lab.run(["fsfreeze", "-f", path], check=False).returncode != 0:
            return True
        self.lab.run(["fsfreeze", "-u", path], check=False)
        return False

    def thawed(self) -> bool:
        return not self.is_frozen(self.xfs)

    def records(self) -> int:
        return len(list(self.lab.seen(STATE / "frozen").glob("*")))


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with Lab() as lab:
        btrfs = lab.volume("btrfs", "btrfs")
        for name in ("inner", "lib"):
            lab.run(["btrfs", "-q", "subvolume", "create", btrfs / name])
        lab.run(["mkdir", btrfs / "lib" / "samba"])
        lab.run(["mount", "--bind", btrfs / "lib", STATE.parent])
        subvolume = lab.directory / "subvolume"
        subvolume.mkdir()
        lab.run(["mount", "--bind", btrfs / "inner", subvolume])
        yield Host(lab, lab.volume("xfs", "app"), lab.volume("ext4", "more"), subvolume)


def test_frozen_and_thawed(host: Host) -> None:
    freezer = host.freezer(host.xfs, host.ext4)
    freezer.go_on("frozen")
    assert host.is_frozen(host.xfs)
    assert host.is_frozen(host.ext4)
    assert freezer.end() == 0
    assert host.thawed()
    assert not host.is_frozen(host.ext4)


@pytest.mark.parametrize("ending", ["kill", "stop"])
def test_the_keeper_thaws(host: Host, ending: str) -> None:
    freezer = host.freezer(seconds=0.5 if ending == "stop" else 60.0)
    freezer.go_on("frozen")
    getattr(freezer, ending)()
    wait_until("the keeper thaws", host.thawed)
    if ending == "stop":
        freezer.kill()
    wait_until("the keeper has ended", lambda: freezer.keeper() is None)
    assert host.records() == 0


@pytest.mark.parametrize("step", STEPS)
def test_clean_thaws_what_both_have_left(host: Host, step: str) -> None:
    freezer = host.freezer()
    freezer.go_on(step)
    freezer.kill_with_keeper()
    assert host.is_frozen(host.xfs) == (step == "frozen")
    host.lab.run([SCRIPTS / "fsrvpshadow", "clean"])
    assert host.thawed()
    assert host.records() == 0


def test_the_file_system_of_the_state_is_never_frozen(host: Host) -> None:
    """Nor another subvolume of it, of which stat tells another device."""
    freezer = host.freezer(host.subvolume)
    with pytest.raises(AssertionError, match="it ended before it was prepared"):
        freezer.go_on("prepared")
    assert freezer.end() != 0
    assert not host.is_frozen(host.subvolume)
