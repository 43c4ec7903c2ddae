"""A mirror of a hostile share: all of it stays inside, and nothing is left out without a word."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Iterable, Iterator, Mapping, Optional, Sequence, Tuple, cast

import pytest

from fsrvpd.requestor.copying.local_directory import LocalDirectory
from fsrvpd.requestor.copying.mirror import Mirror
from fsrvpd.requestor.copying.mirror_directory import look_at_mirror, open_mirror
from fsrvpd.requestor.copying.shortfalls import Shortfall, Shortfalls
from fsrvpd.requestor.copying.side_file import DATABASE, FOLDER, TOP
from fsrvpd.requestor.copying.totals import Totals
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.files.open_file import OpenFile
from fsrvpd.requestor.files.records import Entry, FileFailure
from fsrvpd.requestor.files.small import SmallFile, Wanted
from tests.unit.requestor.copying.entries import Found, Listed, entry, folder

REFUSED = FileFailure("x", "access is denied")


class Share(Listed):
    """Small files, each of which contains its path. Some are `refused`."""

    def __init__(self, listings: Mapping[str, list[Found]]) -> None:
        super().__init__(listings)
        self.refused: set[str] = set()

    def small(self, wanted: Iterable[Wanted]) -> Iterator[SmallFile]:
        for path, size in wanted:
            if path in self.refused:
                yield SmallFile(path, None, b"", b"", (), REFUSED)
            else:
                data = path.encode().ljust(size, b".")[:size]
                yield SmallFile(path, entry("x"), data, b"descriptor", ())

    def open(self, path: str, stream: str = "") -> OpenFile:
        assert path in self.refused, "no other file is read alone"
        raise REFUSED

    def streams(self, path: str) -> Sequence[Tuple[str, int]]:
        return ()

    def security_descriptor(self, path: str) -> bytes:
        return b"descriptor"


def copy(share: Share, directory: Path) -> tuple[Totals, list[Shortfall]]:
    lacking: list[Shortfall] = []
    totals = Totals()
    with open_mirror(str(directory)) as mirror:
        mirror.side.begin_run(r"\\nas\data")
        parts, side, shortfalls = mirror.parts, mirror.side, Shortfalls(lacking.append)
        Mirror(share, share.small, mirror.top, parts, side, shortfalls, totals).run()
    return totals, lacking


def names(directory: Path) -> set[str]:
    found = {str(path.relative_to(directory)) for path in directory.rglob("*")}
    return {name for name in found if not name.startswith(FOLDER)}


def descriptors_held() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_nothing_is_written_outside_and_the_side_file_stays(tmp_path: Path) -> None:
    wrong: list[Found] = [entry(f"..{slash}evil") for slash in "/\\"]
    wrong += [entry(".."), folder(".."), entry(FOLDER), folder(FOLDER)]
    held = descriptors_held()
    share = Share({"": [*wrong, folder("d")], "d": [entry(FOLDER)]})
    totals, lacking = copy(share, tmp_path / "mirror")
    assert len(lacking) == len(wrong)
    assert os.listdir(tmp_path) == ["mirror"]
    assert names(tmp_path / "mirror") == {"d", f"d/{FOLDER}"}
    assert totals.files == 1
    assert descriptors_held() == held


def test_a_link_that_somebody_put_here_is_not_followed(tmp_path: Path) -> None:
    mirror, outside = tmp_path / "mirror", tmp_path / "outside"
    outside.mkdir()
    share = Share({"": [folder("d"), entry("f")], "d": [entry("g")]})
    copy(share, mirror)
    (mirror / "d" / "g").unlink()
    (mirror / "d").rmdir()
    (mirror / "d").symlink_to(outside)
    (mirror / "f").unlink()
    (mirror / "f").symlink_to(outside / "f")
    assert copy(share, mirror)[1] == []
    assert names(mirror) == {"d", "d/g", "f"}
    assert not (mirror / "f").is_symlink()
    assert os.listdir(outside) == []


def test_times_and_numbers_that_no_calendar_has(tmp_path: Path) -> None:
    most = 2**64 - 1
    odd = entry("f", created=most, accessed=most, modified=most, changed=most, file_id=most)
    share = Share({"": [odd, entry("g", modified=0)]})
    assert copy(share, tmp_path)[1] == []
    found = look_at_mirror(str(tmp_path))
    assert found is not None
    with found:
        known = found.side.known(TOP, "f")
        assert known is not None
        assert known.entry == odd._replace(allocated=0)


def test_what_is_refused_stays_as_it_was(tmp_path: Path) -> None:
    share = Share({"": [folder("d"), entry("f", size=1)], "d": [entry("g")]})
    copy(share, tmp_path)
    share.listings = {"": [folder("d"), entry("f", size=2)], "d": [REFUSED]}
    share.refused = {"f"}
    _, lacking = copy(share, tmp_path)
    assert sorted(each.path for each in lacking) == ["d", "f"]
    assert names(tmp_path) == {"d", "d/g", "f"}
    assert (tmp_path / "f").read_bytes() == b"f"
    share.refused = set()
    share.listings = {"": [entry("f", size=2)]}
    totals, lacking = copy(share, tmp_path)
    assert (totals.files, totals.removed, lacking) == (1, 1, [])
    assert names(tmp_path) == {"f"}


def test_a_server_that_is_gone_ends_it_and_what_came_is_kept(tmp_path: Path) -> None:
    held = descriptors_held()
    share = Share({"": [folder("a"), folder("b")], "a": [entry("f")], "b": [REFUSED]})
    begun = share.entry

    def once(path: str) -> Entry:
        found = begun(path)
        share.gone = True
        return found

    share.entry = once  # type: ignore[method-assign]
    with pytest.raises(FileFailure):
        copy(share, tmp_path)
    assert descriptors_held() == held
    share = Share({"": [folder("a")], "a": [entry("f")]})
    assert copy(share, tmp_path)[1] == []


def test_many_directories_need_few_descriptors(tmp_path: Path) -> None:
    tops: list[Found] = [folder(f"d{number}") for number in range(700)]
    share = Share({"": tops, **{f"d{number}": [entry("f")] for number in range(700)}})
    assert copy(share, tmp_path)[0].files == 700
    assert len(names(tmp_path)) == 1400


def test_a_directory_that_cannot_be_opened_here_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on the share: what was copied of it must not be taken for what was removed there."""
    share = Share({"": [folder("d")], "d": [entry("g")]})
    copy(share, tmp_path)

    def refuse(directory: LocalDirectory, name: str) -> LocalDirectory:
        if name == "d":
            raise OSError(errno.EMFILE, "too many open files")
        return made(directory, name)

    made = LocalDirectory.make_directory
    monkeypatch.setattr(LocalDirectory, "make_directory", refuse)
    assert [each.path for each in copy(share, tmp_path)[1]] == ["d"]
    assert names(tmp_path) == {"d", "d/g"}


