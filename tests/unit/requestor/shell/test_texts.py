"""fsrvpd/requestor/shell/texts.py: character by character."""

from __future__ import annotations

import os
import time
from typing import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.core.messages import parse_guid
from fsrvpd.requestor.shell import texts
from fsrvpd.requestor.shell.texts import ListedCopy
from fsrvpd.terminal import escape_controls, one_line

COPY = ListedCopy(
    "{7b53b887-76e5-4db8-821d-6828e4cbe044}",
    "{2bef895d-5d3f-4799-8368-f4bfc684e95b}",
    1,
    r"\\smbsofs\vm",
    1_338_424_552.0,
    r"\\FSF-260403-09\VM@{F1C5E17A-4168-4611-9CD4-8366F9F935C3}",
    "FSF-260403-09",
    0x00400009,
)
MACHINE = "CLAUSJOR04.SMBTEST.stbtest.microsoft.com"
ALIASES = {COPY.copy_id: "VSS_SHADOW_1", COPY.set_id: "VSS_SHADOW_SET"}
PROPERTIES = (
    r"- Original count of shadow copies = 1",
    "- Original volume name: \\\\SMBSOFS\\VM\\ [volume not on this machine]",
    r"- Creation time: 5/30/2012 5:35:52 PM",
    r"- Shadow copy device name: \\FSF-260403-09\VM@{F1C5E17A-4168-4611-9CD4-8366F9F935C3}",
    r"- Originating machine: FSF-260403-09",
    r"- Service machine: CLAUSJOR04.SMBTEST.stbtest.microsoft.com",
    r"- Not exposed",
    r"- Provider ID: {89300202-3cec-4981-9171-19f59559e0f2}",
    r"- Attributes:  No_Auto_Release Persistent FileShare",
)


@pytest.fixture(autouse=True)
def _time_zone_of_redmond(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(os.environ, "TZ", "PST8PDT,M3.2.0,M11.1.0")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_set_is_listed_as_in_microsofts_description() -> None:
    lines = [
        "",
        "\t* Shadow copy ID = {7b53b887-76e5-4db8-821d-6828e4cbe044}\t\t%VSS_SHADOW_1%",
        "\t\t- Shadow copy set: {2bef895d-5d3f-4799-8368-f4bfc684e95b}\t%VSS_SHADOW_SET%",
        *("\t\t" + line for line in PROPERTIES),
        "",
        "Number of shadow copies listed: 1",
    ]
    assert texts.listing([COPY], ALIASES, MACHINE) == "\n".join(lines)


def test_what_has_no_alias() -> None:
    first, second, *_ = texts.block(COPY, {}, MACHINE).splitlines()
    assert first == "\t* Shadow copy ID = {7b53b887-76e5-4db8-821d-6828e4cbe044}\t\t<No Alias>"
    assert second == "\t\t- Shadow copy set: {2bef895d-5d3f-4799-8368-f4bfc684e95b}\t<No Alias>"


def test_two_copies_have_a_line_between_them() -> None:
    listed = texts.listing([COPY, COPY], {}, MACHINE)
    assert "FileShare\n\n\t* Shadow copy ID" in listed
    assert listed.endswith("FileShare\n\nNumber of shadow copies listed: 2")


def test_none_is_listed() -> None:
    assert texts.listing([], {}, MACHINE) == "\nNumber of shadow copies listed: 0"


def test_a_copy_is_deleted_as_in_microsofts_description() -> None:
    assert texts.deleting(COPY) == (
        "Deleting shadow copy {7b53b887-76e5-4db8-821d-6828e4cbe044} on volume \\\\SMBSOFS\\VM\\ "
        "from provider {89300202-3cec-4981-9171-19f59559e0f2} [Attributes: 0x04400009]..."
    )
    assert texts.deleted(1) == "\nNumber of shadow copies deleted: 1"


@pytest.mark.parametrize(
    ("context", "words"),
    [
        (0x00400009, "No_Auto_Release Persistent FileShare"),
        (0x00400000, "Auto_Release FileShare"),
        (0, "Auto_Release FileShare"),
        (0x10, "Auto_Release No_Writers FileShare"),
        (0x19, "No_Auto_Release Persistent No_Writers FileShare"),
        (0x1B, "No_Auto_Release Persistent No_Writers FileShare"),
    ],
)
def test_attributes(context: int, words: str) -> None:
    assert texts.attribute_words(COPY._replace(context=context).attributes) == words


@pytest.mark.parametrize(
    ("hour", "shown"),
    [(0, "12:35:52 AM"), (1, "1:35:52 AM"), (12, "12:35:52 PM"), (13, "1:35:52 PM")],
)
def test_hours(hour: int, shown: str) -> None:
    seconds = time.mktime((2012, 6, 2, hour, 35, 52, 0, 0, -1))
    assert texts.shown_time(seconds) == f"6/2/2012 {shown}"


def test_aliases() -> None:
    assert texts.alias_set("VSS_SHADOW_1", "shadow", COPY.copy_id) == (
        "Alias VSS_SHADOW_1 for shadow ID {7b53b887-76e5-4db8-821d-6828e4cbe044} "
        "set as environment variable."
    )
    assert texts.alias_set("VSS_SHADOW_SET", "shadow set", COPY.set_id) == (
        "Alias VSS_SHADOW_SET for shadow set ID {2bef895d-5d3f-4799-8368-f4bfc684e95b} "
        "set as environment variable."
    )
    assert texts.alias_value("x", "{1}") == "-> %x% = {1}"


def test_queries() -> None:
    assert texts.query("all") == "Querying all shadow copies on the computer ..."
    assert texts.query("set", COPY.set_id) == (
        "Querying all shadow copies with the shadow copy set ID "
        "{2bef895d-5d3f-4799-8368-f4bfc684e95b}"
    )


def test_guids_have_lower_case_digits() -> None:
    assert texts.shown_guid(parse_guid(COPY.copy_id.upper())) == COPY.copy_id


@pytest.mark.parametrize(
    ("unc", "shown"),
    [(r"\\nas\data", "\\\\NAS\\DATA\\"), ("\\\\nas\\straße\\", "\\\\NAS\\STRAßE\\")],
)
def test_volumes_are_in_capitals_one_character_for_one(unc: str, shown: str) -> None:
    assert texts.shown_volume(unc) == shown


def test_the_banner_names_this_program() -> None:
    shown = texts.banner("1.0", "h\x1bost", 1_338_424_552.0)
    assert shown.startswith("fsrvpshadow shell 1.0: ")
    assert shown.endswith("\nOn computer:  h\\x1bost,  5/30/2012 5:35:52 PM\n")


@given(st.text(), st.text(), st.text(), st.text())
def test_no_name_makes_a_line_or_controls_the_terminal(
    volume: str, device: str, server: str, alias: str
) -> None:
    hostile = COPY._replace(volume=volume, device=device, server=server)
    shown = texts.block(hostile, {COPY.copy_id: alias}, MACHINE)
    assert len(shown.split("\n")) == 11
    assert escape_controls(shown.replace("\t", "")) == shown.replace("\t", "")
    assert one_line(texts.deleting(hostile)) == texts.deleting(hostile)


def test_the_provider_is_the_file_share_provider() -> None:
    assert texts.providers("1.0").splitlines()[0].endswith(texts.PROVIDER_ID)
    assert texts.providers("1.0").splitlines()[-1] == "1 provider registered."
