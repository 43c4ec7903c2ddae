"""Which file systems may be frozen. Freezing needs root: tests/requestor/test_fsfreeze.py."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fsrvpd.requestor.writers import fsfreeze
from fsrvpd.requestor.writers.fsfreeze import FsfreezeWriter, device_of, thaw
from fsrvpd.requestor.writers.ports import ThawRecipe, Writer, WriterFailed


def prepare(*paths: str, never: str = "/missing") -> FsfreezeWriter:
    made = FsfreezeWriter("app", paths, never=[Path(never)])
    as_writer: Writer = made
    as_writer.prepare()
    return made


def test_never_the_root() -> None:
    writer = FsfreezeWriter("app", ["/"])
    with pytest.raises(WriterFailed, match="/ is the file system of /: this program would hang"):
        writer.prepare()


def test_never_the_one_of_the_state(tmp_path: Path) -> None:
    with pytest.raises(WriterFailed, match="is the file system of /proc/missing/state"):
        prepare("/proc", never="/proc/missing/state")


def test_only_mount_points(tmp_path: Path) -> None:
    with pytest.raises(WriterFailed, match="is not a mount point"):
        prepare(str(tmp_path))
    with pytest.raises(WriterFailed, match="No such file"):
        prepare(str(tmp_path / "missing"))
    (tmp_path / "file").touch()
    with pytest.raises(WriterFailed, match="Not a directory"):
        prepare(str(tmp_path / "file"))


def test_the_file_system_of_a_path_that_is_not_there_yet(tmp_path: Path) -> None:
    assert device_of(tmp_path / "a" / "b") == device_of(tmp_path)
    assert device_of(Path("/proc")) != device_of(tmp_path)


class Kernel:
    """What ioctl answers: an errno, or 0."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: int) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        monkeypatch.setattr(fsfreeze.fcntl, "ioctl", self.ioctl)
        monkeypatch.setattr(os, "geteuid", lambda: 0)

    def ioctl(self, file: int, request: int, argument: int) -> None:
        name = "freeze" if request == 0xC0045877 else "thaw"
        self.asked.append(f"{name} {os.readlink(f'/proc/self/fd/{file}')}")
        number = self.answers.pop(0) if self.answers else 0
        if number:
            raise OSError(number, os.strerror(number))


def test_frozen_and_thawed_in_the_opposite_order(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch)
    writer = prepare("/proc", "/sys")
    writer.freeze()
    writer.thaw()
    writer.complete([])
    writer.close()
    assert kernel.asked == ["freeze /proc", "freeze /sys", "thaw /sys", "thaw /proc"]


def test_what_somebody_else_has_frozen_is_not_thawed(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, 0, errno.EBUSY)
    writer = prepare("/proc", "/sys")
    with pytest.raises(WriterFailed, match="/sys: somebody else has frozen it"):
        writer.freeze()
    writer.thaw()
    assert kernel.asked == ["freeze /proc", "freeze /sys", "thaw /proc"]


@pytest.mark.parametrize(
    ("number", "said"), [(errno.EOPNOTSUPP, "cannot be frozen"), (errno.EIO, "Input/output")]
)
def test_what_cannot_be_frozen(monkeypatch: pytest.MonkeyPatch, number: int, said: str) -> None:
    Kernel(monkeypatch, number)
    writer = prepare("/proc")
    with pytest.raises(WriterFailed, match=said):
        writer.freeze()


def test_a_freeze_that_comes_late_is_thawed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch)
    writer = prepare("/proc", "/sys")
    ioctl = kernel.ioctl

    def thaw_meanwhile(file: int, request: int, argument: int) -> None:
        monkeypatch.setattr(fsfreeze, "_LONGEST_FREEZE", 0.0)
        monkeypatch.setattr(fsfreeze.fcntl, "ioctl", ioctl)
        with pytest.raises(WriterFailed, match="has not ended freezing"):
            writer.thaw()
        ioctl(file, request, argument)

    monkeypatch.setattr(fsfreeze.fcntl, "ioctl", thaw_meanwhile)
    with pytest.raises(WriterFailed, match="to be thawed before all was frozen"):
        writer.freeze()
    assert kernel.asked == ["freeze /proc", "thaw /proc"]
    writer.thaw()


def test_what_is_not_thawed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    Kernel(monkeypatch, 0, errno.EIO)
    writer = prepare("/proc")
    writer.freeze()
    with pytest.raises(WriterFailed, match=r"not thawed.*fsfreeze -u /proc") as raised:
        writer.thaw()
    assert raised.value.exit_status == 5


def test_one_that_is_not_thawed_keeps_no_other_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, 0, 0, errno.EIO)
    writer = prepare("/proc", "/sys")
    writer.freeze()
    with pytest.raises(WriterFailed, match="/sys is not thawed"):
        writer.thaw()
    assert kernel.asked[2:] == ["thaw /sys", "thaw /proc"]
    kernel.answers = [errno.EIO]
    recipe = writer.thaw_recipe()
    assert recipe is not None
    with pytest.raises(WriterFailed, match="/sys is not thawed"):
        thaw(recipe)
    assert kernel.asked[4:] == ["thaw /sys", "thaw /proc"]


def test_one_that_somebody_else_has_thawed_makes_no_backup(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Kernel(monkeypatch, 0, errno.EINVAL)
    writer = prepare("/proc")
    writer.freeze()
    writer.thaw()
    with pytest.raises(WriterFailed, match="/proc was thawed before the copies were made"):
        writer.complete([])


def test_by_a_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, errno.EINVAL)
    recipe = prepare("/proc", "/sys").thaw_recipe()
    assert recipe is not None
    thaw(recipe)
    assert kernel.asked == ["thaw /sys", "thaw /proc"]
    kernel.answers = [errno.EIO]
    with pytest.raises(WriterFailed, match="not thawed"):
        thaw(recipe)


def test_another_file_system_at_the_same_place_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = Kernel(monkeypatch)
    mounted = [{"path": "/proc", "device": "999:1"}, {"path": "/missing", "device": "8:1"}]
    thaw(ThawRecipe("fsfreeze", "app", {"mounted": mounted}))
    assert kernel.asked == []


def test_a_mount_that_no_list_has_is_not_a_path_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a chroot: what is frozen there is not known to be thawed."""
    monkeypatch.setattr(
        Path, "read_text", lambda path: "mnt_id:\t7\n" if "fdinfo" in str(path) else ""
    )
    recipe = ThawRecipe("fsfreeze", "app", {"mounted": [{"path": str(tmp_path), "device": "8:1"}]})
    with pytest.raises(WriterFailed):
        thaw(recipe)
