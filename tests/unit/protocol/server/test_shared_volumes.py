"""`fsrvpd:shared volumes`: several shares of a volume mapped onto one snapshot."""

from __future__ import annotations

import pytest

from fsrvpd.core import messages as m
from fsrvpd.core.messages import format_guid
from fsrvpd.protocol.actions import Expose, Remove
from fsrvpd.protocol.exports import Export
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import Status
from fsrvpd.protocol.ports import Share, ShareLocation
from tests.unit.protocol.server.driver import Client, Server, guid, unc

EXISTS = HResult.FSRVP_E_OBJECT_ALREADY_EXISTS


def location(
    share: str, directory: str, root: str = "/pool", whole: bool = True, keep: str = "no"
) -> ShareLocation:
    definition = Share(share, directory, from_registry=False, options={"keep": keep})
    return ShareLocation(definition, "pool", root, "btrfs", directory, whole)


@pytest.fixture
def client() -> Client:
    return Client(Server(shared_volumes=True)).reach(Status.STARTED)


def add(client: Client, where: ShareLocation) -> m.GuidResponse:
    name = where.share.name
    response = client.ask(m.AddToShadowCopySet(guid(2), client.set_id, unc(name)), where)
    assert isinstance(response, m.GuidResponse)
    if not response.result:
        client.copy_ids[name] = response.guid
    return response


def expose(client: Client) -> dict[str, Export]:
    """What is exposed, by base share."""
    assert client.prepare() == client.commit() == HResult.ZERO
    client.send(m.ExposeShadowCopySet(client.set_id, 1000))
    job = client.server.job
    assert isinstance(job, Expose)
    client.server.finish()
    assert [share.path for share in job.shares] == [each.mount_point for each in job.exports]
    return {export.share: export for export in job.exports}


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
    one, two = add(client, location("one", first)), add(client, location("two", second))
    assert one.result == two.result == HResult.ZERO
    assert one.guid == two.guid
    exports = expose(client)
    ((key, snapshot),) = client.server.disk.items()
    assert key == format_guid(one.guid)
    assert {each.snapshot for each in exports.values()} == {snapshot}
    assert exports["one"].path == first[6:]
    assert exports["two"].path == second[6:]
    assert exports["one"].mount_point != exports["two"].mount_point
    assert client.server.shares == {f"one@{key}", f"two@{key}"}


def test_a_volume_at_the_root_of_all_is_one_too(client: Client) -> None:
    add(client, location("one", "/srv/a", root="/"))
    add(client, location("two", "/srv/b", root="/"))
    exports = expose(client)
    assert [each.path for each in exports.values()] == ["srv/a", "srv/b"]


@pytest.mark.spec("3.1.4.12-8")
def test_the_snapshot_dies_with_its_last_mapping(client: Client) -> None:
    add(client, location("one", "/pool/one"))
    add(client, location("two", "/pool/two"))
    expose(client)
    assert client.recovery_complete() == HResult.ZERO
    assert client.mapping("one").result == client.mapping("two").result == HResult.ZERO
    assert client.delete("one") == HResult.ZERO
    assert len(client.server.disk) == len(client.server.shares) == 1
    assert client.server.table.has_shadow_copy("pool")
    assert client.mapping("one").result == HResult.E_INVALIDARG
    assert client.delete("one") == HResult.FSRVP_E_OBJECT_NOT_FOUND
    assert client.delete("two") == HResult.ZERO
    assert client.server.is_clean()


@pytest.mark.parametrize(("first", "second"), [("yes", "no"), ("no", "yes"), ("yes", "yes")])
def test_a_copy_to_keep_is_of_one_share(client: Client, first: str, second: str) -> None:
    """Its marker names one share, whose options would delete what is the other's only copy."""
    assert add(client, location("one", "/pool/one", keep=first)).result == HResult.ZERO
    before = client.document()
    assert add(client, location("two", "/pool/two", keep=second)).result == EXISTS
    assert client.document() == before


@pytest.mark.spec("3.1.4.4-6")
def test_the_same_share_twice_still_exists_already(client: Client) -> None:
    add(client, location("one", "/pool/one"))
    assert add(client, location("ONE", "/pool/one")).result == EXISTS
    assert client.server.timer() == 180


@pytest.mark.parametrize(
    "second",
    [
        location("two", "/pool/two", whole=False),
        location("two", "/elsewhere/two", root="/elsewhere"),
        location("two", "/pool-2/two"),
        location("two", "/"),
    ],
    ids=["a tree of its own", "another mount of it", "beside the volume", "above the volume"],
)
def test_what_the_snapshot_does_not_hold_is_not_mapped_to_it(
    client: Client, second: ShareLocation
) -> None:
    add(client, location("one", "/pool/one"))
    before = client.document()
    assert add(client, second).result == EXISTS
    assert client.document() == before


def test_a_copy_of_one_tree_takes_no_second_share(client: Client) -> None:
    add(client, location("one", "/pool/one", whole=False))
    assert add(client, location("two", "/pool/two")).result == EXISTS


@pytest.mark.spec("3.1.4.4-6")
def test_without_the_setting_the_document_rules(server: Server) -> None:
    client = Client(server).reach(Status.STARTED)
    add(client, location("one", "/pool/one"))
    assert add(client, location("two", "/pool/two")).result == EXISTS


def test_both_mappings_survive_a_restart(client: Client) -> None:
    add(client, location("one", "/pool/one"))
    add(client, location("two", "/pool/two"))
    assert client.prepare() == client.commit() == HResult.ZERO
    client.server.restart()
    client.server.finish_all()
    client.send(m.ExposeShadowCopySet(client.set_id, 1000))
    job = client.server.job
    assert isinstance(job, Expose)
    assert [export.path for export in job.exports] == ["one", "two"]


def test_the_last_export_goes_with_the_snapshot_and_another_with_its_mapping(
    client: Client,
) -> None:
    add(client, location("one", "/pool/one"))
    add(client, location("two", "/pool/two"))
    exports = expose(client)
    client.recovery_complete()
    client.send(m.DeleteShareMapping(client.set_id, client.copy_ids["one"], unc("one")))
    job = client.server.job
    assert isinstance(job, Remove)
    assert [(job.exports, job.snapshots)] == [([exports["one"]], [])]


def test_a_kept_snapshot_stays_exported_for_the_share_that_its_marker_names(
    client: Client,
) -> None:
    """As `keep-set` does it."""
    add(client, location("one", "/pool/one"))
    add(client, location("two", "/pool/two"))
    exports = expose(client)
    client.recovery_complete()
    client.server.agent.keep_set(client.set_id, client.server.now)
    removed = []
    for share in ("one", "two"):
        client.send(m.DeleteShareMapping(client.set_id, client.copy_ids[share], unc(share)))
        job = client.server.job
        assert isinstance(job, Remove)
        removed += job.exports
        client.server.finish()
    assert removed == [exports["two"]]


def test_the_servers_own_admin_needs_no_option() -> None:
    server = Server(shared_volumes=False)
    for address, result in (("local/1", HResult.ZERO), ("10.0.0.1", EXISTS)):
        client = Client(server, address).reach(Status.STARTED)
        assert add(client, location("data", "/pool/data")).result == HResult.ZERO
        assert add(client, location("home", "/pool/home")).result == result
