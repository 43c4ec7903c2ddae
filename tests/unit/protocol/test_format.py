"""The durable form of a set, held against one document of each format that ever was.

A change of shape fails here, until `FORMAT` is raised, a document of the new one added, and
the old ones are read all the same.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fsrvpd.core.messages import parse_guid
from fsrvpd.protocol.model import (
    FORMAT,
    MappedShare,
    ShadowCopy,
    ShadowCopySet,
    Status,
    from_document,
    to_document,
)
from fsrvpd.protocol.ports import Share, SharePlace, Snapshot

VECTORS = Path(__file__).parents[2] / "vectors/state"
DATA = Share("data", "/srv/data", False, options={"provider": "btrfs", "keep": "yes"})
PLACE = SharePlace(DATA, "btrfs:1:256", "/srv", "btrfs", "/srv/data", whole_volume=True)
ROOT = "/srv/.fsrvpd/one"
WHOLE = ShadowCopySet(
    shadow_copy_set_id=parse_guid("{11111111-2222-3333-4444-555555555555}"),
    context=0x400009,
    client_address="192.0.2.1",
    account="LAB\\backup",
    started=1795000000.25,
    status=Status.EXPOSED,
    shadow_copy_list=[
        ShadowCopy(
            shadow_copy_id=parse_guid("{66666666-7777-8888-9999-AAAAAAAAAAAA}"),
            place=PLACE,
            creation_timestamp=134394736002500000,
            share_mapping_list=[
                MappedShare(r"\\nas\data", "data", "/srv/data", "data@{66}", True, False),
                MappedShare(r"\\nas\more", "more", "/srv/more", "more@{66}", False, True),
            ],
            snapshot=Snapshot("btrfs", "btrfs:1:256", ROOT, f"{ROOT}/data", 1795000001.5),
            keep=True,
        ),
        ShadowCopy(
            shadow_copy_id=parse_guid("{BBBBBBBB-CCCC-DDDD-EEEE-FFFFFFFFFFFF}"),
            place=SharePlace(Share("vault", "/v", False), "xfs:2", "/v", "reflink", "/v"),
            creation_timestamp=134394736002500001,
        ),
    ],
    doomed=True,
    recovered=1795000002.5,
    uncertain=True,
    spread=0.5,
    boot="5d7cbbde-3c2d-4f5d-b6b8-1a8a0c1d2e3f",
    clock=99.5,
)
# What documents of older formats do not say.
SINCE = {1: {"spread": 0.0}}


def document(number: int) -> str:
    return (VECTORS / f"format{number}.json").read_text("utf-8").rstrip("\n")


def test_the_present_format_is_what_is_written() -> None:
    assert to_document(WHOLE) == document(FORMAT)


@pytest.mark.parametrize("number", range(1, FORMAT + 1))
def test_every_format_is_read(number: int) -> None:
    assert json.loads(document(number))["format"] == number
    wanted = {**vars(WHOLE), **SINCE.get(number, {})}
    assert vars(from_document(document(number))) == wanted


@pytest.mark.parametrize("number", [FORMAT + 1, 0, -1, None, "2", [2], 1.5])
def test_any_other_format_is_refused_with_advice(number: object) -> None:
    other = json.dumps({**json.loads(document(FORMAT)), "format": number})
    with pytest.raises(ValueError, match=r"install the version that wrote it again|not a shadow"):
        from_document(other)


def test_a_newer_format_is_named() -> None:
    other = json.dumps({**json.loads(document(FORMAT)), "format": FORMAT + 1})
    with pytest.raises(ValueError, match=f"format {FORMAT + 1} is of another fsrvpd"):
        from_document(other)


@pytest.mark.parametrize("key", sorted(json.loads(document(FORMAT))))
def test_no_key_may_be_missing(key: str) -> None:
    body = json.loads(document(FORMAT))
    del body[key]
    with pytest.raises(ValueError):  # noqa: PT011  (the words are Python's own)
        from_document(json.dumps(body))
