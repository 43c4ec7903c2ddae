"""A set over three shares of two servers: at one moment, or nowhere."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Iterator, NamedTuple

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from lab.accounts import ROOT as USER
from lab.namespaces import wait_until
from tests.paths import ROOT
from tests.requestor.file_servers import DIALECTS, FileServer, Network, open_network
from tests.requestor.session import Answer, Session

EXAMPLE = ROOT / "examples" / "requestor.py"
CREATION = [8, 0, 1, 2, 3, 12, 4, 5, 10, 6]


class Scene(NamedTuple):
    network: Network
    session: Session

    @property
    def shares(self) -> list[str]:
        first, second = self.network.servers
        return [first.unc("data"), first.unc("more"), second.unc("vault")]

    def create(self, at: str = "", happens: Callable[[FileServer], None] = print) -> Answer:
        """Create the set. `happens` to the second server before its first call `at`."""
        second, due = self.network.servers[1], True
        for call in self.session.order("create", shares=self.shares):
            if due and call["call"] == at and call["host"] == second.address:
                due = False
                happens(second)
        return self.session.last


@pytest.fixture(scope="module", params=DIALECTS)
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with open_network(["data", "more"], ["vault"], options=DIALECTS[request.param]) as network:
        session = Session(network.client)
        yield Scene(network, session)
        session.close()


def content(network: Network, unc: str) -> str:
    """What a copy has in its file, over SMB."""
    host, share = unc.strip("\\").split("\\")
    [server] = [each for each in network.servers if each.address == host]
    return server.samba.read(share, "file.txt")


def methods(server: FileServer, after: int) -> list[int]:
    """Without the first call of a connection, where the agent has demanded a sealed one."""
    assert server.daemon is not None
    calls = server.daemon.calls()[after:]
    return [call.opnum for call in calls if call.result != HResult.E_ACCESSDENIED]


def test_created_side_by_side_and_deleted_by_a_second_process(scene: Scene) -> None:
    first, second = scene.network.servers
    before = [len(server.nas.daemon.calls()) for server in scene.network.servers]
    created = scene.session.do("create", shares=scene.shares, led=False)
    assert created.get("error") is None
    print(f"skew between commits: {created['skew'] * 1000:.2f} ms")
    read = [content(scene.network, unc) for unc in created["copies"]]
    assert read == ["data\n", "more\n", "vault\n"]
    assert methods(second, before[1]) == CREATION
    assert methods(first, before[0]) == [8, 8, 0, 1, 2, 3, 3, 12, 4, 5, 10, 10, 6]
    assert scene.session.do("delete", set=created["set"])["ended"] == 0
    assert methods(first, before[0])[-3:] == [0, 11, 11]
    scene.network.assert_nothing_is_left()
    assert scene.session.files() == []


def make_unavailable(server: FileServer) -> None:
    [share] = [each for each in server.samba._shares.values() if each.name == "vault"]
    server.samba.set_share(share._replace(options={**share.options, "available": "no"}))
    server.samba.reload()


def make_available(server: FileServer) -> None:
    [share] = [each for each in server.samba._shares.values() if each.name == "vault"]
    options = {name: value for name, value in share.options.items() if name != "available"}
    server.samba.set_share(share._replace(options=options))
    server.samba.reload()


def make_read_only(server: FileServer) -> None:
    server.set_read_only("vault", True)


def make_empty_and_read_only(server: FileServer) -> None:
    """Prepare makes fsrvpd's directory where there is none."""
    server.lab.run(["rm", "-rf", server.volumes["vault"] / "root" / ".fsrvpd"])
    make_read_only(server)


def make_writable(server: FileServer) -> None:
    server.set_read_only("vault", False)


@pytest.mark.parametrize(
    ("at", "happens", "repair"),
    [
        (Opnum.AddToShadowCopySet, make_unavailable, make_available),
        (Opnum.PrepareShadowCopySet, make_empty_and_read_only, make_writable),
        (Opnum.CommitShadowCopySet, make_read_only, make_writable),
    ],
)
def test_a_refusal_of_one_server_empties_both(
    scene: Scene,
    at: Opnum,
    happens: Callable[[FileServer], None],
    repair: Callable[[FileServer], None],
) -> None:
    second = scene.network.servers[1]
    try:
        refused = scene.create(at.name, happens)
    finally:
        repair(second)
    assert refused["exit_status"] == 1
    assert second.address in refused["error"]
    assert at.name in refused["error"]
    assert refused["error"].isprintable()
    scene.network.assert_nothing_is_left()
    assert scene.session.files() == []


