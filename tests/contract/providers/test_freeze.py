"""A frozen file system is thawed, whatever happens."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import List

import pytest

from fsrvpd.errors import StorageError
from fsrvpd.providers.lvm import freeze_helper
from fsrvpd.providers.lvm.freeze import LIMIT, frozen
from tests.contract.providers.conftest import MakeVolume

FREEZE, THAW = 0xC0045877, 0xC0045878


def is_frozen(path: Path) -> bool:
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, FREEZE, 0)
        fcntl.ioctl(fd, THAW, 0)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return True
    finally:
        os.close(fd)
    return False


def freezer_lives(volume: Path) -> bool:
    """Return whether the process that froze it still exists."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # ended meanwhile
            words = process.read_bytes().split(b"\0")
            if os.fsencode(freeze_helper.__file__) in words and os.fsencode(volume) in words:
                return True
    return False


@pytest.fixture
def volumes(make_volume: MakeVolume) -> List[Path]:
    return [make_volume("ext4", "große Platte", 32), make_volume("ext4", "zweite", 32)]


def test_all_are_frozen_and_then_none(volumes: List[Path]) -> None:
    with frozen([str(path) for path in volumes], LIMIT):
        assert [is_frozen(path) for path in volumes] == [True, True]
    assert [is_frozen(path) for path in volumes] == [False, False]
    (volumes[0] / "file").touch()


def test_what_fails_meanwhile_is_told_and_thawed(volumes: List[Path]) -> None:
    with pytest.raises(KeyError), frozen([str(path) for path in volumes], LIMIT):
        raise KeyError
    assert [is_frozen(path) for path in volumes] == [False, False]


def test_all_or_none(volumes: List[Path]) -> None:
    with (
        pytest.raises(StorageError, match="/proc: ") as caught,
        frozen([str(volumes[0]), "/proc"], LIMIT),
    ):
        pytest.fail("one of them cannot be frozen")
    assert caught.value.object == str(volumes[0])
    assert not is_frozen(volumes[0])


def test_nobody_is_held_for_longer_than_the_limit(volumes: List[Path]) -> None:
    paths = [str(path) for path in volumes]
    with pytest.raises(StorageError, match="had to be thawed"), frozen(paths, limit=1):
        (volumes[1] / "file").touch()  # continues when it is thawed
    assert [is_frozen(path) for path in volumes] == [False, False]


def test_a_kill_thaws(volumes: List[Path]) -> None:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            with frozen([str(path) for path in volumes], limit=600):
                os.write(writing, b"x")
                time.sleep(600)
        finally:
            os._exit(1)
    os.read(reading, 1)
    assert is_frozen(volumes[0])
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    while freezer_lives(volumes[0]):
        time.sleep(0.01)
    assert [is_frozen(path) for path in volumes] == [False, False]
    os.close(reading)
    os.close(writing)
