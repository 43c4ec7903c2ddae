"""Servers that refuse, hang, vanish or demand more: one line each, and no connection is left."""

from __future__ import annotations

import logging
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, Mapping, NamedTuple, Optional, Type, TypeVar

import pytest

from fsrvpd.core import messages
from fsrvpd.core.messages import new_guid
from fsrvpd.protocol.hresult import HResult
from fsrvpd.requestor.errors import AccessRefused, Disconnected, NoAgent, RequestorError
from fsrvpd.requestor.ports import AgentConnection
from fsrvpd.requestor.smb.connector import PIPE_RETRIES, SmbConnector
from fsrvpd.requestor.smb.credentials import Credentials
from lab import FsrvpdProcess
from lab.accounts import ROOT
from tests.requestor.file_servers import DIALECTS, FileServer, open_network
from tests.requestor.test_agent_connection import CREDENTIALS, create, delete

Result = TypeVar("Result")
VERSION = messages.GetSupportedVersion()


class Host(NamedTuple):
    server: FileServer
    daemon: FsrvpdProcess
    thread: ThreadPoolExecutor
    dialect: Mapping[str, str]

    @property
    def unc(self) -> str:
        return self.server.unc("data") + "\\"

    def run(self, function: Callable[[], Result]) -> Result:
        return self.thread.submit(function).result(120)

    def connect(self, credentials: Credentials = CREDENTIALS, **options: bool) -> AgentConnection:
        connector = SmbConnector(credentials, **options)
        return self.run(lambda: connector.connect(self.server.address))

    @contextmanager
    def options(self, **values: str) -> Iterator[None]:
        """Run with other options of smb.conf, of smbd and of the agent."""
        named = {
            name.replace("_", " ").replace("fsrvpd ", "fsrvpd:"): values[name] for name in values
        }
        for name, value in named.items():
            self.server.samba.set_option(name, value)
        self.server.samba.reload()
        self.daemon.restart()
        try:
            yield
        finally:
            for name in named:
                self.server.samba.set_option(name, self.dialect.get(name))
            self.server.samba.reload()
            self.daemon.restart()


@pytest.fixture(scope="module", params=DIALECTS)
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    options = DIALECTS[request.param]
    with open_network(["data"], options=options) as network, network.client.network() as thread:
        daemon = network.servers[0].daemon
        assert daemon is not None
        yield Host(network.servers[0], daemon, thread, options)


def refusal(
    host: Host, kind: Type[RequestorError], function: Callable[[], object]
) -> RequestorError:
    with pytest.raises(RequestorError) as caught:
        function()
    assert type(caught.value) is kind
    assert str(caught.value).isprintable()
    assert host.server.address in caught.value.object
    assert_no_connection_is_left(host)
    return caught.value


def assert_no_connection_is_left(host: Host) -> None:
    listed = host.server.lab.run(["ss", "-Htn", "state", "established", "sport", "=", ":445"])
    assert listed.stdout == ""


def whole(host: Host, *, encrypt: bool = False) -> None:
    connection = host.connect(encrypt=encrypt)
    try:
        made = host.run(lambda: create(connection, host.unc))  # type: ignore[arg-type]
        host.run(lambda: delete(connection, host.unc, made))  # type: ignore[arg-type]
    finally:
        host.run(connection.close)
    host.server.assert_nothing_is_left()


def test_a_server_that_demands_encryption(host: Host) -> None:
    with host.options(server_smb_encrypt="required"):
        whole(host)


def test_an_agent_that_demands_privacy_at_rpc_level(host: Host) -> None:
    with host.options(**{"fsrvpd_require rpc privacy": "yes"}):
        whole(host)


def test_an_agent_that_demands_integrity_at_rpc_level(host: Host) -> None:
    with host.options(**{"fsrvpd_require rpc integrity": "yes"}):
        whole(host)


def test_a_server_without_signing_is_signed_with(host: Host) -> None:
    with host.options(server_signing="disabled"):
        whole(host)


@pytest.mark.parametrize("credentials", [Credentials("root", "wrong"), Credentials("nobody9", "x")])
def test_a_wrong_password(host: Host, credentials: Credentials) -> None:
    """An unknown user becomes a guest in this Samba, who cannot sign."""
    error = refusal(host, AccessRefused, lambda: host.connect(credentials))
    assert credentials.user in str(error)
    assert "wrong" not in str(error).replace("the password is wrong", "")


def test_a_user_without_the_right_is_told_by_every_method(host: Host) -> None:
    user = host.server.samba.add_user("clerk")
    connection = host.connect(Credentials(user.name, user.password))
    try:
        for _ in range(2):
            assert host.run(lambda: connection.call(VERSION)).result == HResult.E_ACCESSDENIED
    finally:
        host.run(connection.close)


