"""What the protocol makes of `whole_volume`: the path of a second share in a snapshot."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsrvpd.protocol.model import MappedShare, ShadowCopy
from tests.contract.providers.bed import DEEP, Bed


@pytest.mark.parametrize(("first", "second"), [(DEEP, ""), ("", DEEP), (DEEP, "beside/it")])
def test_a_second_share_is_found_in_the_snapshot_of_the_first(
    bed: Bed, first: str, second: str
) -> None:
    for directory in (bed.volume / first, bed.volume / second):
        directory.mkdir(parents=True, exist_ok=True)
    (bed.volume / second / "file").write_text("old")
    request = bed.request(bed.volume / first)
    place = bed.request(bed.volume / second).place
    place = place._replace(share=place.share._replace(name="two"))
    copy = ShadowCopy(bytes(16), request.place, 0)
    assert copy.can_hold(place) == place.whole_volume == bed.provider.whole_volume
    if not place.whole_volume:
        return
    mapped = MappedShare("\\\\nas\\two", "two", place.directory)
    inside = Path(copy.path_of(mapped, bed.take(request)))
    (bed.volume / second / "file").write_text("new")
    assert (inside / "file").read_text() == "old"
