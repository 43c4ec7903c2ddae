from __future__ import annotations

from pathlib import Path
from typing import Dict, cast

import pytest

from fsrvpd.requestor.copying.mirror_directory import open_mirror
from fsrvpd.requestor.copying.shortfalls import Shortfalls
from fsrvpd.requestor.copying.side_file import IN_DOUBT, TOP
from fsrvpd.requestor.copying.totals import Totals
from fsrvpd.requestor.copying.verification import DIFFERS, Verification
from fsrvpd.requestor.files.open_file import OpenFile
from tests.unit.requestor.copying.entries import entry
from tests.unit.requestor.copying.test_mirror import Opened, Share, copy, names
from tests.unit.requestor.copying.test_restoring import restored


@pytest.mark.parametrize("is_there", [True, False])
def test_a_file_that_differs_stays_until_it_has_been_copied_again(
    tmp_path: Path, *, is_there: bool
) -> None:
    """Without it a restore would lack a file, and not say so."""
    share = Share({"": [entry("f")]})
    copy(share, tmp_path)
    causes: Dict[str, str] = {}
    if not is_there:
        (tmp_path / "f").unlink()

    def opened(path: str, stream: str = "") -> OpenFile:
        return cast(OpenFile, Opened(b"other"))

    refuse, share.open = share.open, opened  # type: ignore[method-assign]
    with open_mirror(str(tmp_path)) as mirror:
        shortfalls = Shortfalls(lambda each: causes.update({each.path: each.cause}))
        Verification(share, mirror.side, shortfalls, Totals()).run(mirror.top)
        known = mirror.side.known(TOP, "f")
        assert known is not None
        assert known.entry.size == IN_DOUBT
        written, lacking = restored(mirror)
    assert list(causes) == ["f"]
    assert (causes["f"] == DIFFERS) is is_there
    assert set(written) == ({"f"} if is_there else set())
    assert [each.path for each in lacking] == ["f"]

    share.open = refuse  # type: ignore[method-assign]
    share.refused = {"f"}
    assert [each.path for each in copy(share, tmp_path)[1]] == ["f"]
    assert names(tmp_path) == ({"f"} if is_there else set())
    share.refused = set()
    assert copy(share, tmp_path)[0].files == 1
