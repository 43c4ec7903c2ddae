"""What is beside the copies ends with its run, or is removed by whoever cleans."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsrvpd.requestor.writers.results import Results, remove_left


def test_it_ends_with_its_run(tmp_path: Path) -> None:
    results = Results(tmp_path / "job" / "writer-pg")
    (results.make() / "backup_label").write_text("x")
    assert results.directory.stat().st_mode & 0o777 == 0o700
    assert remove_left(tmp_path) == []
    results.remove()
    results.remove()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    left, other = tmp_path / "job" / "writer-pg", tmp_path / "job" / "share"
    (left / "pg_wal").mkdir(parents=True)
    other.mkdir()
    assert remove_left(tmp_path, dry_run=True) == [left]
    assert left.exists()
    assert remove_left(tmp_path) == [left]
    assert list((tmp_path / "job").iterdir()) == [other]
    assert remove_left(tmp_path) == []


def test_the_next_run_makes_it_anew(tmp_path: Path) -> None:
    (tmp_path / "job" / "writer-pg" / "pg_wal").mkdir(parents=True)
    results = Results(tmp_path / "job" / "writer-pg")
    with pytest.raises(FileExistsError):
        results.make()
    results.remove()
    assert list(results.make().iterdir()) == []
    results.remove()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "writer-pg").symlink_to(tmp_path / "elsewhere")
    assert remove_left(tmp_path) == []
    assert (tmp_path / "elsewhere").exists()
