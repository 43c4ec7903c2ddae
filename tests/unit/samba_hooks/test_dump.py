from __future__ import annotations

import pytest

from samba_hooks import dump

PRINTED = """# Global parameters
[global]
	netbios name = LAB
	log file =
	fsrvpd : Max  Sets = 7
	idmap config * : backend = tdb

[Größe $]
	comment = a = b
	valid users = "two words" root, +staff
	read only = No

[IPC$]
	fstype = IPC
"""


def test_sections_keep_names_and_order() -> None:
    assert list(dump.sections(PRINTED)) == ["global", "Größe $", "IPC$"]


def test_values_are_taken_as_they_are() -> None:
    sections = dump.sections(PRINTED)
    assert sections["global"]["log file"] == ""
    assert sections["Größe $"]["comment"] == "a = b"


def test_parametric_options_come_by_namespace_in_one_spelling() -> None:
    parameters = dump.sections(PRINTED)["global"]
    assert dump.options(parameters, "fsrvpd") == {"max sets": "7"}
    assert dump.options(parameters, "fss") == {}


@pytest.mark.parametrize(
    ("written", "items"),
    [
        ("", ()),
        ("a b", ("a", "b")),
        ('"two words" root, +staff;x', ("two words", "root", "+staff", "x")),
        ("127.0.0.9/8", ("127.0.0.9/8",)),
        ('@"Domain Admins"', ("@", "Domain Admins")),
    ],
)
def test_list_values(written: str, items: tuple[str, ...]) -> None:
    assert dump.words(written) == items


@pytest.mark.parametrize("written", ["Yes", "yes", "true", "1", "On "])
def test_yes(written: str) -> None:
    assert dump.is_yes(written)


@pytest.mark.parametrize("written", ["", "No", "false", "0", "off", "maybe"])
def test_no(written: str) -> None:
    assert not dump.is_yes(written)
