"""`.fsrvpd` on a volume to whose root users can write: they rename it and put up their own."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Callable, Iterator, List

import pytest

from fsrvpd.errors import NotOurs, StorageError
from tests.contract.providers.conftest import WITH_SNAPSHOT_DIRECTORY, chosen
from tests.contract.providers.harness import Harness
from tests.contract.providers.private_mounts import output, run

USER = 12345


@pytest.fixture(params=chosen(WITH_SNAPSHOT_DIRECTORY))
def harness(request: pytest.FixtureRequest) -> Harness:
    made: Harness = request.getfixturevalue(f"{request.param}_harness")
    made.volume.chmod(0o777)
    return made


def fork_as_user(directory: Path, work: Callable[[], None]) -> int:
    """Start a process of an ordinary user, whose working directory it is."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.chdir(directory)
            os.setgroups([])
            os.setgid(USER)
            os.setuid(USER)
            work()
            status = 0
        finally:
            os._exit(status)
    return pid


def as_user(harness: Harness, work: Callable[[], None]) -> None:
    _, status = os.waitpid(fork_as_user(harness.volume, work), 0)
    assert status == 0


def hide() -> None:
    os.rename(".fsrvpd", "hidden")


def replace() -> None:
    hide()
    os.makedirs(".fsrvpd/.marks")
    Path(".fsrvpd/of a user").write_text("precious")


def link() -> None:
    hide()
    os.symlink("/", ".fsrvpd")


def block() -> None:
    hide()
    os.mkfifo(".fsrvpd")


def aside(harness: Harness) -> List[Path]:
    return list(harness.volume.glob(".fsrvpd.not-ours-*"))


def snapshots(harness: Harness) -> List[str]:
    """Every snapshot on the volume, wherever it is."""
    return output("find", harness.volume, "-maxdepth", 3, "-name", "fsrvp-{*").splitlines()


@pytest.mark.parametrize("attack", [hide, replace, link, block])
def test_a_renamed_one_is_found_and_gets_its_name_back(
    harness: Harness, attack: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    snapshot = harness.take()
    before = os.stat(harness.volume / ".fsrvpd").st_ino, sorted(harness.left_over())
    as_user(harness, attack)
    assert [found.snapshot for found in harness.found()] == [snapshot]
    assert harness.provider.exists(snapshot)
    after = os.stat(harness.volume / ".fsrvpd", follow_symlinks=False).st_ino
    assert (after, sorted(harness.left_over())) == before
    assert "was renamed to hidden by a user, and is renamed back" in caplog.text
    assert len(aside(harness)) == (attack is not hide)
    assert (f"belonged to user {USER} and not to fsrvpd" in caplog.text) == (attack is not hide)
    harness.take()


@pytest.mark.parametrize("attack", [hide, replace, link, block])
def test_deletion_deletes_what_was_renamed(harness: Harness, attack: Callable[[], None]) -> None:
    """It is not reported as done while the snapshot is somewhere else."""
    snapshot = harness.take()
    as_user(harness, attack)
    harness.provider.delete(snapshot)
    assert snapshots(harness) == []
    assert harness.found() == []
    if attack is replace:
        [theirs] = aside(harness)
        assert (theirs / "of a user").read_text() == "precious"


@pytest.mark.parametrize("attack", [hide, replace, link, block])
def test_a_user_cannot_stop_snapshots_of_the_root(
    harness: Harness, attack: Callable[[], None]
) -> None:
    harness.take(harness.request(harness.volume))
    as_user(harness, attack)
    assert harness.provider.supports(str(harness.volume)) is None
    snapshot = harness.take(harness.request(harness.volume))
    assert snapshot in [found.snapshot for found in harness.found()]


def test_a_renamed_one_is_not_taken_for_something_of_a_user(harness: Harness) -> None:
    harness.take(harness.request(harness.volume))
    as_user(harness, hide)
    assert harness.provider.recheck(str(harness.volume)) is None


@pytest.mark.parametrize(
    "made",
    [
        lambda: os.makedirs(".fsrvpd/.marks"),
        lambda: os.symlink("/", ".fsrvpd"),
        lambda: os.mkfifo(".fsrvpd"),
        lambda: Path(".fsrvpd").touch(),
    ],
)
def test_one_that_a_user_made_first_is_moved_aside(
    harness: Harness, made: Callable[[], None]
) -> None:
    as_user(harness, made)
    owner = (harness.volume / ".fsrvpd").lstat().st_uid
    snapshot = harness.take()
    [theirs] = aside(harness)
    assert (owner, theirs.lstat().st_uid) == (USER, USER)
    assert [found.snapshot for found in harness.found()] == [snapshot]
    assert (harness.volume / ".fsrvpd").stat().st_uid == 0


def rename_for_ever() -> None:
    number = 0
    while True:
        number += 1
        with suppress(OSError):
            os.rename(".fsrvpd", f"hidden {number}")
        with suppress(OSError):
            os.mkdir(".fsrvpd")


@contextmanager
def renaming(harness: Harness) -> Iterator[None]:
    pid = fork_as_user(harness.volume, rename_for_ever)
    try:
        time.sleep(0.1)
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_somebody_who_renames_all_the_time_hides_nothing(harness: Harness) -> None:
    snapshot = harness.take()
    with renaming(harness):
        for _ in range(20):
            assert [found.snapshot for found in harness.found()] == [snapshot]
            assert harness.provider.exists(snapshot)
        harness.provider.delete(snapshot)
    assert snapshots(harness) == []
    assert harness.found() == []


def test_what_root_has_removed_is_gone(harness: Harness) -> None:
    snapshot = harness.take()
    if harness.provider.name == "btrfs":
        run("btrfs", "-q", "subvolume", "delete", snapshot.root)
        run("btrfs", "-q", "subvolume", "delete", harness.volume / ".fsrvpd")
    else:
        run("rm", "-r", harness.volume / ".fsrvpd")
    assert not harness.provider.exists(snapshot)
    harness.provider.delete(snapshot)
    harness.provider.delete(harness.take())
    assert harness.left_over() == []


def test_what_root_has_moved_elsewhere_is_not_gone(harness: Harness) -> None:
    snapshot = harness.take()
    (harness.volume / ".fsrvpd").rename(harness.directory / "moved")
    for use in (harness.provider.delete, harness.provider.exists):
        with pytest.raises(NotOurs, match=r"is .*/moved now; move that back"):
            use(snapshot)
    (harness.directory / "moved").rename(harness.volume / ".fsrvpd")
    harness.provider.delete(snapshot)


@pytest.mark.parametrize("name", [".fsrvpd", ".fsrvpd/.marks"])
def test_one_that_was_given_away_is_not_trusted(harness: Harness, name: str) -> None:
    snapshot = harness.take()
    os.chown(harness.volume / name, USER, USER)
    for use in (harness.provider.delete, harness.provider.exists):
        with pytest.raises(NotOurs, match="chown root"):
            use(snapshot)
    with pytest.raises(StorageError, match="chown root"):
        harness.take()
    os.chown(harness.volume / name, 0, 0)
    harness.provider.delete(snapshot)


def test_one_without_attributes_is_taken_over(harness: Harness) -> None:
    """As after an update, or when a backup was restored."""
    snapshot = harness.take()
    for path in (harness.volume, harness.volume / ".fsrvpd"):
        os.removexattr(path, "trusted.fsrvpd")
    assert harness.provider.exists(snapshot)
    harness.take()
    assert os.getxattr(harness.volume / ".fsrvpd", "trusted.fsrvpd")
    as_user(harness, hide)
    harness.provider.delete(snapshot)
    assert len(harness.found()) == 1
