from __future__ import annotations

import os
import select
import socket
import stat
from pathlib import Path
from typing import Iterator

import pytest

from samba_hooks.pipe.listener import PipeError, PipeListener, PipeWatch, occupant


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[PipeListener]:
    listener = PipeListener(str(tmp_path / "ncalrpc"))
    yield listener
    listener.close()


@pytest.fixture
def watch(listener: PipeListener) -> Iterator[PipeWatch]:
    watch = PipeWatch(listener)
    yield watch
    watch.close()


def connect(listener: PipeListener) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(listener.path)
    return client


def rob(listener: PipeListener) -> socket.socket:
    """What samba-dcerpcd does: unlink the name and bind it again."""
    hijacker = socket.socket(socket.AF_UNIX)
    os.unlink(listener.path)
    hijacker.bind(listener.path)
    hijacker.listen()
    return hijacker


def is_readable(subject: PipeWatch) -> bool:
    return bool(select.select([subject], [], [], 0)[0])


def test_directory_is_made_as_samba_makes_it(listener: PipeListener) -> None:
    facts = os.lstat(listener.directory)
    assert stat.S_IMODE(facts.st_mode) == 0o700
    assert os.listdir(listener.directory) == ["fssagentrpc"]
    assert stat.S_IMODE(os.stat(os.path.dirname(listener.directory)).st_mode) == 0o755


def test_accepts_without_blocking(listener: PipeListener) -> None:
    assert listener.accept() is None
    with connect(listener) as client:
        accepted = listener.accept()
        assert accepted is not None
        with accepted:
            client.sendall(b"hello")
            assert accepted.recv(16) == b"hello"
            with pytest.raises(BlockingIOError):
                accepted.recv(16)


def test_socket_address_may_be_longer_than_the_kernel_allows(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / "ncalrpc"
    listener = PipeListener(str(deep))
    assert listener.is_ours()
    listener.close()


@pytest.mark.parametrize("mode", [0o755, 0o710])
def test_refuses_a_directory_others_can_enter(tmp_path: Path, mode: int) -> None:
    directory = tmp_path / "np"
    directory.mkdir()
    directory.chmod(mode)
    with pytest.raises(PipeError, match=f"mode {mode:04o}"):
        PipeListener(str(tmp_path))


def test_refuses_a_directory_of_another_owner(tmp_path: Path) -> None:
    (tmp_path / "np").mkdir(mode=0o700)
    os.chown(tmp_path / "np", 12345, -1)
    with pytest.raises(PipeError, match="uid 12345"):
        PipeListener(str(tmp_path))


def test_refuses_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "np").symlink_to("elsewhere")
    with pytest.raises(PipeError, match="cannot serve the pipe"):
        PipeListener(str(tmp_path))
    assert os.listdir(tmp_path / "elsewhere") == []


def test_a_failed_bind_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "np").mkdir(mode=0o700)
    (tmp_path / "np" / "fssagentrpc").mkdir()
    with pytest.raises(PipeError, match="cannot serve the pipe"):
        PipeListener(str(tmp_path))
    assert os.listdir(tmp_path / "np") == ["fssagentrpc"]


def test_takes_the_place_of_a_stale_socket_without_a_gap(tmp_path: Path) -> None:
    first = PipeListener(str(tmp_path))
    second = PipeListener(str(tmp_path))
    assert not first.is_ours()
    assert second.is_ours()
    first.close()
    assert second.is_ours(), "closing must not remove another's socket"
    second.close()
    assert os.listdir(tmp_path / "np") == []


def test_occupant_names_the_process_that_listens(tmp_path: Path) -> None:
    assert occupant(str(tmp_path)) is None
    listener = PipeListener(str(tmp_path))
    assert occupant(str(tmp_path)) == os.getpid()
    listener.close()
    assert occupant(str(tmp_path)) is None


def test_occupant_of_a_dead_socket_is_nobody(tmp_path: Path) -> None:
    (tmp_path / "np").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "np" / "fssagentrpc"))
    assert occupant(str(tmp_path)) is None


def test_quiet_while_the_name_is_ours(listener: PipeListener, watch: PipeWatch) -> None:
    connect(listener).close()
    assert not is_readable(watch)
    assert not watch.hijacked()


def test_theft_is_noticed_and_undone(listener: PipeListener, watch: PipeWatch) -> None:
    with connect(listener) as early, rob(listener) as hijacker:
        assert is_readable(watch)
        assert watch.hijacked()
        waiting = listener.retake()
        assert not watch.hijacked()
        assert not is_readable(watch)
        assert len(waiting) == 1, "who connected before the theft is still served"
        early.sendall(b"x")
        assert waiting[0].recv(1) == b"x"
        waiting[0].close()
        with connect(listener):
            accepted = listener.accept()
            assert accepted is not None
            accepted.close()
        hijacker.setblocking(False)
        with pytest.raises(BlockingIOError):
            hijacker.accept()


def test_removal_is_a_theft(listener: PipeListener, watch: PipeWatch) -> None:
    os.unlink(listener.path)
    assert is_readable(watch)
    assert watch.hijacked()


def test_a_replaced_directory_is_a_theft(listener: PipeListener, watch: PipeWatch) -> None:
    os.rename(listener.directory, listener.directory + ".old")
    assert is_readable(watch)
    assert watch.hijacked()
    listener.retake()
    assert not watch.hijacked()
    with rob(listener):
        assert is_readable(watch), "the new directory must be watched"
        assert watch.hijacked()


def test_other_names_are_no_theft(listener: PipeListener, watch: PipeWatch) -> None:
    Path(listener.directory, "srvsvc").touch()
    assert is_readable(watch)
    assert not watch.hijacked()


def test_retake_that_fails_keeps_the_listener(listener: PipeListener) -> None:
    os.rename(listener.directory, listener.directory + ".old")
    Path(listener.directory).touch()
    before = listener.fileno()
    with pytest.raises(PipeError):
        listener.retake()
    assert listener.fileno() == before
