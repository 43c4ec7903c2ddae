"""Beyond the contract of providers: kinds and limits of logical volumes."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest

from fsrvpd.errors import StorageError
from lab.unit import confined
from tests.contract.providers.conftest import MakeLvmHarness
from tests.contract.providers.lvm_harness import LvmHarness, VolumeGroup
from tests.contract.providers.private_mounts import EMULATED, output, run, unmount


@pytest.fixture
def lvm(make_lvm_harness: MakeLvmHarness, tmp_path: Path) -> LvmHarness:
    return make_lvm_harness("xfs", tmp_path)


def test_none_is_taken_from_the_limit_on(lvm: LvmHarness) -> None:
    (lvm.directory / "file").write_bytes(bytes(50 << 20))
    run("sync", "-f", lvm.directory)
    for attempt in (lvm.take, lambda request: lvm.provider.prepare(request)):
        with pytest.raises(StorageError, match="lvextend") as caught:
            attempt(lvm.request(options={"pool limit": "5"}))
        assert caught.value.error_number == errno.ENOSPC
    assert lvm.left_over() == []
    lvm.take(lvm.request(options={"pool limit": "95"}))


def test_a_volume_that_is_not_thin_is_refused(
    lvm: LvmHarness, volume_group: VolumeGroup, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    run("lvcreate", "--quiet", "--yes", "--size", "32M", "-n", "plain", volume_group.name)
    try:
        run("mkfs.ext4", "-q", f"/dev/{volume_group.name}/plain")
        run("mount", f"/dev/{volume_group.name}/plain", plain)
        assert "is linear, not a thin volume" in str(lvm.provider.supports(str(plain)))
        unmount(plain)
    finally:
        volume_group.remove("plain")


def test_nobody_can_write_to_the_device_of_a_read_only_one(lvm: LvmHarness) -> None:
    plain, writable = lvm.take(), lvm.take(lvm.request(writable=True))
    lvm.provider.seal(writable)
    for snapshot in (plain, writable):
        device = output("findmnt", "-n", "-o", "SOURCE", snapshot.root).strip()
        assert output("blockdev", "--getro", device).strip() == "1"


def test_it_can_be_listed_with_the_tools_of_lvm(lvm: LvmHarness) -> None:
    lvm.take()
    assert len(output("lvs", "--noheadings", "@fsrvpd").splitlines()) == 1


def test_it_needs_no_more_than_the_service_may(lvm: LvmHarness) -> None:
    """It works with the capabilities of packaging/systemd/fsrvpd.service, without a warning that
    memory could not be locked."""
    origin = lvm.device.removeprefix("/dev/")
    made = ["lvcreate", "--quiet", "--type", "thin", "-n", "fsrvp-limited", "-ky", "-ay", "-K"]
    prefix = [] if EMULATED else confined()  # all tests in an emulated machine are confined
    done = subprocess.run([*prefix, *made, origin], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "mlock" not in done.stderr
    assert "setpriority" not in done.stderr
