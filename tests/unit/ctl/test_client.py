"""One request over the control socket, answered as a daemon would."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any, Optional

import pytest

from fsrvpd import unix_socket
from fsrvpd.ctl import client
from fsrvpd.errors import FsrvpdError


class Daemon:
    """Answers one connection with these bytes, then closes it; `request` is what it received."""

    def __init__(self, path: str, *parts: bytes) -> None:
        self.request: Any = None
        self._parts = parts
        self._socket = unix_socket.bind(path)
        self._socket.setblocking(True)
        self._socket.listen(1)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            self.request = json.loads(connection.recv(65536))
            for part in self._parts:
                connection.sendall(part)

    def close(self) -> None:
        self._thread.join()
        self._socket.close()


def ask(tmp_path: Path, *parts: bytes, events: Optional[list[Any]] = None) -> tuple[Any, Any]:
    """Return the reply and the request."""
    path = str(tmp_path / "socket")
    daemon = Daemon(path, *parts)
    try:
        seen = events if events is not None else []
        return client.ask(path, "show-set", ["{S}"], seen.append), daemon.request
    finally:
        daemon.close()


def test_a_reply(tmp_path: Path) -> None:
    reply, request = ask(tmp_path, b'{"ok": true, "result": {"pid": 7}}\n')
    assert reply == {"pid": 7}
    assert request == {"message": "show-set", "parameters": ["{S}"]}


def test_events_come_first_however_they_are_cut(tmp_path: Path) -> None:
    events: list[Any] = []
    parts = (b'{"event": {"step"', b': 1}}\n{"event": 2}\n{"ok": true,', b' "result": null}\n')
    reply, _ = ask(tmp_path, *parts, events=events)
    assert (reply, events) == (None, [{"step": 1}, 2])


def test_an_error_has_the_daemons_words(tmp_path: Path) -> None:
    with pytest.raises(FsrvpdError, match=r"^there is no set$") as caught:
        ask(tmp_path, b'{"ok": false, "error": "there is no set"}\n')
    assert not isinstance(caught.value, client.NotRunning)


@pytest.mark.parametrize("parts", [(), (b'{"event": 1}\n',), (b'{"ok": true',)])
def test_a_daemon_that_hangs_up_is_stopping(tmp_path: Path, parts: tuple[bytes, ...]) -> None:
    with pytest.raises(client.NotRunning, match="closed the connection; is it stopping"):
        ask(tmp_path, *parts)


def test_another_program_is_no_daemon(tmp_path: Path) -> None:
    with pytest.raises(client.NotRunning, match="does not answer"):
        ask(tmp_path, b"220 mail.example ESMTP\n")


def test_nobody_listens(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with pytest.raises(client.NotRunning, match="No such file or directory"):
        client.ask(path, "ping", [])
    with unix_socket.bind(path), pytest.raises(client.NotRunning, match="Connection refused"):
        client.ask(path, "ping", [])


def test_who_may_not_ask_learns_who_may(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(connection: socket.socket, path: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(unix_socket, "connect", refuse)
    with pytest.raises(FsrvpdError, match="only root and members of `fsrvpd:admin group`"):
        client.ask("/socket", "ping", [])
