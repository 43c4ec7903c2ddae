"""An agent's socket, as QEMU has it: one client at a time, and lines of JSON."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Mapping, Optional

from fsrvpd.requestor.writers.agent_socket import FREEZE, STATUS, THAW


class FakeAgent:
    """Answers until it is closed. `answers` replace what it says to a command: bytes are sent as
    they are, None is silence. `before` is sent to each client first, as what is left for it."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.is_frozen = False
        self.asked: list[str] = []
        self.answers: dict[str, Optional[bytes]] = {}
        self.before = b""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(5)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._is_over.set()
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(self.path)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            client, _ = self._listener.accept()
            with client:
                if self._is_over.is_set():
                    return
                client.settimeout(10)
                with suppress(ConnectionError):  # it did not wait
                    self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        client.sendall(self.before)
        with client.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line.lstrip(b"\xff"))
                answer = self._answer(message["execute"], message.get("arguments", {}))
                if answer is not None:
                    client.sendall(answer)

    def _answer(self, command: str, arguments: Mapping[str, Any]) -> Optional[bytes]:
        self.asked.append(command)
        if command in self.answers:
            return self.answers[command]
        do: Mapping[str, Callable[[], Any]] = {
            "guest-sync-delimited": lambda: arguments["id"],
            STATUS: lambda: "frozen" if self.is_frozen else "thawed",
            FREEZE: lambda: self._set(True),
            THAW: lambda: self._set(False),
        }
        begin = b"\xff" if command == "guest-sync-delimited" else b""
        return begin + json.dumps({"return": do[command]()}).encode() + b"\n"

    def _set(self, is_frozen: bool) -> int:
        number = 1 if self.is_frozen != is_frozen else 0
        self.is_frozen = is_frozen
        return number
