"""`.fsrvpd` with the markers of providers: closed to users."""

from __future__ import annotations

import errno
import os

import pytest

from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import WarnsOfVolumes
from tests.contract.providers.conftest import WITH_SNAPSHOT_DIRECTORY, chosen
from tests.contract.providers.harness import Harness
from tests.contract.providers.private_mounts import run


@pytest.fixture(params=chosen(WITH_SNAPSHOT_DIRECTORY))
def harness(request: pytest.FixtureRequest) -> Harness:
    made: Harness = request.getfixturevalue(f"{request.param}_harness")
    return made


def test_it_is_closed_to_users(harness: Harness) -> None:
    harness.take()
    directory = harness.volume / ".fsrvpd"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / ".marks").stat().st_mode & 0o777 == 0o700


# CephFS knows neither flag.
@pytest.mark.parametrize("harness", chosen(["btrfs", "reflink", "copy"]), indirect=True)
@pytest.mark.parametrize("flag", ["+i", "+a"])
def test_a_root_that_cannot_be_changed_is_refused(harness: Harness, flag: str) -> None:
    harness.provider.delete(harness.take())
    run("chattr", flag, harness.volume)
    reason = str(harness.provider.supports(str(harness.directory)))
    run("chattr", flag.replace("+", "-"), harness.volume)
    assert f"chattr {flag} forbids changes" in reason
    assert f"chattr {flag.replace('+', '-')} '{harness.volume}'" in reason
    assert harness.provider.supports(str(harness.directory)) is None


@pytest.mark.parametrize(
    ("mode", "owner", "warned"),
    [(0o755, 0, False), (0o777, 0, True), (0o1777, 0, False), (0o775, 0, True), (0o755, 1, True)],
)
def test_a_root_that_users_can_write_to_is_warned_of(
    harness: Harness, mode: int, owner: int, warned: bool
) -> None:
    assert isinstance(harness.provider, WarnsOfVolumes)
    os.chown(harness.volume, owner, 0)
    harness.volume.chmod(mode)
    assert bool(harness.provider.warnings(str(harness.volume))) is warned


def test_acls_that_the_snapshot_directory_would_inherit_are_dropped(harness: Harness) -> None:
    run("setfacl", "-d", "-m", "u:1002:rwx", harness.volume)
    harness.take()
    assert not [name for name in os.listxattr(harness.volume / ".fsrvpd") if "posix_acl" in name]


def test_what_another_version_took_is_found_and_left_alone(harness: Harness) -> None:
    """fsrvpd never deletes what it does not understand."""
    snapshot = harness.take()
    (marker,) = (harness.volume / ".fsrvpd/.marks").iterdir()
    text = os.readlink(marker)
    marker.unlink()
    marker.symlink_to(text.replace('"fsrvpd":2', '"fsrvpd":1'))
    [found] = harness.found()
    assert (found.snapshot, found.readable) == (snapshot, False)
    with pytest.raises(NotOurs):
        harness.provider.delete(snapshot)
    assert harness.exists(snapshot)
    assert marker.is_symlink()


def test_a_failed_one_leaves_nothing(harness: Harness) -> None:
    request = harness.request()
    planned = harness.provider.plan(request)
    taken = harness.request(created=request.created)
    other = planned._replace(
        root=planned.root.replace(request.shadow_copy_id, taken.shadow_copy_id)
    )
    harness.provider.create(taken, other)
    with pytest.raises(StorageError) as caught:
        harness.provider.create(request, planned)
    assert caught.value.error_number == errno.EEXIST
    assert [found.snapshot.root for found in harness.found()] == [other.root]
    assert os.path.isdir(other.root)
