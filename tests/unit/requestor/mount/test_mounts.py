from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, List, Optional

import pytest

from fsrvpd.core.messages import new_guid
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.mount import cifs, kernel
from fsrvpd.requestor.mount.kernel import Mounted
from fsrvpd.requestor.mount.mounts import Mounts
from fsrvpd.requestor.ports import ShareRoot
from fsrvpd.requestor.smb.credentials import Credentials
from fsrvpd.requestor.state.mounts import MountFiles


def test_a_signal_while_the_kernel_mounts_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No record speaks of it afterwards, so that nobody else would unmount it."""
    mounted: List[Path] = []

    def mount(unc: str, prefix: str, point: Path, *rest: Any) -> None:
        mounted.append(point)
        raise KeyboardInterrupt

    def mounted_at(point: Path) -> Optional[Mounted]:
        return Mounted(kernel.CIFS, "0:1") if point in mounted else None

    monkeypatch.setattr(cifs, "mount", mount)
    monkeypatch.setattr(kernel, "mounted_at", mounted_at)
    monkeypatch.setattr(kernel, "unmount", lambda point, detach: mounted.remove(point))
    root = ShareRoot(r"\\nas\data", r"\\nas\data", "nas", "data", "")
    created: Any = SimpleNamespace(
        set_id=new_guid(), copies=[SimpleNamespace(root=root, unc=r"\\nas\data@x")]
    )
    store = MountFiles(tmp_path / "state")
    directory = tmp_path / "run" / "mnt"
    directory.parent.mkdir(mode=0o700)
    mounts = Mounts(store, Credentials("u", "p"), by_cifs=True, directory=directory)
    with pytest.raises(KeyboardInterrupt):
        mounts.mount(created, "job")
    assert mounted == []
    assert store.records() == []


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> List[Path]:
    """The kernel's table of mounts by cifs."""
    mounted: List[Path] = []

    def mounted_at(point: Path) -> Optional[Mounted]:
        return Mounted(kernel.CIFS, "0:1") if point in mounted else None

    monkeypatch.setattr(cifs, "mount", lambda unc, prefix, point, *rest: mounted.append(point))
    monkeypatch.setattr(kernel, "mounted_at", mounted_at)
    monkeypatch.setattr(kernel, "unmount", lambda point, detach: mounted.remove(point))
    (tmp_path / "run").mkdir(mode=0o700)
    return mounted


def new_set() -> Any:
    root = ShareRoot(r"\\nas\data", r"\\nas\data", "nas", "data", "")
    copy = SimpleNamespace(root=root, unc=r"\\nas\data@x")
    return SimpleNamespace(set_id=new_guid(), copies=[copy])


def open_kept(tmp_path: Path) -> Mounts:
    store = MountFiles(tmp_path / "state")
    directory = tmp_path / "run" / "mnt"
    return Mounts(store, Credentials("u", "p"), by_cifs=True, kept=True, directory=directory)


def test_a_mount_takes_no_place_of_another_set(tmp_path: Path, world: List[Path]) -> None:
    """The record of the earlier one may be the last that knows of its set, which is kept."""
    with open_kept(tmp_path) as mounts:
        [point] = mounts.mount(new_set(), "job")
    store = MountFiles(tmp_path / "state")
    before = store.records()
    with pytest.raises(RequestorError, match="it is mounted already") as raised:
        open_kept(tmp_path).mount(new_set(), "job")
    assert raised.value.next_step == f"fsrvpshadow unmount {point}"
    assert world == [point]
    world.clear()
    with pytest.raises(RequestorError, match="has left its shadow copy set"):
        open_kept(tmp_path).mount(new_set(), "job")
    assert (world, store.records()) == ([], before)
    with store.lock(point) as lock:
        assert lock.acquire(), "who was refused holds it no longer"


def test_what_was_to_be_kept_is_forgotten_when_its_set_is_deleted(
    tmp_path: Path, world: List[Path]
) -> None:
    mounts = open_kept(tmp_path)
    with suppress(KeyError), mounts:
        mounts.mount(new_set(), "job")
        raise KeyError
    assert world == []
    store = MountFiles(tmp_path / "state")
    assert len(store.records()) == 1
    mounts.forget()
    assert store.records() == []
