"""fsrvpd/requestor/shell/metadata.py"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.shell import metadata
from fsrvpd.requestor.shell.metadata import Metadata
from tests.unit.requestor.shell.copies import Copies, ignore

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def described() -> Metadata:
    copies = Copies()
    roots = [copies.root(rf"\\nas\{share}") for share in (r"vm\vm1", "täglich")]
    made = copies.create(roots, 0x400009, {}, ignore)
    aliases = {"VSS_SHADOW_1": made[0].copy_id, "VSS_SHADOW_SET": made[0].set_id}
    return Metadata(made[0].set_id, 0x400009, "host", made, aliases)


def document(path: Path) -> dict[str, Any]:
    metadata.write(str(path), described())
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_a_set_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = described()
    metadata.write(str(tmp_path / "set.json"), written)
    assert metadata.read(str(tmp_path / "set.json")) == written._replace(writers=[])
    assert [path.name for path in tmp_path.iterdir()] == ["set.json"]


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    found = document(tmp_path / "x.cab")
    assert (found["format"], found["version"]) == ("fsrvpshadow metadata", 1)


def test_only_ids_are_kept_as_aliases(tmp_path: Path) -> None:
    written = described()
    mixed = written._replace(aliases={**written.aliases, "PATH": "/tmp", "x": written.set_id[1:-1]})
    metadata.write(str(tmp_path / "x"), mixed)
    assert metadata.read(str(tmp_path / "x")).aliases == written.aliases


def test_a_file_that_exists_will_be_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert not metadata.check_writable(str(path))
    path.touch()
    assert metadata.check_writable(str(path))


def test_where_no_file_can_be_is_said_before_there_is_a_set(tmp_path: Path) -> None:
    with pytest.raises(RequestorError, match="it is a directory"):
        metadata.check_writable(str(tmp_path))
    with pytest.raises(RequestorError, match="there is no directory"):
        metadata.check_writable(str(tmp_path / "a" / "b"))


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RequestorError, match="No space left on device; name another file"):
        metadata.write(str(tmp_path / "x"), described())
    assert list(tmp_path.iterdir()) == []


def test_a_cabinet_of_windows_is_refused_as_one(tmp_path: Path) -> None:
    path = tmp_path / "vm1backup.cab"
    path.write_bytes(b"MSCF\0\0\0\0rest")
    with pytest.raises(RequestorError, match="a cabinet that DISKSHADOW wrote on Windows"):
        metadata.read(str(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestorError, match=r"x\.json: No such file or directory"):
        metadata.read(str(tmp_path / "x.json"))


WRONG: list[dict[str, Any]] = [
    {"format": "x"},
    {"version": 2},
    {"version": True},
    {"set": "x"},
    {"set": None},
    {"context": "9"},
    {"copies": {}},
    {"copies": [{}]},
    {"aliases": {"PATH": "/tmp"}},
    {"writers": [1]},
]


@pytest.mark.parametrize("change", WRONG, ids=str)
def test_wrong_documents_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "x"
    path.write_text(json.dumps({**document(path), **change}))
    with pytest.raises(RequestorError, match="it is not metadata of fsrvpshadow: "):
        metadata.read(str(path))


@pytest.mark.parametrize("created", ["NaN", "Infinity", "1e300", "-1.0", "1"])
def test_times_that_are_none_are_refused(tmp_path: Path, created: str) -> None:
    path = tmp_path / "x"
    found = document(path)
    found["copies"][0]["created"] = "HERE"
    path.write_text(json.dumps(found).replace('"HERE"', created))
    with pytest.raises(RequestorError, match="it is not metadata of fsrvpshadow: "):
        metadata.read(str(path))


@pytest.mark.parametrize("text", ["", "[" * 100_000, '"x"', "[]"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x"
    path.write_text(text)
    with pytest.raises(RequestorError, match="it is not metadata of fsrvpshadow"):
        metadata.read(str(path))


def test_a_file_that_is_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b" " * (4 << 20) + b"{}")
    with pytest.raises(RequestorError, match="it is too long"):
        metadata.read(str(path))


@given(st.binary() | JSON.map(json.dumps).map(str.encode))
def test_any_bytes_are_metadata_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile"
    path.write_bytes(data)
    with pytest.raises(RequestorError):
        metadata.read(str(path))
