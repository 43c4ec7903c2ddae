"""`fsrvpd:shared volumes`: several shares of a volume mapped onto one snapshot."""

from __future__ import annotations

import pytest

from fsrvpd.core import messages as m
from fsrvpd.core.messages import format_guid
from fsrvpd.protocol.actions import Expose
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import MappedShare, ShadowCopy, Status
from fsrvpd.protocol.ports import Share, SharePlace, Snapshot
from tests.unit.protocol.driver import Client, Server, guid, unc

EXISTS = HResult.FSRVP_E_OBJECT_ALREADY_EXISTS


def place(
    share: str, directory: str, root: str = "/pool", whole: bool = True, keep: str = "no"
) -> SharePlace:
    definition = Share(share, directory, from_registry=False, options={"keep": keep})
    return SharePlace(definition, "pool", root, "btrfs", directory, whole)


@pytest.fixture
def client() -> Client:
    return Client(Server(shared_volumes=True)).reach(Status.STARTED)


def add(client: Client, where: SharePlace) -> m.GuidResponse:
    name = where.share.name
    response = client.ask(m.AddToShadowCopySet(guid(2), client.set_id, unc(name)), where)
    assert isinstance(response, m.GuidResponse)
    if not response.result:
        client.copy_ids[name] = response.guid
    return response


def expose(client: Client) -> dict[str, str]:
    """The paths that are exposed, by base share."""
    assert client.prepare() == client.commit() == HResult.ZERO
    client.send(m.ExposeShadowCopySet(client.set_id, 1000))
    job = client.server.job
    assert isinstance(job, Expose)
    client.server.finish()
    return {share.base: share.path for share in job.shares}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/pool/data", "/pool/home"),
        ("/pool", "/pool/home"),
        ("/pool/home", "/pool"),
        ("/pool/a", "/pool/a/b/c"),
        ("/pool/a", "/pool/a"),
    ],
)
def test_both_shares_get_their_own_directory_in_one_snapshot(
    client: Client, first: str, second: str
) -> None:
    one, two = add(client, place("one", first)), add(client, place("two", second))
    assert one.result == two.result == HResult.ZERO
    assert one.guid == two.guid
    paths = expose(client)
    ((key, snapshot),) = client.server.disk.items()
    assert key == format_guid(one.guid)
    expected = {"one": snapshot.root + first[5:], "two": snapshot.root + second[5:]}
    assert paths == expected
    assert client.server.shares == {f"one@{key}", f"two@{key}"}


def test_a_volume_at_the_root_of_all_is_one_too(client: Client) -> None:
    add(client, place("one", "/srv/a", root="/"))
    add(client, place("two", "/srv/b", root="/"))
    paths = expose(client)
    assert paths["two"] == paths["one"][:-1] + "b"


@pytest.mark.spec("3.1.4.12-8")
def test_the_snapshot_dies_with_its_last_mapping(client: Client) -> None:
    add(client, place("one", "/pool/one"))
    add(client, place("two", "/pool/two"))
    expose(client)
    assert client.recovery_complete() == HResult.ZERO
    assert client.mapping("one").result == client.mapping("two").result == HResult.ZERO
    assert client.delete("one") == HResult.ZERO
    assert len(client.server.disk) == len(client.server.shares) == 1
    assert client.server.agent.table.has_shadow_copy("pool")
    assert client.mapping("one").result == HResult.E_INVALIDARG
    assert client.delete("one") == HResult.FSRVP_E_OBJECT_NOT_FOUND
    assert client.delete("two") == HResult.ZERO
    assert client.server.is_clean()


@pytest.mark.parametrize("first", ["one", "two"])
def test_it_is_kept_when_one_of_its_shares_wants_that(client: Client, first: str) -> None:
    add(client, place("one", "/pool/one", keep="yes"))
    add(client, place("two", "/pool/two"))
    expose(client)
    client.recovery_complete()
    second = "two" if first == "one" else "one"
    assert client.delete(first) == client.delete(second) == HResult.ZERO
    assert client.server.disk
    assert not client.server.store


@pytest.mark.spec("3.1.4.4-6")
def test_the_same_share_twice_still_exists_already(client: Client) -> None:
    add(client, place("one", "/pool/one"))
    assert add(client, place("ONE", "/pool/one")).result == EXISTS
    assert client.server.timer() == 180


@pytest.mark.parametrize(
    "second",
    [
        place("two", "/pool/two", whole=False),
        place("two", "/elsewhere/two", root="/elsewhere"),
        place("two", "/pool-2/two"),
        place("two", "/"),
    ],
    ids=["a tree of its own", "another mount of it", "beside the volume", "above the volume"],
)
def test_what_the_snapshot_does_not_hold_is_not_mapped_to_it(
    client: Client, second: SharePlace
) -> None:
    add(client, place("one", "/pool/one"))
    before = client.server.store[client.set_id]
    assert add(client, second).result == EXISTS
    assert client.server.store[client.set_id] == before


def test_a_copy_of_one_tree_takes_no_second_share(client: Client) -> None:
    add(client, place("one", "/pool/one", whole=False))
    assert add(client, place("two", "/pool/two")).result == EXISTS


@pytest.mark.spec("3.1.4.4-6")
def test_without_the_setting_the_document_rules(server: Server) -> None:
    client = Client(server).reach(Status.STARTED)
    add(client, place("one", "/pool/one"))
    assert add(client, place("two", "/pool/two")).result == EXISTS


def test_both_mappings_survive_a_restart(client: Client) -> None:
    add(client, place("one", "/pool/one"))
    add(client, place("two", "/pool/two"))
    assert client.prepare() == client.commit() == HResult.ZERO
    client.server.restart()
    client.send(m.ExposeShadowCopySet(client.set_id, 1000))
    job = client.server.job
    assert isinstance(job, Expose)
    assert [share.path.rpartition("/")[2] for share in job.shares] == ["one", "two"]


def test_of_its_own_share_the_snapshot_knows_the_path_best() -> None:
    """A clone of a tree does not stand where the tree stands in its volume."""
    copy = ShadowCopy(guid(1), place("one", "/pool/a/b", whole=False), 0)
    snapshot = Snapshot("reflink", "pool", "/pool/.s/1", "/pool/.s/1/tree", 0.0)
    mapped = MappedShare(unc("one"), "one", "/pool/a/b")
    assert copy.path_of(mapped, snapshot) == "/pool/.s/1/tree"
