"""The worker sends messages to the first smbd, or to all of them."""

from __future__ import annotations

from typing import Any

import pytest

from samba_hooks.registry.worker.smbd import Smbd

CONF_UPDATED, FORCE_TDIS = 0x0021, 0x0302
EVERYBODY = 0


class World:
    """Library, shares and events in one; records what was sent to which process."""

    def __init__(self, pid: int = 7, clustering: str = "No", takes: bool = True) -> None:
        self.sent: list[tuple[int, int, bytes]] = []
        self.defaults = {"clustering": clustering, "pid directory": "/run/samba"}
        self._pid, self._takes = pid, takes

    def running(self, program: str, directory: str) -> int:
        assert (program, directory) == ("smbd", "/run/samba")
        return self._pid

    def send_to(self, pid: int, kind: int, data: bytes) -> bool:
        if self._takes:
            self.sent.append((pid, kind, data))
        return self._takes

    def send_to_all(self, kind: int, data: bytes) -> None:
        self.sent.append((EVERYBODY, kind, data))


def smbd(world: Any) -> Smbd:
    return Smbd(world, world, world)


def test_the_first_smbd_passes_messages_on() -> None:
    world = World()
    smbd(world).disconnect("Größe")
    smbd(world).configuration_changed()
    assert world.sent == [(7, FORCE_TDIS, "Größe\0".encode()), (7, CONF_UPDATED, b"")]


@pytest.mark.parametrize("world", [World(pid=0), World(clustering="Yes"), World(takes=False)])
def test_otherwise_everybody_is_told(world: World) -> None:
    smbd(world).configuration_changed()
    assert world.sent == [(EVERYBODY, CONF_UPDATED, b"")]
