"""The control socket: permitted paths, and the errors for others."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Iterator, List, Sequence

import pytest

from fsrvpd.ctl.client import NotRunning, ask
from fsrvpd.daemon.control.socket_server import ControlRequest, ControlSocket
from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.errors import ConfigError, FsrvpdError


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    made = EventLoop()
    yield made
    made.close()


def echo(parameters: Sequence[str], request: ControlRequest) -> None:
    request.finish(list(parameters))


def fail(parameters: Sequence[str], request: ControlRequest) -> None:
    if parameters:
        request.finish(object())
    raise RecursionError("too deep")


@pytest.mark.parametrize("parameters", [[], ["a result that is no JSON"]])
def test_a_request_is_answered_whatever_happens(
    loop: EventLoop, tmp_path: Path, parameters: List[str]
) -> None:
    path = str(tmp_path / "control.socket")
    control = ControlSocket(loop, path, {"fail": fail})
    served = threading.Thread(target=loop.run_forever)
    served.start()
    try:
        with pytest.raises(FsrvpdError, match=r"Error: .*please report this"):
            ask(path, "fail", parameters, timeout=5)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        served.join()
        control.close()


def test_a_path_longer_than_a_socket_address_is_served_and_asked(
    loop: EventLoop, tmp_path: Path
) -> None:
    folder = tmp_path / ("x" * 150)
    folder.mkdir()
    path = str(folder / "control.socket")
    control = ControlSocket(loop, path, {"echo": echo})
    served = threading.Thread(target=loop.run_forever)
    served.start()
    try:
        assert ask(path, "echo", ["a", "ü"]) == ["a", "ü"]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        served.join()
        control.close()
    with pytest.raises(NotRunning, match="No such file or directory; is it running"):
        ask(path, "echo", [])


def test_a_place_that_cannot_be_is_named(loop: EventLoop, tmp_path: Path) -> None:
    path = str(tmp_path / "nowhere" / "control.socket")
    with pytest.raises(ConfigError, match=f"{path}: cannot bind the control socket: No such"):
        ControlSocket(loop, path, {})
