"""Which line of smb.conf Samba does not read, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import pytest

from samba_hooks.registry.smb_conf_faults import find, unreadable


def found(directory: Path, text: str) -> str:
    path = directory / "smb.conf"
    path.write_text(text)
    return find(str(path), refuses_maybe).replace(f"{directory}/", "")


def refuses_maybe(name: str, value: str) -> Optional[str]:
    return "value is not boolean!" if value == "maybe" else None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[global]\nworkgroup = X\n", ""),
        ("[data]\nno equals sign\n", ""),
        ("include = /no/such/file\ninclude = registry\ninclude = /etc\n", ""),
        ("# [\n; = x\n\n[a]\npath = \\\n  [b\n", ""),
        ("[global]\n\n[data\npath = /\n", "line 3: the section `[data` has no closing bracket"),
        ("[]\n", "line 1: the section `[]` has no name"),
        ("[a]\n = 5\n", "line 2: nothing is before the equals sign of `= 5`"),
        (
            "[a]\nread only = \\\n maybe\n",
            "line 2: Samba does not take `read only = maybe` (value is not boolean!)",
        ),
        ("[a]\ncopy = b\n[b]\n", "line 2: `copy = b`: no section [b] is before this line"),
        ("[A  b]\ncopy = a b\n", "line 2: `copy = a b` is in the section that it names"),
        ("[a]\n[b]\ncopy = A\n", ""),
        (
            'state directory = "/s"\n',
            'line 1: `state directory = "/s"` is not an absolute path: Samba takes quotes for',
        ),
        ("[a]\nstate directory = s\n", ""),  # ignored there
        ("Lock Directory = s\n", "line 1: `lock directory = s` is not an absolute path"),
    ],
)
def test_the_first_line_that_samba_refuses(tmp_path: Path, text: str, fault: str) -> None:
    where = f"smb.conf, {fault}" if fault else ""
    assert found(tmp_path, text).startswith(where)
    assert bool(found(tmp_path, text)) == bool(fault)


def test_a_file_that_includes_itself(tmp_path: Path) -> None:
    include = f"include = {tmp_path}/smb.conf"
    fault = found(tmp_path, f"[a]\n{include}\n{include}\n").replace(f"{tmp_path}/", "")
    assert fault == "smb.conf, line 2: `include = smb.conf` includes itself; remove the line"


def test_two_files_that_include_each_other(tmp_path: Path) -> None:
    (tmp_path / "b").write_text(f"\ninclude = {tmp_path}/smb.conf\n")
    fault = found(tmp_path, f"include = {tmp_path}/b\n").replace(f"{tmp_path}/", "")
    assert fault.startswith(
        "b, line 2: `include = smb.conf` includes smb.conf, which includes this"
    )


def test_a_file_that_is_included_often_is_read_once(tmp_path: Path) -> None:
    """Thirty files that each include the next one twice are a thousand million includes."""
    for number in range(30):
        (tmp_path / f"{number}").write_text(f"include = {tmp_path}/{number + 1}\n" * 2)
    (tmp_path / "30").write_text("[broken\n")
    assert found(tmp_path, f"include = {tmp_path}/0\n").startswith("30, line 1: ")
    (tmp_path / "30").write_text("")
    assert found(tmp_path, f"include = {tmp_path}/0\n") == ""


def test_a_chain_of_includes_that_samba_does_not_follow(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"{number}").write_text(f"include = {tmp_path}/{number + 1}\n")
    assert "more than 100 includes deep" in found(tmp_path, f"include = {tmp_path}/0\n")


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    fault = find(str(tmp_path / "no"))
    assert fault == f"{tmp_path}/no: No such file or directory"
    assert unreadable("/c", fault) == (
        f"Samba cannot read /c: {fault}; correct it until `testparm -s /c` can"
    )
