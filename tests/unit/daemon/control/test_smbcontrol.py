"""smbcontrol gets the same replies as from Samba's daemons."""

from __future__ import annotations

import logging
import os
from types import SimpleNamespace
from typing import Any, Optional

import pytest

from fsrvpd.daemon.control.smbcontrol import SmbcontrolService
from fsrvpd.errors import FsrvpdError
from samba_hooks.messaging import Kind, Message, ServerId
from tests.unit.daemon.fake_loop import FakeLoop

SOURCE = ServerId(1, 0, 0, 0)


class Bus:
    """A mailbox that receives what is put into `message` and keeps the replies."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self.message: Optional[Message] = None
        self.replies: list[tuple[Kind, bytes]] = []
        self.mailboxes = [self]

    def fileno(self) -> int:
        return self._read

    def deliver(self, kind: Kind, data: bytes) -> None:
        self.message = Message(kind, SOURCE, SOURCE, data)
        os.write(self._write, b"x")

    def receive(self) -> Optional[Message]:
        os.read(self._read, 1)
        return self.message

    def reply(self, to: Message, kind: Kind, data: bytes = b"") -> None:
        self.replies.append((kind, data))

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)


class Actions(SimpleNamespace):
    debug_level = 3

    def __init__(self) -> None:
        super().__init__(done=[])

    def set_debug_level(self, text: str) -> None:
        if not text.isdecimal():
            raise FsrvpdError(f"debug {text}: the level must be a number from 0 to 10")
        self.done.append(f"debug {text}")

    def reload(self) -> None:
        self.done.append("reload")

    def shutdown(self) -> None:
        self.done.append("shutdown")


@pytest.mark.parametrize(
    ("kind", "data", "replies", "done"),
    [
        (Kind.PING, b"hello", [(Kind.PONG, b"hello")], []),
        (Kind.REQ_DEBUGLEVEL, b"", [(Kind.DEBUGLEVEL, b"all:3\n\0")], []),
        (Kind.DEBUG, b"5\0", [], ["debug 5"]),
        (Kind.CONF_UPDATED, b"", [], ["reload"]),
        (Kind.SHUTDOWN, b"", [], ["shutdown"]),
    ],
)
def test_messages(
    kind: Kind, data: bytes, replies: list[tuple[Kind, bytes]], done: list[str]
) -> None:
    bus, actions = Bus(), Actions()
    assert deliver(bus, actions, kind, data) == replies
    assert actions.done == done


def deliver(bus: Any, actions: Any, kind: Kind, data: bytes) -> list[tuple[Kind, bytes]]:
    loop = FakeLoop()
    service = SmbcontrolService(loop, bus, actions)
    bus.deliver(kind, data)
    loop.advance(0)
    service.close()
    loop.close()
    return bus.replies  # type: ignore[no-any-return]


def test_a_wrong_level_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        deliver(Bus(), Actions(), Kind.DEBUG, b"loud\0")
    assert "debug loud: the level must be a number" in caplog.text
