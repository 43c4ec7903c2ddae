from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd import capabilities
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import StorageError
from fsrvpd.protocol.ports import Share
from fsrvpd.providers.selection import Selection, standard


@pytest.fixture
def selection(monkeypatch: pytest.MonkeyPatch) -> Iterator[Selection]:
    monkeypatch.setattr(capabilities, "why_insufficient", lambda: "")
    mounts = LiveMounts()
    yield standard(mounts, lambda share: {}, "/var/lib/fsrvpd")
    mounts.close()


def share(**options: str) -> Share:
    return Share("s", "/proc", False, options=options)


def test_a_process_that_could_remove_nothing_makes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capabilities, "why_insufficient", lambda: "no CAP_SYS_ADMIN")
    mounts = LiveMounts()
    choice = standard(mounts, lambda share: {}, "/var/lib/fsrvpd").choose(share(), "/proc")
    mounts.close()
    assert choice == (None, {"any provider": "no CAP_SYS_ADMIN"})


def test_every_refusal_has_its_reason(selection: Selection) -> None:
    choice = selection.choose(share(), "/proc")
    assert choice.provider is None
    assert list(choice.refusals) == ["btrfs", "zfs", "lvm", "cephfs", "reflink"]
    assert all("/proc" in why and "on proc" in why for why in choice.refusals.values())


def test_a_forced_provider_is_asked_alone(selection: Selection) -> None:
    assert list(selection.choose(share(provider="Reflink"), "/proc").refusals) == ["reflink"]


def test_commands_serve_only_who_asks_for_them(selection: Selection) -> None:
    commands = {"create command": "/bin/true", "delete command": "/bin/true"}
    assert "command" not in selection.choose(share(**commands), "/proc").refusals
    choice = selection.choose(share(provider="command", **commands), "/proc")
    assert choice.provider is selection.provider("command")
    assert (
        "create command is not set"
        in selection.choose(share(provider="command"), "/proc").refusals["command"]
    )


def test_a_provider_that_does_not_exist_is_named(selection: Selection) -> None:
    choice = selection.choose(share(provider="ntfs"), "/proc")
    known = "auto, btrfs, zfs, lvm, cephfs, reflink, command"
    assert choice.refusals == {"ntfs": f"there is no provider ntfs; fsrvp:provider can be {known}"}
    with pytest.raises(StorageError, match="no provider ntfs"):
        selection.provider("ntfs")


def test_the_maker_of_a_snapshot_is_found_by_name(selection: Selection, tmp_path: Path) -> None:
    assert selection.provider("btrfs").name == "btrfs"
