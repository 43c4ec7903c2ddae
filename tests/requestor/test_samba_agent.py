"""Samba's own agent as the server, and ours as Windows' is: rounds of sets, and turns with
rpcclient."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, NamedTuple, Optional

import pytest

from lab import Share, fss
from tests.interop.nas import TORTURE_SHARE, previous_versions
from tests.interop.test_torture import RESULT, TESTS
from tests.requestor.file_servers import WINDOWS, FileServer, open_network
from tests.requestor.session import Answer, Session

ROUNDS = 20
TIMEOUT = "1"  # s: the suite sleeps this long for each timer that it tests
TIMED = {"fss:sequence timeout": TIMEOUT}


class Scene(NamedTuple):
    server: FileServer
    session: Session

    @property
    def binding(self) -> str:
        """Of Samba's clients: our agent demands that they seal."""
        return "seal" if self.server.daemon else ""

    def snapshots(self) -> list[str]:
        return self.server.nas.snapshots() if self.server.daemon else self.server.snapshots()

    def create(self, **options: object) -> Answer:
        shares = [self.server.unc(TORTURE_SHARE)]
        created = self.session.do("create", shares=shares, options=options, led=False)
        assert created.get("error") is None
        return created

    def suite(self) -> dict[str, str]:
        timeout = f"--option=fss:sequence timeout={TIMEOUT}"
        with self._timed():
            done = self.server.samba.smbtorture("rpc.fsrvp", timeout, binding=self.binding)
        return {test: result for result, test in RESULT.findall(done.stdout)}

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Samba's agent always is. In ours no timer ends what the suite leaves."""
        if self.server.daemon:
            self._restart_with(TIMEOUT)
        yield
        if self.server.daemon:
            self._restart_with(None)
            for left in self.server.daemon.ask("list-sets"):
                self.server.daemon.ctl("delete-set", left["set"], check=False)
            self.server.assert_nothing_is_left()

    def _restart_with(self, timeout: Optional[str]) -> None:
        [name] = TIMED
        self.server.samba.set_option(name, timeout)
        self.server.nas.daemon.restart()

    def assert_agent(self) -> None:
        """It is the right agent that answers, and no other."""
        programs = {Path(argv[0]).name for argv in self.server.lab.processes().values()}
        assert ("rpcd_fsrvp" in programs) == (self.server.daemon is None)
        if self.server.daemon:
            assert self.server.daemon.calls()[-1].method == "RecoveryCompleteShadowCopySet"


@pytest.fixture(scope="module", params=["samba", "ws2012-privacy"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    own_agent = request.param == "samba"
    options = TIMED if own_agent else WINDOWS
    with open_network([TORTURE_SHARE], options=options, own_agent=own_agent) as network:
        [server] = network.servers
        if not own_agent:
            show_previous_versions(server)
        session = Session(network.client)
        yield Scene(server, session)
        session.close()


def show_previous_versions(server: FileServer) -> None:
    """As Samba's agent and vfs_btrfs do, and the suite expects."""
    path = server.volumes[TORTURE_SHARE] / "root"
    options = previous_versions(server.lab, path, TORTURE_SHARE)
    server.samba.set_share(Share(TORTURE_SHARE, path, options))
    server.samba.reload()


def test_a_commit_that_is_undone_leaves_nothing(scene: Scene) -> None:
    """Samba's agent answers zero to the abort of a committed set, and keeps it."""
    order = scene.session.order("create", shares=[scene.server.unc(TORTURE_SHARE)])
    for call in order:
        if call["call"] == "ExposeShadowCopySet":
            scene.session.die()
    assert scene.session.last == {"ended": -9}
    assert scene.snapshots() != []
    assert scene.session.do("clean", led=False)["left"] == []
    scene.server.assert_nothing_is_left()
    assert scene.session.files() == []


def test_rpcclient_deletes_what_fsrvpshadow_made(scene: Scene) -> None:
    created = scene.create(keep=True)
    [made] = scene.session.do("records")["copies"]
    copy = fss.ShadowCopy(made["server_set"], made["copy"], TORTURE_SHARE, "")
    fss.delete(scene.server.samba, copy, binding=scene.binding)
    assert scene.server.shadow_shares() == []
    deleted = scene.session.do("delete", set=created["set"], led=False)
    assert deleted == {"outcome": "delete", "ended": 0}
    assert scene.session.files() == []


def test_fsrvpshadow_deletes_what_rpcclient_made(scene: Scene) -> None:
    [copy] = fss.create_expose(scene.server.samba, TORTURE_SHARE, binding=scene.binding)
    share = scene.server.unc(TORTURE_SHARE)
    fields = {"share": share, "set": copy.set_id, "copy": copy.copy_id}
    assert scene.session.do("delete_unrecorded", led=False, **fields)["ended"] == 0
    scene.server.assert_nothing_is_left()
    again = scene.session.do("delete_unrecorded", led=False, **fields)
    assert "has no copy" in again["error"]


def test_the_suite_gives_the_same_before_and_after(scene: Scene) -> None:
    """The suite itself leaves a snapshot, or more."""
    before, left = scene.suite(), scene.snapshots()
    if scene.server.daemon:
        assert before == dict.fromkeys(TESTS, "success")
    assert "success" in before.values()
    for number in range(ROUNDS):
        created = scene.create()
        scene.assert_agent()
        name = created["copies"][0].rpartition("\\")[2]
        assert scene.server.samba.read(name, "file.txt") == f"{TORTURE_SHARE}\n"
        deleted = scene.session.do("delete", set=created["set"], led=False)
        assert deleted == {"outcome": "delete", "ended": 0}, number
        assert scene.server.shadow_shares() == []
    assert scene.snapshots() == left
    assert scene.session.files() == []
    assert scene.suite() == before