def test_a_file_is_as_long_as_it_is_and_not_as_its_directory_says(tmp_path: Path) -> None:
    """On NTFS a directory has the size that a file had when it was last written by that name."""
    share = Share({"": [entry("longer", size=5), entry("shorter", size=400_000)]})
    content = {"longer": b"x" * 9, "shorter": b"y" * 300_000}

    def opened(path: str, stream: str = "") -> OpenFile:
        return cast(OpenFile, Opened(content[path]))

    share.open = opened  # type: ignore[method-assign]
    share.refused = {"longer"}
    assert copy(share, tmp_path)[1] == []
    assert {name: (tmp_path / name).read_bytes() for name in content} == content
    found = look_at_mirror(str(tmp_path))
    assert found is not None
    with found:
        sizes = {known.entry.name: known.entry.size for known in found.side.children(TOP)}
    assert sizes == {name: len(data) for name, data in content.items()}


def test_what_another_user_has_prepared_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    (tmp_path / "mirror" / FOLDER).mkdir(parents=True)
    (tmp_path / "mirror" / FOLDER / DATABASE).symlink_to(outside)
    theirs = (tmp_path / "mirror" / FOLDER).stat()
    status = os.fstat

    def fstat(fd: int) -> os.stat_result:
        found = status(fd)
        if (found.st_dev, found.st_ino) != (theirs.st_dev, theirs.st_ino):
            return found
        return os.stat_result([*found[:4], found.st_uid + 1, *found[5:]])

    monkeypatch.setattr(os, "fstat", fstat)
    with pytest.raises(RequestorError, match="belongs to another user"):
        open_mirror(str(tmp_path / "mirror"))
    assert not outside.exists()
    assert os.listdir(tmp_path / "mirror" / FOLDER) == [DATABASE]


class Opened:
    """An open file of the share."""

    def __init__(self, content: bytes) -> None:
        self.entry = entry("x", size=len(content))
        self._content = content

    def data_ranges(self) -> Sequence[Tuple[int, int]]:
        return [(0, len(self._content))]

    def chunks(self, offset: int = 0, length: Optional[int] = None) -> Iterator[bytes]:
        yield self._content[offset:][:length]

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *args: object) -> None:
        return


def test_a_file_that_was_replaced_without_a_new_time_is_copied_again(tmp_path: Path) -> None:
    for kept in (True, False):
        directory = tmp_path / str(kept)
        share = Share({"": [folder("d", file_id=2)], "d": [entry("f", file_id=3)]})
        copy(share, directory)
        id = 2 if kept else 12
        share = Share({"": [folder("d", file_id=id)], "d": [entry("f", file_id=id + 5)]})
        assert copy(share, directory)[0].files == (1 if kept else 0)
