"""The control socket: where it can be, and what is said where it cannot."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Iterator, Sequence

import pytest

from fsrvpd.ctl.client import NotRunning, ask
from fsrvpd.daemon.control import ControlSocket, Conversation
from fsrvpd.daemon.loop import Loop
from fsrvpd.errors import ConfigError


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


def echo(parameters: Sequence[str], conversation: Conversation) -> None:
    conversation.finish(list(parameters))


def test_a_path_longer_than_a_socket_address_is_served_and_asked(
    loop: Loop, tmp_path: Path
) -> None:
    folder = tmp_path / ("x" * 150)
    folder.mkdir()
    path = str(folder / "control.socket")
    control = ControlSocket(loop, path, {"echo": echo})
    served = threading.Thread(target=loop.run, args=(lambda: None, lambda: None))
    served.start()
    try:
        assert ask(path, "echo", ["a", "ü"]) == ["a", "ü"]
    finally:
        loop.ring(loop.stop)
        served.join()
        control.close()
    with pytest.raises(NotRunning, match="No such file or directory; is it running"):
        ask(path, "echo", [])


def test_a_place_that_cannot_be_is_named(loop: Loop, tmp_path: Path) -> None:
    path = str(tmp_path / "nowhere" / "control.socket")
    with pytest.raises(ConfigError, match=f"{path}: the control socket cannot be made: No such"):
        ControlSocket(loop, path, {})
