"""What every provider must do, on its own real file system. Each test is a case."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Callable

import pytest

from fsrvpd.core.descriptors import closing_fd
from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import Snapshot
from tests.contract.providers.busy_writer import BusyWriter, numbers
from tests.contract.providers.harness import DEEP, SHARE, Harness
from tests.contract.providers.private_mounts import EMULATED, run, unmount


def test_content_is_that_of_the_moment(harness: Harness) -> None:
    (harness.directory / "Brief an Ägir.txt").write_text("old")
    snapshot = harness.take()
    (harness.directory / "Brief an Ägir.txt").write_text("new")
    (harness.directory / "later").touch()
    share = Path(snapshot.share_path)
    assert (share / "Brief an Ägir.txt").read_text() == "old"
    assert os.listdir(share) == ["Brief an Ägir.txt"]


def test_a_share_that_is_the_root_of_its_volume(harness: Harness) -> None:
    (harness.volume / "file").write_text("old")
    for _ in range(2):
        snapshot = harness.take(harness.request(harness.volume))
    share = Path(snapshot.share_path)
    assert (share / "file").read_text() == "old"
    assert (share / DEEP).is_dir()
    inside = [name for _, names, _ in os.walk(share / ".fsrvpd") for name in names]
    assert not [name for name in inside if name.startswith("fsrvp-")], "it must not hold others"


def test_permissions_are_those_of_the_moment(harness: Harness) -> None:
    file = harness.directory / "file"
    file.write_text("x")
    os.chown(file, 1234, 2345)
    file.chmod(0o640)
    run("setfacl", "-m", "u:1001:r--,g:2001:rw-", file)
    run("setfacl", "-d", "-m", "u:1002:rwx", harness.directory)
    os.setxattr(file, "user.DOSATTRIB", b"\0\1\2")
    os.setxattr(file, "security.NTACL", b"\4\0\4\0")
    os.utime(file, ns=(10**18 + 1, 10**18 + 123456789))
    before = describe(file), describe(harness.directory)
    share = Path(harness.take().share_path)
    run("setfacl", "-b", file)
    file.chmod(0o777)
    assert (describe(share / "file"), describe(share)) == before


def describe(path: Path) -> object:
    status = path.stat()
    names = sorted(os.listxattr(path))
    attributes = {name: os.getxattr(path, name) for name in names}
    return status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, attributes


def test_nothing_moves_in_it_while_a_writer_goes_on(harness: Harness) -> None:
    with BusyWriter(harness.directory, harness.directory) as writer:
        for _ in range(3):
            before = writer.numbers()
            share = Path(harness.take().share_path)
            after, taken = writer.numbers(), numbers(share, share)
            assert all(least <= number for least, number in zip(before, taken))
            assert all(number <= most for number, most in zip(taken, after))
            assert taken.are_of_one_moment() or not harness.one_moment
            while writer.numbers().second < after.second + 3:
                assert numbers(share, share) == taken


def test_a_writable_one_is_written_to_and_then_sealed(harness: Harness) -> None:
    (harness.directory / "database").write_text("dirty")
    if not harness.provider.auto_recovery:
        refuse_recovery(harness)
        return
    snapshot = harness.take(harness.request(writable=True))
    (Path(snapshot.share_path) / "database").write_text("recovered")
    harness.provider.seal(snapshot)
    harness.provider.seal(snapshot)
    assert (Path(snapshot.share_path) / "database").read_text() == "recovered"
    assert (harness.directory / "database").read_text() == "dirty"


def refuse_recovery(harness: Harness) -> None:
    """The provider refuses with a reason, and before applications are frozen."""
    request = harness.request(writable=True)
    for attempt in (harness.provider.prepare, harness.provider.plan):
        with pytest.raises(StorageError, match="auto-recovery"):
            attempt(request)


def test_delete_leaves_nothing_and_may_be_repeated(harness: Harness) -> None:
    (harness.directory / "file").touch()
    kept, dropped = harness.take(), harness.take()
    harness.provider.delete(dropped)
    assert not harness.exists(dropped)
    harness.provider.delete(dropped)
    harness.provider.delete(kept)
    assert harness.left_over() == []
    assert harness.found() == []


def test_data_that_was_not_yet_written_back_is_in_it(harness: Harness) -> None:
    content = b"x" * 1_000_000
    with (harness.directory / "open").open("wb", buffering=0) as file:
        file.write(content)
        request = harness.request()
        planned = harness.provider.plan(request)
        harness.provider.create(request, planned)
        file.write(b"y")
    assert (Path(planned.share_path) / "open").read_bytes() == content


def test_it_survives_a_power_cut(harness: Harness) -> None:
    (harness.directory / "file").write_text("content")
    request = harness.request()
    planned = harness.provider.plan(request)
    harness.provider.create(request, planned)
    harness.cut_power()
    (found,) = harness.found()
    assert found.snapshot == planned
    assert (Path(planned.share_path) / "file").read_text() == "content"


def test_what_was_recovered_survives_a_power_cut(harness: Harness) -> None:
    if not harness.provider.auto_recovery:
        pytest.skip(f"{harness.provider.name} has no auto-recovery, and the case above proves it")
    snapshot = harness.take(harness.request(writable=True))
    (Path(snapshot.share_path) / "file").write_text("recovered")
    harness.provider.seal(snapshot)
    harness.cut_power()
    assert (Path(snapshot.share_path) / "file").read_text() == "recovered"


def test_deleted_or_marked_after_a_power_cut(harness: Harness) -> None:
    """A snapshot never exists without its marker, so that it can be deleted."""
    snapshot = harness.take()
    harness.provider.delete(snapshot)
    harness.cut_power()
    for found in harness.found():
        harness.provider.delete(found.snapshot)
    assert harness.left_over() == []


def work_until_killed(harness: Harness) -> None:
    while True:
        harness.provider.delete(
            harness.take(harness.request(writable=harness.provider.auto_recovery))
        )


@pytest.mark.parametrize("seed", range(2 if EMULATED else 10))
def test_a_kill_at_any_moment_leaves_what_is_ours_or_nothing(harness: Harness, seed: int) -> None:
    for number in range(20):
        (harness.directory / f"{number}").mkdir()
        (harness.directory / f"{number}/file").touch()
    pid = os.fork()
    if pid == 0:
        try:
            work_until_killed(harness)
        finally:
            os._exit(1)
    time.sleep(random.Random(seed).uniform(*((2, 8) if EMULATED else (0.005, 0.05))))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    harness.provider = harness.new_provider()
    assert harness.provider.supports(str(harness.directory)) is None
    for found in harness.found():
        harness.provider.delete(found.snapshot)
    assert harness.left_over() == []
    harness.provider.delete(harness.take())
    assert harness.left_over() == []


def test_sealing_what_is_gone_is_an_error(harness: Harness) -> None:
    snapshot = harness.take()
    harness.provider.delete(snapshot)
    with pytest.raises(StorageError, match="no longer exists"):
        harness.provider.seal(snapshot)


def refuse(harness: Harness, snapshot: Snapshot) -> None:
    with pytest.raises(NotOurs):
        harness.provider.delete(snapshot)
    with pytest.raises(NotOurs):
        harness.provider.seal(snapshot)


def test_a_directory_with_another_name_is_not_ours(harness: Harness) -> None:
    precious = harness.volume / "precious"
    precious.mkdir()
    for root in (precious, harness.directory, harness.volume, harness.volume / ".fsrvpd"):
        refuse(harness, harness.take()._replace(root=str(root)))
    assert precious.is_dir()


def test_a_name_like_ours_outside_the_snapshot_directory_is_not_ours(harness: Harness) -> None:
    snapshot = harness.take()
    elsewhere = harness.directory / os.path.basename(snapshot.root)
    elsewhere.mkdir()
    refuse(harness, snapshot._replace(root=str(elsewhere)))
    assert elsewhere.is_dir()


def test_a_name_like_ours_without_the_marker_is_not_ours(harness: Harness) -> None:
    snapshot = harness.take()
    forged = harness.forge(snapshot)
    refuse(harness, forged)
    assert os.path.isdir(forged.root)
    assert len(harness.found()) == 1


def test_it_is_found_after_everything_was_forgotten(harness: Harness) -> None:
    request = harness.request()._replace(state="of this store")
    snapshot = harness.take(request)
    after_restart = harness.new_provider()
    (found,) = after_restart.find([str(harness.volume), str(harness.volume / "absent")])
    assert found.snapshot == snapshot
    assert found.shadow_copy_set_id == request.shadow_copy_set_id
    assert found.shadow_copy_id == request.shadow_copy_id
    assert (found.share, found.server, found.state) == (SHARE, "SERVER", request.state)
    after_restart.delete(found.snapshot)
    assert harness.found() == []


def test_an_interrupted_one_is_found_and_can_be_deleted(harness: Harness) -> None:
    """A crash between the marker and the snapshot leaves only the marker."""
    snapshot = harness.take(harness.request(writable=harness.provider.auto_recovery))
    harness.interrupt(snapshot)
    (found,) = harness.found()
    harness.provider.delete(found.snapshot)
    assert harness.left_over() == []


def test_two_within_one_second_get_two_timestamps(harness: Harness) -> None:
    moment = 1_795_000_000.25
    first = harness.take(harness.request(created=moment))
    second = harness.take(harness.request(created=moment + 0.5))
    assert first.root.endswith("_GMT-2026.11.18-11.06.40")
    assert second.root.endswith("_GMT-2026.11.18-11.06.41")
    assert (first.created, second.created) == (moment, moment + 0.5)
    assert len(harness.found()) == 2


def test_timestamps_stay_unique_over_a_restart(harness: Harness) -> None:
    moment = 1_795_000_000.0
    first = harness.take(harness.request(created=moment))
    harness.provider = harness.new_provider()
    second = harness.take(harness.request(created=moment))
    assert first.root[-8:] != second.root[-8:]


def test_a_snapshot_says_whether_it_is_to_be_kept(harness: Harness) -> None:
    for keep in (False, True):
        harness.take(harness.request()._replace(keep=keep))
    assert sorted(found.keep for found in harness.found()) == [False, True]


def test_what_was_planned_keeps_its_timestamp(harness: Harness) -> None:
    requests = [harness.request(created=1_795_000_000.0) for _ in range(5)]
    planned = [harness.provider.plan(request) for request in requests]
    for request, plan in reversed(list(zip(requests, planned))):
        harness.provider.create(request, plan)
    assert len({plan.root[-8:] for plan in planned}) == 5


def test_hundreds_at_once(harness: Harness, record_property: Callable[[str, object], None]) -> None:
    record_property("snapshots", harness.snapshots_many)
    (harness.directory / "number").write_text("0")
    snapshots = []
    for number in range(harness.snapshots_many):
        (harness.directory / "number").write_text(str(number))
        snapshots.append(harness.take(harness.request(created=1_795_000_000.0)))
    for number, snapshot in enumerate(snapshots):
        assert (Path(snapshot.share_path) / "number").read_text() == str(number)
    assert {found.snapshot for found in harness.found()} == set(snapshots)
    for snapshot in snapshots:
        harness.provider.delete(snapshot)
    assert harness.left_over() == []


def test_without_space_it_is_whole_or_there_is_none(harness: Harness) -> None:
    (harness.directory / "file").write_text("content")
    harness.exhaust()
    try:
        snapshot = harness.take()
    except StorageError:
        assert harness.left_over() == []
    else:
        assert (Path(snapshot.share_path) / "file").read_text() == "content"
        harness.provider.delete(snapshot)
        assert harness.left_over() == []
    harness.relieve()
    assert (Path(harness.take().share_path) / "file").read_text() == "content"


def test_the_share_is_opened_in_its_snapshot(harness: Harness) -> None:
    (harness.directory / "file").write_text("content")
    snapshot = harness.take()
    path = str(harness.directory.relative_to(harness.volume))
    with closing_fd(harness.provider.open_share(snapshot, path)) as fd:
        assert os.path.samestat(os.fstat(fd), os.stat(snapshot.share_path))
    for elsewhere in ("no such directory", "../" * 20, f"{path}/../../.."):
        with pytest.raises(StorageError):
            harness.provider.open_share(snapshot, elsewhere)
    harness.provider.delete(snapshot)
    with pytest.raises(StorageError):
        harness.provider.open_share(snapshot, path)


def test_planning_touches_nothing(harness: Harness) -> None:
    harness.provider.plan(harness.request())
    assert not (harness.volume / ".fsrvpd").exists()


def test_the_supported_share_is_supported(harness: Harness) -> None:
    harness.take()
    assert harness.provider.supports(str(harness.directory)) is None
    assert harness.provider.supports(str(harness.volume)) is None


def test_a_mount_below_the_share_is_refused(harness: Harness) -> None:
    inner = harness.directory / "inner mount"
    inner.mkdir()
    run("mount", "-t", "tmpfs", "tmpfs", inner)
    assert str(inner) in str(harness.provider.supports(str(harness.directory)))
    unmount(inner)
    assert harness.provider.supports(str(harness.directory)) is None


@pytest.mark.parametrize("kind", ["ext4", "root"])
def test_other_file_systems_are_refused(
    harness: Harness, make_volume: Callable[..., Path], tmp_path: Path, kind: str
) -> None:
    if harness.any_file_system:
        pytest.skip(f"{harness.provider.name} takes whatever is mounted")
    other = tmp_path if kind == "root" else make_volume(kind, "other", 32)
    assert str(other) in str(harness.provider.supports(str(other)))


def test_a_snapshot_is_no_base_for_another(harness: Harness) -> None:
    (harness.directory / "inner").mkdir()
    snapshot = harness.take()
    reason = harness.provider.supports(os.path.join(snapshot.share_path, "inner"))
    assert harness.reserved in str(reason)


def test_a_read_only_volume_is_refused(harness: Harness) -> None:
    harness.make_read_only()
    assert "read-only" in str(harness.provider.supports(str(harness.directory)))


def test_nothing_is_concluded_from_a_volume_that_is_not_there(harness: Harness) -> None:
    snapshot = harness.take()
    harness.hide()
    with pytest.raises(StorageError):
        harness.provider.delete(snapshot)
    harness.unhide()
    assert [found.snapshot for found in harness.found()] == [snapshot]


@pytest.mark.parametrize("level", [0, 1])
def test_a_directory_replaced_by_a_link_is_not_followed(
    harness: Harness, tmp_path: Path, level: int
) -> None:
    """The share or its parent directory is replaced after the share was located."""
    (tmp_path / harness.directory.name).mkdir()
    request = harness.request()
    planned = harness.provider.plan(request)
    replaced = [harness.directory, harness.directory.parent][level]
    replaced.rename(harness.volume / "away")
    replaced.symlink_to(tmp_path)
    with pytest.raises(StorageError):
        harness.provider.create(request, planned)
    assert harness.left_over() == []