@pytest.mark.parametrize(
    "at",
    [
        Opnum.StartShadowCopySet,
        Opnum.PrepareShadowCopySet,
        Opnum.CommitShadowCopySet,
        Opnum.ExposeShadowCopySet,
        Opnum.RecoveryCompleteShadowCopySet,
    ],
)
def test_a_server_that_is_killed_and_returns_empties_both(scene: Scene, at: Opnum) -> None:
    """The daemon comes back, as systemd does it. If all is exposed the set may still come true."""

    def kill(server: FileServer) -> None:
        assert server.daemon is not None
        server.daemon.kill()
        server.daemon.start()

    outcome = scene.create(at.name, kill)
    if "set" in outcome:
        assert at is Opnum.RecoveryCompleteShadowCopySet
        scene.session.do("delete", set=outcome["set"])
    else:
        assert outcome["exit_status"] == 1
        assert scene.network.servers[1].address in outcome["error"]
    scene.network.assert_nothing_is_left()
    assert scene.session.files() == []


def restart(server: FileServer) -> None:
    """As an update does it, which the agent survives with its sets, or not."""
    assert server.daemon is not None
    server.daemon.restart()


def reboot(server: FileServer) -> None:
    assert server.daemon is not None
    server.samba.stop()
    server.daemon.kill()
    server.samba.start()
    server.daemon.start()


@pytest.mark.parametrize("happens", [restart, reboot])
def test_a_server_that_restarts_between_commit_and_expose(
    scene: Scene, happens: Callable[[FileServer], None]
) -> None:
    outcome = scene.create(Opnum.ExposeShadowCopySet.name, happens)
    assert outcome["exit_status"] == 1
    assert scene.network.servers[1].address in outcome["error"]
    scene.network.assert_nothing_is_left()
    assert scene.session.files() == []


def test_a_server_that_goes_is_cleaned_when_it_is_back(scene: Scene) -> None:
    second = scene.network.servers[1]
    assert second.daemon is not None
    gone = scene.create(Opnum.ExposeShadowCopySet.name, lambda server: server.daemon.kill())
    assert gone["exit_status"] == 5
    assert second.address in gone["error"]
    assert "fsrvpshadow clean" in gone["error"]
    assert len(scene.session.files()) == 1
    second.daemon.start()
    assert scene.session.do("clean")["removed"] == 1
    scene.network.assert_nothing_is_left()
    assert scene.session.files() == []


def test_the_example_of_the_library(scene: Scene) -> None:
    client = scene.network.client
    client.run(["mount", "-t", "tmpfs", "tmpfs", "/var/lib"])  # the state of root is kept there
    credentials = client.directory / "credentials"
    credentials.touch(0o600)
    credentials.write_text(f"username = {USER.name}\npassword = {USER.password}\n")
    argv = [sys.executable, EXAMPLE, credentials, *scene.shares]
    printed = client.run(argv, environment={"PYTHONPATH": str(ROOT)}).stdout.splitlines()
    assert [line.split(" is at ")[0] for line in printed] == scene.shares
    scene.network.assert_nothing_is_left()


def test_two_jobs_of_one_host_create_in_turn(scene: Scene) -> None:
    """The second one's SetContext would drop the first one's set: the agent takes it for the same
    client that begins again."""
    first, other = scene.network.servers[0], Session(scene.network.client)
    before = len(first.nas.daemon.calls())

    def count(opnum: Opnum) -> int:
        return methods(first, before).count(opnum)

    with ThreadPoolExecutor(1) as executor:
        for call in scene.session.order("create", shares=[first.unc("data")], delete=True):
            if call["call"] == Opnum.CommitShadowCopySet.name:
                order = {"shares": [first.unc("more")], "delete": True, "led": False}
                waiting = executor.submit(other.do, "create", **order)
                wait_until("the other one is there", lambda: count(Opnum.IsPathSupported) == 2)
                assert count(Opnum.SetContext) == 1
        assert "error" not in scene.session.last
        assert "error" not in waiting.result(60)
    assert count(Opnum.SetContext) == 2
    other.close()
    scene.network.assert_nothing_is_left()
