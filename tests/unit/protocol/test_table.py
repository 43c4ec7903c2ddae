from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.protocol.model import ShadowCopySet, Status
from fsrvpd.protocol.table import ShadowCopySetTable
from tests.unit.protocol.server.driver import guid
from tests.unit.protocol.strategies import SETS


@given(st.lists(SETS, max_size=4, unique_by=lambda s: s.shadow_copy_set_id), st.data())
def test_the_index_by_volume_equals_a_search(
    sets: list[ShadowCopySet], data: st.DataObject
) -> None:
    table = ShadowCopySetTable()
    for each in sets:
        table.add(each)
    for each in sets:
        step = data.draw(st.sampled_from(["status", "copy", "remove", "remove twice", "nothing"]))
        if step.startswith("remove"):
            table.remove(each)
        if step == "remove twice":
            table.remove(each)
        if step in ("status", "remove"):  # of what is not in the table, too
            table.set_status(each, data.draw(st.sampled_from(Status)))
        if step in ("copy", "remove") and each.shadow_copy_list:
            table.remove_copy(each, each.shadow_copy_list[0])
    listed = list(table)
    volumes = {copy.volume_name for each in sets for copy in each.shadow_copy_list} | {"other"}
    published = (Status.COMMITTED, Status.EXPOSED, Status.RECOVERED)
    for volume in volumes:
        searched = any(each.copy_of_volume(volume) for each in listed if each.status in published)
        assert table.has_shadow_copy(volume) == searched
    for address in {each.client_address for each in sets}:
        assert table.of_client(address) == sum(e.client_address == address for e in listed)
    assert len(table) == len(listed)


def test_the_table_is_indexed_by_set_id() -> None:
    table = ShadowCopySetTable()
    shadow_copy_set = ShadowCopySet(guid(1), 0, "10.0.0.1", "a", 0.0)
    table.add(shadow_copy_set)
    assert table.get(guid(1)) is shadow_copy_set
    assert table.get(guid(2)) is None
