"""Shares that are refused before any disk is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Iterator, Mapping, NamedTuple, Optional

import pytest

from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import PeerError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.ports import Provider, Share
from fsrvpd.shares.volumes import Volumes


class Refused(NamedTuple):
    provider: Optional[Provider] = None
    refusals: Mapping[str, str] = {"btrfs": "no", "reflink": "neither"}


class NoProvider:
    def choose(self, share: Share, directory: str) -> Refused:
        return Refused()


@pytest.fixture
def volumes() -> Iterator[Volumes]:
    mounts = LiveMounts()
    yield Volumes(NoProvider(), mounts)
    mounts.close()


def refusal(volumes: Volumes, share: Share) -> PeerError:
    with pytest.raises(PeerError) as caught:
        volumes.locate(share)
    return caught.value


USUAL = Share("usual", "/", False)


@pytest.mark.parametrize(
    ("share", "reason"),
    [
        (replace(USUAL, name="IPC$"), "no directory of its own"),
        (replace(USUAL, name="homes"), "no directory of its own"),
        (replace(USUAL, refusal="it is a printer"), "share usual: it is a printer"),
        (replace(USUAL, shadow_copy_id="{x}"), "shadow copy itself"),
        (replace(USUAL, options={"enabled": "No"}), "fsrvp:enabled = no"),
        (replace(USUAL, path="/home/%U"), "macro"),
        (replace(USUAL, path=""), "path is not absolute"),
        (replace(USUAL, path="relative"), "path is not absolute"),
        (replace(USUAL, name="n" * 42), "too long"),
        (replace(USUAL, name="n" * 40 + "$"), "too long"),
        (replace(USUAL, name="n" * 41), "btrfs: no; reflink: neither"),
        (replace(USUAL, name="n" * 39 + "$"), "btrfs: no; reflink: neither"),
        (USUAL, "share usual: btrfs: no; reflink: neither"),
    ],
)
def test_what_is_not_supported(volumes: Volumes, share: Share, reason: str) -> None:
    refused = refusal(volumes, share)
    assert refused.result == HResult.FSRVP_E_NOT_SUPPORTED
    assert reason in str(refused)


def test_what_is_not_there(volumes: Volumes, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for share in (
        replace(USUAL, available=False),
        replace(USUAL, path=str(tmp_path / "missing")),
        replace(USUAL, path=str(tmp_path / "file")),
        replace(USUAL, path=str(tmp_path / "file/below")),
    ):
        assert refusal(volumes, share).result == HResult.FSRVP_E_OBJECT_NOT_FOUND


def test_a_link_to_a_path_with_a_percent_sign(volumes: Volumes, tmp_path: Path) -> None:
    (tmp_path / "100%U").mkdir()
    (tmp_path / "link").symlink_to("100%U")
    assert "100%U" in str(refusal(volumes, replace(USUAL, path=str(tmp_path / "link"))))


def test_the_findings_are_told_apart(volumes: Volumes, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(".")
    support = volumes.explain(replace(USUAL, path=str(tmp_path / "link")))
    assert support.directory == str(tmp_path)
    assert support.location is None
    assert support.refusals == {"btrfs": "no", "reflink": "neither"}
