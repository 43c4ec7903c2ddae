"""A requestor in a lab that a test leads call by call; run by `Session` below.

The process reads an order a line, forks, and the child carries it out: so each order runs in a
process of its own, and costs no start of an interpreter. Before each call to a server the child
says which, and waits for `go`, for `die` (it is killed before the call) or for `die sent` (it is
killed when the request is on its way). Everything is a JSON object a line.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence

from fsrvpd.core import messages as m
from fsrvpd.core.messages import format_guid, parse_guid
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.names.resolve import Names
from fsrvpd.requestor.names.system_look_up import SystemLookUp
from fsrvpd.requestor.ports import AgentConnection, Connector
from fsrvpd.requestor.sets.requestor import Requestor
from fsrvpd.requestor.smb.connector import SmbConnector
from fsrvpd.requestor.smb.credentials import Credentials
from fsrvpd.requestor.state.files import StateFiles
from lab import Lab
from lab.accounts import ROOT as USER
from tests.paths import ROOT

Answer = Mapping[str, Any]
ONE_AT_A_TIME = threading.Lock()  # servers are called in threads side by side


class Session:
    """The test's end."""

    def __init__(self, client: Lab, name: str = "state") -> None:
        self.state = client.directory / name
        argv = [sys.executable, "-m", "tests.requestor.session", self.state]
        self._process = client.converse(["env", f"PYTHONPATH={ROOT}", *argv])
        self.last: Answer = {}

    def order(self, do: str, **fields: Any) -> Iterator[Answer]:
        """Give an order. Yields each call that is about to be made; the test may then say `die`
        or what the servers are to suffer. At the end `last` has the outcome."""
        self._send({"do": do, **fields})
        self.last = {}
        while "ended" not in self.last:
            line = self._read()
            if "call" in line:
                self._word = "go"
                yield line
                self._send(self._word)
            else:
                self.last = {**self.last, **line}

    def die(self, *, sent: bool = False) -> None:
        """Let the child be killed before or during the call that `order` has yielded."""
        self._word = "die sent" if sent else "die"

    def do(self, do: str, **fields: Any) -> Answer:
        """Give an order and let it run."""
        for _ in self.order(do, **fields):
            pass
        return self.last

    def files(self) -> list[Path]:
        """What is on disk of the requestor's state."""
        return [path for path in self.state.rglob("*") if path.is_file()]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    def _send(self, what: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def _read(self) -> Answer:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the session has ended"
        answer: Answer = json.loads(line)
        return answer


class LedConnector:
    """Connects as usual, and lets the test decide before each call."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    def connect(self, host: str, *, deadline: Optional[float] = None) -> AgentConnection:
        return LedConnection(self._connector.connect(host, deadline=deadline))


class LedConnection:
    def __init__(self, connection: AgentConnection) -> None:
        self._connection = connection
        self.host = connection.host
        self.proved_names = connection.proved_names
        self.uses_kerberos = connection.uses_kerberos

    def call(self, request: m.Request, timeout: float = 180.0) -> m.Response:
        with ONE_AT_A_TIME:
            _say({"call": type(request).__name__, "host": self.host})
            word = json.loads(sys.stdin.readline())
        if word == "die":
            _die()
        if word == "die sent":
            _die_when_sent()
        return self._connection.call(request, timeout)

    def has_share(self, name: str) -> bool:
        return self._connection.has_share(name)

    def close(self) -> None:
        self._connection.close()


def _say(what: Answer) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _die(*ignored: object, **also: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_when_sent() -> None:
    from fsrvpd.requestor.smb.connection import StrictConnection

    StrictConnection.read_bytes = _die  # type: ignore[method-assign, assignment]


def create(requestor: Requestor, order: Answer) -> Answer:
    shares: Sequence[str] = order["shares"]
    created = requestor.create(shares, **order.get("options", {}))
    found = {
        "set": created.id,
        "copies": [copy.unc for copy in created.copies],
        "skew": created.skew,
        "window": created.window,
    }
    if order.get("delete"):
        created.delete()
    return found


def delete(requestor: Requestor, order: Answer) -> Answer:
    requestor.delete(parse_guid(order["set"]))
    return {}


def delete_unrecorded(requestor: Requestor, order: Answer) -> Answer:
    requestor.delete_unrecorded(order["share"], parse_guid(order["set"]), parse_guid(order["copy"]))
    return {}


def clean(requestor: Requestor, order: Answer) -> Answer:
    cleaning = requestor.clean()
    return {
        "removed": len(cleaning.removed),
        "kept": len(cleaning.kept),
        "left": [str(left.error) for left in cleaning.left],
    }


def records(requestor: Requestor, order: Answer) -> Answer:
    found = requestor.records()
    copies = [(record, copy) for record in found for copy in record.copies]
    return {
        "states": [record.state.value for record in found],
        "copies": [
            {
                "server_set": _plain(record.server_set_id or b""),
                "copy": _plain(copy.copy_id),
            }
            for record, copy in copies
        ],
    }


def _plain(guid: bytes) -> str:
    """As rpcclient prints and reads it."""
    return format_guid(guid).strip("{}").lower()


ORDERS: Mapping[str, Callable[[Requestor, Answer], Answer]] = {
    each.__name__: each for each in (create, delete, delete_unrecorded, clean, records)
}


def carry_out(state: Path, order: Answer) -> None:
    connector: Connector = SmbConnector(
        Credentials(USER.name, USER.password),
        sleep=lambda seconds: time.sleep(seconds / 10),  # an agent that is gone does not return
    )
    if order.get("led", True):
        connector = LedConnector(connector)
    store = StateFiles(state, lambda text: print(text, file=sys.stderr))
    try:
        outcome = ORDERS[order["do"]](Requestor(connector, store, Names(SystemLookUp())), order)
    except RequestorError as error:
        outcome = {"error": str(error), "exit_status": error.exit_status, "result": error.result}
    _say({"outcome": order["do"], **outcome})


def main(state: Path) -> None:
    for line in iter(sys.stdin.readline, ""):
        order = json.loads(line)
        if not isinstance(order, dict):
            continue  # the word to a thread that was killed with its process
        pid = os.fork()
        if not pid:
            carry_out(state, order)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        _say({"ended": os.waitstatus_to_exitcode(status)})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
