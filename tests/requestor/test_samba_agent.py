"""Samba's own agent as the server: rounds of sets, and turns with rpcclient."""

from __future__ import annotations

from typing import Iterator, NamedTuple

import pytest

from lab import fss
from tests.interop.nas import TORTURE_SHARE
from tests.interop.test_torture import RESULT
from tests.requestor.file_servers import FileServer, open_network
from tests.requestor.session import Answer, Session

ROUNDS = 20
TIMEOUT = "1"  # s: the suite sleeps this long for each timer that it tests


class Scene(NamedTuple):
    server: FileServer
    session: Session

    def create(self, **options: object) -> Answer:
        shares = [self.server.unc(TORTURE_SHARE)]
        created = self.session.do("create", shares=shares, options=options, led=False)
        assert created.get("error") is None
        return created

    def suite(self) -> dict[str, str]:
        done = self.server.samba.smbtorture("rpc.fsrvp", f"--option=fss:sequence timeout={TIMEOUT}")
        return {test: result for result, test in RESULT.findall(done.stdout)}

    def assert_agent(self) -> None:
        """It is Samba's agent that answers, and no other."""
        argv = [argv[0] for argv in self.server.lab.processes().values()]
        assert any(each.endswith("rpcd_fsrvp") for each in argv)
        assert not any("fsrvpd" in each for each in argv)


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    options = {"fss:sequence timeout": TIMEOUT}
    with open_network([TORTURE_SHARE], options=options, own_agent=True) as network:
        session = Session(network.client)
        yield Scene(network.servers[0], session)
        session.close()


def test_a_commit_that_is_undone_leaves_nothing(scene: Scene) -> None:
    """Samba's agent answers zero to the abort of a committed set, and keeps it."""
    order = scene.session.order("create", shares=[scene.server.unc(TORTURE_SHARE)])
    for call in order:
        if call["call"] == "ExposeShadowCopySet":
            scene.session.die()
    assert scene.session.last == {"ended": -9}
    assert scene.server.snapshots() != []
    assert scene.session.do("clean", led=False)["left"] == []
    scene.server.assert_nothing_is_left()
    assert scene.session.files() == []


def test_rpcclient_deletes_what_fsrvpshadow_made(scene: Scene) -> None:
    created = scene.create(keep=True)
    [made] = scene.session.do("records")["copies"]
    copy = fss.ShadowCopy(made["server_set"], made["copy"], TORTURE_SHARE, "")
    fss.delete(scene.server.samba, copy)
    assert scene.server.shadow_shares() == []
    deleted = scene.session.do("delete", set=created["set"], led=False)
    assert deleted == {"outcome": "delete", "ended": 0}
    assert scene.session.files() == []


def test_fsrvpshadow_deletes_what_rpcclient_made(scene: Scene) -> None:
    [copy] = fss.create_expose(scene.server.samba, TORTURE_SHARE)
    share = scene.server.unc(TORTURE_SHARE)
    fields = {"share": share, "set": copy.set_id, "copy": copy.copy_id}
    assert scene.session.do("delete_unrecorded", led=False, **fields)["ended"] == 0
    scene.server.assert_nothing_is_left()
    again = scene.session.do("delete_unrecorded", led=False, **fields)
    assert "has no copy" in again["error"]


def test_the_suite_gives_the_same_before_and_after(scene: Scene) -> None:
    """The suite itself leaves a snapshot, or more."""
    before, left = scene.suite(), scene.server.snapshots()
    assert "success" in before.values()
    for number in range(ROUNDS):
        created = scene.create()
        scene.assert_agent()
        name = created["copies"][0].rpartition("\\")[2]
        assert scene.server.samba.read(name, "file.txt") == f"{TORTURE_SHARE}\n"
        deleted = scene.session.do("delete", set=created["set"], led=False)
        assert deleted == {"outcome": "delete", "ended": 0}, number
        assert scene.server.shadow_shares() == []
    assert scene.server.snapshots() == left
    assert scene.session.files() == []
    assert scene.suite() == before
