"""Orders about mounts, which come from another node."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.cluster.mounts import Action, BadOrder, MountOrder, order_text, read_order
from fsrvpd.protocol.exports import Export
from fsrvpd.protocol.ports import Snapshot

SNAPSHOT = Snapshot("btrfs", "volume", "/d/.fsrvpd/fsrvp-{A}", "/d/.fsrvpd/fsrvp-{A}/x", 1.5)
EXPORT = Export("data", "/d/x\udcff", "x", SNAPSHOT, True, (7, 256), "cafe")
ORDER = MountOrder(Action.MAKE, (EXPORT,), (SNAPSHOT,), (EXPORT.mount_point,))


@pytest.mark.parametrize("action", Action)
def test_what_is_written_is_read(action: Action) -> None:
    order = ORDER._replace(action=action)
    assert read_order(order_text(order)) == order


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_anything_else_is_refused(body: Any) -> None:
    with pytest.raises(BadOrder, match="not an order about mounts"):
        read_order(json.dumps(body))


@pytest.mark.parametrize(
    "mount_point",
    [
        "/etc",
        f"{EXPORT.mount_point}/..",
        EXPORT.mount_point.rpartition("/")[0] + "/..",
        EXPORT.mount_point.rpartition("/")[0] + "/",
        EXPORT.mount_point + "\0",
        7,
    ],
)
def test_only_places_of_copies(mount_point: Any) -> None:
    with pytest.raises(BadOrder):
        read_order(order_text(ORDER._replace(mount_points=(mount_point,))))


@pytest.mark.parametrize("root", ["", "/d/", "/d/..", "/d/.", "relative/.."])
def test_only_snapshots_with_a_name(root: str) -> None:
    export = EXPORT._replace(snapshot=SNAPSHOT._replace(root=root))
    with pytest.raises(BadOrder):
        read_order(order_text(ORDER._replace(exports=(export,))))


@pytest.mark.parametrize("name", ["share", "directory", "path", "identity", "handle", "snapshot"])
def test_every_field_is_checked(name: str) -> None:
    body = json.loads(order_text(ORDER))
    for wrong in ([["x"]], {"a": 1}, "\0" if name != "snapshot" else 1):
        body["exports"][0][name] = wrong
        with pytest.raises(BadOrder):
            read_order(json.dumps(body))
