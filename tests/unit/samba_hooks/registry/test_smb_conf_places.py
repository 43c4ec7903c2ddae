"""Sections and parameters have the file and the line in which they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from samba_hooks.registry.smb_conf_places import Place, depends_on_client, places


def found(path: Path) -> list[tuple[str, int, str, str]]:
    return [
        (Path(each.path).name, each.first, each.section, each.name)
        for each in places(str(path), path.read_text(), lambda value: value.replace("%h", "nas"))
    ]


def test_an_included_file_goes_on_with_the_section_and_leaves_its_last_one(tmp_path: Path) -> None:
    conf, other = tmp_path / "smb.conf", tmp_path / "nas.conf"
    conf.write_text(f"[Global]\n\n include = {tmp_path}/%h.conf\n comment = x\n[My  Data]\n")
    other.write_text("max log size = 1\n[Included]\n path = /\n")
    assert found(conf) == [
        ("smb.conf", 1, "global", ""),
        ("smb.conf", 3, "global", "include"),
        ("nas.conf", 1, "global", "maxlogsize"),
        ("nas.conf", 2, "included", ""),
        ("nas.conf", 3, "included", "path"),
        ("smb.conf", 4, "included", "comment"),
        ("smb.conf", 5, "my data", ""),
    ]


def test_files_that_include_each_other_end(tmp_path: Path) -> None:
    conf, other = tmp_path / "smb.conf", tmp_path / "other.conf"
    conf.write_text(f"include = {other}\n")
    other.write_text(f"include = {conf}\ninclude = {tmp_path}\n")
    assert [name for name, *_ in found(conf)] == ["smb.conf", "other.conf", "other.conf"]


@pytest.mark.parametrize(
    ("value", "depends"),
    [
        *[("/etc/%m.conf", True), ("more.conf", True), ("/etc/%h%v.conf", False)],
        *[("/etc/more.conf", False), ("Registry", False), ("", False)],
    ],
)
def test_which_includes_depend_on_the_client(value: str, depends: bool) -> None:
    assert depends_on_client(Place("/smb.conf", 1, 1, "global", "include", value)) == depends
