from __future__ import annotations

import pytest

from samba_hooks import testparm

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
    assert list(testparm.sections(PRINTED)) == ["global", "Größe $", "IPC$"]


def test_values_are_taken_as_they_are() -> None:
    sections = testparm.sections(PRINTED)
    assert sections["global"]["log file"] == ""
    assert sections["Größe $"]["comment"] == "a = b"


def test_parametric_options_come_by_namespace_in_one_spelling() -> None:
    parameters = testparm.sections(PRINTED)["global"]
    assert testparm.options(parameters, "fsrvpd") == {"max sets": "7"}
    assert testparm.options(parameters, "fss") == {}


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
    assert testparm.words(written) == items


@pytest.mark.parametrize(
    ("printed", "items"),
    [
        ("", ()),
        ("a +b", ("a", "+b")),
        ('"two words" one,two', ("two words", "one,two")),
    ],
)
def test_printed_lists(printed: str, items: tuple[str, ...]) -> None:
    assert testparm.command_words(printed) == items
    assert testparm.command_words(testparm.joined(items)) == items


def test_items_that_samba_would_divide_are_quoted() -> None:
    assert testparm.joined(["a b", "c,d", "e;f", "g"]) == '"a b" "c,d" "e;f" g'


def test_parameters_of_shares() -> None:
    local = "[local]\nPath=P_STRING, (synonyms: dir)\ndir=P_STRING,FLAG_SYNONYM (of path)\n"
    shown = f"{local}[global]\nx=P_BOOL,\n"
    assert testparm.share_parameters(shown) == {"path": "P_STRING"}
