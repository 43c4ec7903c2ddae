from __future__ import annotations

from pathlib import Path

from fsrvpd.requestor.mount import problems
from fsrvpd.requestor.mount.problems import KINDS, Problem, Problems


def test_each_problem_counts_once(tmp_path: Path) -> None:
    file = tmp_path / "problems"
    written = Problems(file)
    for _ in range(3):
        written.add("unreadable", "a\\b", "refused")
    written.add("name-mangled", "ADC3FK~7.TXT")
    found = problems.read(file)
    assert found.counts == {"unreadable": 1, "name-mangled": 1}
    assert found.named[0] == Problem("unreadable", "a\\b", "refused")
    assert found.incomplete
    assert file.stat().st_mode & 0o777 == 0o600


def test_beyond_a_number_they_are_only_counted(tmp_path: Path) -> None:
    file = tmp_path / "problems"
    written = Problems(file)
    for number in range(problems.MOST_NAMED + 5):
        written.add("name-mangled", str(number))
    found = problems.read(file)
    assert found.counts["name-mangled"] == problems.MOST_NAMED + 5
    assert len(found.named) == problems.MOST_NAMED
    assert not found.incomplete


def test_the_file_does_not_grow_by_what_is_only_counted(tmp_path: Path) -> None:
    file = tmp_path / "problems"
    written = Problems(file)
    for number in range(problems.MOST_NAMED):
        written.add("unreadable", f"a long name of a file {number:080}")
    size = file.stat().st_size
    for number in range(3000):
        written.add("unreadable", str(number))
        written.add("unreadable", str(number))
    assert file.stat().st_size == size
    assert problems.read(file).counts == {"unreadable": problems.MOST_NAMED + 3000}


def test_what_is_no_problem_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "problems"
    file.write_bytes(b'{"kind": "unreadable", "path": "x"}\n{"kind": "other"}\n[]\n7\n{"kind')
    assert problems.read(file).counts == {"unreadable": 1}
    assert problems.read(tmp_path / "missing").counts == {}


def test_every_kind_is_said_in_words() -> None:
    assert all(kind.meaning for kind in KINDS.values())


def test_the_last_line_of_many_may_be_the_one_that_counts(tmp_path: Path) -> None:
    file = tmp_path / "problems"
    lines = b'{"kind": "name-beyond-windows"}\n' * 300_000
    file.write_bytes(lines + b'{"kind": "unreadable", "path": "x"}\n')
    assert problems.read(file).incomplete


def test_there_is_room_for_the_first_ones_on_a_disk_that_gets_full(tmp_path: Path) -> None:
    file = tmp_path / "problems"
    written = Problems(file)
    assert file.stat().st_blocks * 512 >= 64 << 10
    assert problems.read(file) == problems.Found({}, ())
    written.add("unreadable", "a")
    assert problems.read(file).counts == {"unreadable": 1}