def test_a_share_that_is_not_there(host: Host) -> None:
    session = host.run(lambda: SmbConnector(CREDENTIALS).log_in(host.server.address))
    try:
        with pytest.raises(RequestorError, match="there is no such share") as caught:
            host.run(lambda: session.tree("nosuch"))
    finally:
        host.run(session.close)
    assert caught.value.object == host.server.unc("nosuch")


def test_a_server_without_an_agent_is_asked_again(host: Host) -> None:
    pauses: list[float] = []
    connector = SmbConnector(CREDENTIALS, sleep=pauses.append)
    host.daemon.stop()
    try:
        error = refusal(
            host, NoAgent, lambda: host.run(lambda: connector.connect(host.server.address))
        )
    finally:
        host.daemon.start()
    assert pauses == [1.0] * PIPE_RETRIES
    assert "no agent of MS-FSRVP" in str(error)


def test_an_agent_that_starts_late(host: Host) -> None:
    """As Windows', which starts when somebody asks for its pipe."""

    def start(pause: float) -> None:
        host.daemon.start()

    host.daemon.stop()
    connector = SmbConnector(CREDENTIALS, sleep=start)
    connection = host.run(lambda: connector.connect(host.server.address))
    assert host.run(lambda: connection.call(VERSION)).result == 0
    host.run(connection.close)


def test_no_server_at_the_address(host: Host) -> None:
    with pytest.raises(Disconnected, match="cannot be reached") as caught:
        host.run(lambda: SmbConnector(CREDENTIALS).connect("127.0.0.77"))
    assert caught.value.object == "127.0.0.77"


def test_a_name_that_nobody_knows(host: Host) -> None:
    with pytest.raises(Disconnected, match="cannot be reached"):
        host.run(lambda: SmbConnector(CREDENTIALS).connect("nosuch.invalid"))


def test_an_agent_that_hangs(host: Host) -> None:
    connection = host.connect()
    host.run(lambda: connection.call(VERSION))
    with stopped(host.daemon.pid):
        error = refusal(
            host, Disconnected, lambda: host.run(lambda: connection.call(VERSION, timeout=0.5))
        )
    assert "GetSupportedVersion: the answer did not come in time" in str(error)
    with pytest.raises(Disconnected, match="closed"):
        host.run(lambda: connection.call(VERSION))


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """nsenter stops with its child, and continues it when it is continued itself."""
    entrance = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
        os.kill(entrance, signal.SIGCONT)


@pytest.mark.parametrize("victim", ["agent", "smbd"])
def test_what_is_killed_in_the_middle(host: Host, victim: str) -> None:
    connection = host.connect()
    host.run(lambda: connection.call(messages.SetContext(0)))
    host.run(lambda: connection.call(messages.StartShadowCopySet(new_guid())))
    if victim == "agent":
        host.daemon.kill()
    else:
        kill_smbd_of_the_session(host)
    try:
        error = refusal(host, Disconnected, lambda: host.run(lambda: connection.call(VERSION)))
    finally:
        if victim == "agent":
            host.daemon.start()
    assert "GetSupportedVersion" in str(error)
    again = host.connect()
    assert host.run(lambda: again.call(VERSION)).result == 0
    host.run(again.close)


def kill_smbd_of_the_session(host: Host) -> None:
    listed = host.server.lab.run(
        ["ss", "-Htnp", "state", "established", "sport", "=", ":445"]
    ).stdout
    pid = listed.partition("pid=")[2].partition(",")[0]
    host.server.lab.run(["kill", "-9", pid])


@pytest.mark.parametrize("name", ["\\\\x\\" + "y" * 2000, "\\\\x\\\0"], ids=["long", "NUL"])
def test_a_name_that_cannot_be_sent(host: Host, name: str) -> None:
    connection = host.connect()
    try:
        with pytest.raises(RequestorError, match="cannot be sent"):
            host.run(lambda: connection.call(messages.IsPathSupported(name)))
        assert host.run(lambda: connection.call(VERSION)).result == 0
    finally:
        host.run(connection.close)


def test_no_secret_is_logged(
    host: Host, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """With everything that the libraries would log, and in what is printed without that."""
    whole(host)
    assert capfd.readouterr().err == ""
    with caplog.at_level(logging.DEBUG):
        whole(host)
        secret: Optional[str] = ROOT.password
        with pytest.raises(AccessRefused):
            host.connect(Credentials("root", "Other-secret-1"))
    assert secret not in caplog.text
    assert "Other-secret-1" not in caplog.text
    assert "nt_hash='" not in caplog.text
    assert "step input" not in caplog.text  # the tokens of a login
