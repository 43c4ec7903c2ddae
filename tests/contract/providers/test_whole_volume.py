"""How the protocol uses `whole_volume`: the path of a second share in a snapshot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fsrvpd.core.descriptors import closing_fd
from fsrvpd.protocol.model import MappedShare, ShadowCopy
from tests.contract.providers.harness import DEEP, Harness


@pytest.mark.parametrize(("first", "second"), [(DEEP, ""), ("", DEEP), (DEEP, "beside/it")])
def test_a_second_share_is_found_in_the_snapshot_of_the_first(
    harness: Harness, first: str, second: str
) -> None:
    for directory in (harness.volume / first, harness.volume / second):
        directory.mkdir(parents=True, exist_ok=True)
    (harness.volume / second / "file").write_text("old")
    request = harness.request(harness.volume / first)
    location = harness.request(harness.volume / second).location
    location = location._replace(share=replace(location.share, name="two"))
    copy = ShadowCopy(bytes(16), request.location, 0)
    assert copy.can_hold(location) == location.whole_volume == harness.provider.whole_volume
    if not location.whole_volume:
        return
    mapped = MappedShare("\\\\nas\\two", "two", location.directory)
    copy.snapshot = harness.take(request)
    export = copy.export(mapped)
    assert export is not None
    (harness.volume / second / "file").write_text("new")
    with closing_fd(harness.provider.open_share(copy.snapshot, export.path)) as inside:
        assert Path(f"/proc/self/fd/{inside}/file").read_text() == "old"
