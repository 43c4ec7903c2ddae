"""What every provider must do, on its own real file system. A provider is a row, a test a case."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Callable

import pytest

from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import Snapshot
from tests.contract.providers.bed import DEEP, SHARE, Bed
from tests.contract.providers.busy_writer import BusyWriter, numbers
from tests.contract.providers.private_mounts import EMULATED, run, unmount


def test_content_is_that_of_the_moment(bed: Bed) -> None:
    (bed.directory / "Brief an Ägir.txt").write_text("old")
    snapshot = bed.take()
    (bed.directory / "Brief an Ägir.txt").write_text("new")
    (bed.directory / "later").touch()
    share = Path(snapshot.share_path)
    assert (share / "Brief an Ägir.txt").read_text() == "old"
    assert os.listdir(share) == ["Brief an Ägir.txt"]


def test_a_share_that_is_the_root_of_its_volume(bed: Bed) -> None:
    (bed.volume / "file").write_text("old")
    for _ in range(2):
        snapshot = bed.take(bed.request(bed.volume))
    share = Path(snapshot.share_path)
    assert (share / "file").read_text() == "old"
    assert (share / DEEP).is_dir()
    inside = [name for _, names, _ in os.walk(share / ".fsrvpd") for name in names]
    assert not [name for name in inside if name.startswith("fsrvp-")], "it must not hold others"


def test_permissions_are_those_of_the_moment(bed: Bed) -> None:
    file = bed.directory / "file"
    file.write_text("x")
    os.chown(file, 1234, 2345)
    file.chmod(0o640)
    run("setfacl", "-m", "u:1001:r--,g:2001:rw-", file)
    run("setfacl", "-d", "-m", "u:1002:rwx", bed.directory)
    os.setxattr(file, "user.DOSATTRIB", b"\0\1\2")
    os.setxattr(file, "security.NTACL", b"\4\0\4\0")
    os.utime(file, ns=(10**18 + 1, 10**18 + 123456789))
    before = describe(file), describe(bed.directory)
    share = Path(bed.take().share_path)
    run("setfacl", "-b", file)
    file.chmod(0o777)
    assert (describe(share / "file"), describe(share)) == before


def describe(path: Path) -> object:
    status = path.stat()
    names = sorted(os.listxattr(path))
    attributes = {name: os.getxattr(path, name) for name in names}
    return status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, attributes


def test_nothing_moves_in_it_while_a_writer_goes_on(bed: Bed) -> None:
    with BusyWriter(bed.directory, bed.directory) as writer:
        for _ in range(3):
            before = writer.numbers()
            share = Path(bed.take().share_path)
            after, taken = writer.numbers(), numbers(share, share)
            assert all(least <= number for least, number in zip(before, taken))
            assert all(number <= most for number, most in zip(taken, after))
            assert taken.are_of_one_moment() or not bed.one_moment
            while writer.numbers().second < after.second + 3:
                assert numbers(share, share) == taken


def test_a_writable_one_is_written_to_and_then_sealed(bed: Bed) -> None:
    (bed.directory / "database").write_text("dirty")
    if not bed.provider.auto_recovery:
        refuse_recovery(bed)
        return
    snapshot = bed.take(bed.request(writable=True))
    (Path(snapshot.share_path) / "database").write_text("recovered")
    bed.provider.seal(snapshot)
    bed.provider.seal(snapshot)
    assert (Path(snapshot.share_path) / "database").read_text() == "recovered"
    assert (bed.directory / "database").read_text() == "dirty"


def refuse_recovery(bed: Bed) -> None:
    """With a reason, and before applications stand still."""
    request = bed.request(writable=True)
    for attempt in (bed.provider.prepare, bed.provider.plan):
        with pytest.raises(StorageError, match="auto-recovery"):
            attempt(request)


def test_delete_leaves_nothing_and_may_be_repeated(bed: Bed) -> None:
    (bed.directory / "file").touch()
    kept, dropped = bed.take(), bed.take()
    bed.provider.delete(dropped)
    assert not bed.exists(dropped)
    bed.provider.delete(dropped)
    bed.provider.delete(kept)
    assert bed.left_over() == []
    assert bed.found() == []


def test_data_that_was_not_yet_written_back_is_in_it(bed: Bed) -> None:
    content = b"x" * 1_000_000
    with (bed.directory / "open").open("wb", buffering=0) as file:
        file.write(content)
        request = bed.request()
        planned = bed.provider.plan(request)
        bed.provider.create(request, planned)
        file.write(b"y")
    assert (Path(planned.share_path) / "open").read_bytes() == content


def test_it_survives_a_power_cut(bed: Bed) -> None:
    (bed.directory / "file").write_text("content")
    request = bed.request()
    planned = bed.provider.plan(request)
    bed.provider.create(request, planned)
    bed.cut_power()
    (found,) = bed.found()
    assert found.snapshot == planned
    assert (Path(planned.share_path) / "file").read_text() == "content"


def test_what_was_recovered_survives_a_power_cut(bed: Bed) -> None:
    if not bed.provider.auto_recovery:
        pytest.skip(f"{bed.provider.name} has no auto-recovery, and the case above proves it")
    snapshot = bed.take(bed.request(writable=True))
    (Path(snapshot.share_path) / "file").write_text("recovered")
    bed.provider.seal(snapshot)
    bed.cut_power()
    assert (Path(snapshot.share_path) / "file").read_text() == "recovered"


def test_deleted_or_marked_after_a_power_cut(bed: Bed) -> None:
    """Never there without its mark, so that it can be deleted again."""
    snapshot = bed.take()
    bed.provider.delete(snapshot)
    bed.cut_power()
    for found in bed.found():
        bed.provider.delete(found.snapshot)
    assert bed.left_over() == []


def work_until_killed(bed: Bed) -> None:
    while True:
        bed.provider.delete(bed.take(bed.request(writable=bed.provider.auto_recovery)))


@pytest.mark.parametrize("seed", range(2 if EMULATED else 10))
def test_a_kill_at_any_moment_leaves_what_is_ours_or_nothing(bed: Bed, seed: int) -> None:
    for number in range(20):
        (bed.directory / f"{number}").mkdir()
        (bed.directory / f"{number}/file").touch()
    pid = os.fork()
    if pid == 0:
        try:
            work_until_killed(bed)
        finally:
            os._exit(1)
    time.sleep(random.Random(seed).uniform(*((2, 8) if EMULATED else (0.005, 0.05))))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    bed.provider = bed.new_provider()
    assert bed.provider.supports(str(bed.directory)) is None
    for found in bed.found():
        bed.provider.delete(found.snapshot)
    assert bed.left_over() == []
    bed.provider.delete(bed.take())
    assert bed.left_over() == []


def test_sealing_what_is_gone_is_an_error(bed: Bed) -> None:
    snapshot = bed.take()
    bed.provider.delete(snapshot)
    with pytest.raises(StorageError, match="not there"):
        bed.provider.seal(snapshot)


def refuse(bed: Bed, snapshot: Snapshot) -> None:
    with pytest.raises(NotOurs):
        bed.provider.delete(snapshot)
    with pytest.raises(NotOurs):
        bed.provider.seal(snapshot)


def test_a_directory_with_another_name_is_not_ours(bed: Bed) -> None:
    precious = bed.volume / "precious"
    precious.mkdir()
    for root in (precious, bed.directory, bed.volume, bed.volume / ".fsrvpd"):
        refuse(bed, bed.take()._replace(root=str(root)))
    assert precious.is_dir()


def test_a_name_like_ours_outside_the_home_is_not_ours(bed: Bed) -> None:
    snapshot = bed.take()
    elsewhere = bed.directory / os.path.basename(snapshot.root)
    elsewhere.mkdir()
    refuse(bed, snapshot._replace(root=str(elsewhere)))
    assert elsewhere.is_dir()


def test_a_name_like_ours_without_the_mark_is_not_ours(bed: Bed) -> None:
    snapshot = bed.take()
    forged = bed.forge(snapshot)
    refuse(bed, forged)
    assert os.path.isdir(forged.root)
    assert len(bed.found()) == 1


def test_it_is_found_after_everything_was_forgotten(bed: Bed) -> None:
    request = bed.request()._replace(state="of this store")
    snapshot = bed.take(request)
    after_restart = bed.new_provider()
    (found,) = after_restart.find([str(bed.volume), str(bed.volume / "absent")])
    assert found.snapshot == snapshot
    assert found.shadow_copy_set_id == request.shadow_copy_set_id
    assert found.shadow_copy_id == request.shadow_copy_id
    assert (found.share, found.server, found.state) == (SHARE, "SERVER", request.state)
    after_restart.delete(found.snapshot)
    assert bed.found() == []


def test_an_interrupted_one_is_found_and_can_be_deleted(bed: Bed) -> None:
    """A crash between the mark and the snapshot leaves the mark alone."""
    snapshot = bed.take(bed.request(writable=bed.provider.auto_recovery))
    bed.interrupt(snapshot)
    (found,) = bed.found()
    bed.provider.delete(found.snapshot)
    assert bed.left_over() == []


def test_two_within_one_second_get_two_labels(bed: Bed) -> None:
    moment = 1_795_000_000.25
    first = bed.take(bed.request(created=moment))
    second = bed.take(bed.request(created=moment + 0.5))
    assert first.root.endswith("_GMT-2026.11.18-11.06.40")
    assert second.root.endswith("_GMT-2026.11.18-11.06.41")
    assert (first.created, second.created) == (moment, moment + 0.5)
    assert len(bed.found()) == 2


def test_labels_stay_unique_over_a_restart(bed: Bed) -> None:
    moment = 1_795_000_000.0
    first = bed.take(bed.request(created=moment))
    bed.provider = bed.new_provider()
    second = bed.take(bed.request(created=moment))
    assert first.root[-8:] != second.root[-8:]


def test_a_snapshot_says_whether_it_is_to_be_kept(bed: Bed) -> None:
    for keep in (False, True):
        bed.take(bed.request()._replace(keep=keep))
    assert sorted(found.keep for found in bed.found()) == [False, True]


def test_what_was_planned_keeps_its_label(bed: Bed) -> None:
    requests = [bed.request(created=1_795_000_000.0) for _ in range(5)]
    planned = [bed.provider.plan(request) for request in requests]
    for request, plan in reversed(list(zip(requests, planned))):
        bed.provider.create(request, plan)
    assert len({plan.root[-8:] for plan in planned}) == 5


def test_hundreds_at_once(bed: Bed, record_property: Callable[[str, object], None]) -> None:
    record_property("snapshots", bed.many)
    (bed.directory / "number").write_text("0")
    snapshots = []
    for number in range(bed.many):
        (bed.directory / "number").write_text(str(number))
        snapshots.append(bed.take(bed.request(created=1_795_000_000.0)))
    for number, snapshot in enumerate(snapshots):
        assert (Path(snapshot.share_path) / "number").read_text() == str(number)
    assert {found.snapshot for found in bed.found()} == set(snapshots)
    for snapshot in snapshots:
        bed.provider.delete(snapshot)
    assert bed.left_over() == []


def test_without_space_it_is_whole_or_there_is_none(bed: Bed) -> None:
    (bed.directory / "file").write_text("content")
    bed.exhaust()
    try:
        snapshot = bed.take()
    except StorageError:
        assert bed.left_over() == []
    else:
        assert (Path(snapshot.share_path) / "file").read_text() == "content"
        bed.provider.delete(snapshot)
        assert bed.left_over() == []
    bed.relieve()
    assert (Path(bed.take().share_path) / "file").read_text() == "content"


def test_previous_versions_are_where_they_are_said_to_be(bed: Bed) -> None:
    request = bed.request()
    snapshot = bed.take(request)
    where = bed.provider.previous_versions(request.place)
    assert Path(snapshot.root).parent == Path(where.snapdir)
    assert Path(snapshot.share_path) == Path(snapshot.root) / bed.directory.relative_to(
        where.basedir
    )


def test_planning_touches_nothing(bed: Bed) -> None:
    bed.provider.plan(bed.request())
    assert not (bed.volume / ".fsrvpd").exists()


def test_the_supported_share_is_supported(bed: Bed) -> None:
    bed.take()
    assert bed.provider.supports(str(bed.directory)) is None
    assert bed.provider.supports(str(bed.volume)) is None


def test_a_mount_below_the_share_is_refused(bed: Bed) -> None:
    inner = bed.directory / "inner mount"
    inner.mkdir()
    run("mount", "-t", "tmpfs", "tmpfs", inner)
    assert str(inner) in str(bed.provider.supports(str(bed.directory)))
    unmount(inner)
    assert bed.provider.supports(str(bed.directory)) is None


@pytest.mark.parametrize("kind", ["ext4", "root"])
def test_other_file_systems_are_refused(
    bed: Bed, make_volume: Callable[..., Path], tmp_path: Path, kind: str
) -> None:
    if bed.any_file_system:
        pytest.skip(f"{bed.provider.name} takes whatever is mounted")
    other = tmp_path if kind == "root" else make_volume(kind, "other", 32)
    assert str(other) in str(bed.provider.supports(str(other)))


def test_a_snapshot_is_no_base_for_another(bed: Bed) -> None:
    (bed.directory / "inner").mkdir()
    snapshot = bed.take()
    reason = bed.provider.supports(os.path.join(snapshot.share_path, "inner"))
    assert bed.reserved in str(reason)


def test_a_read_only_volume_is_refused(bed: Bed) -> None:
    bed.make_read_only()
    assert "read-only" in str(bed.provider.supports(str(bed.directory)))


def test_nothing_is_concluded_from_a_volume_that_is_not_there(bed: Bed) -> None:
    snapshot = bed.take()
    bed.hide()
    with pytest.raises(StorageError):
        bed.provider.delete(snapshot)
    bed.unhide()
    assert [found.snapshot for found in bed.found()] == [snapshot]


@pytest.mark.parametrize("level", [0, 1])
def test_a_directory_replaced_by_a_link_is_not_followed(
    bed: Bed, tmp_path: Path, level: int
) -> None:
    """The share or the directory around it, after it was placed."""
    (tmp_path / bed.directory.name).mkdir()
    request = bed.request()
    planned = bed.provider.plan(request)
    replaced = [bed.directory, bed.directory.parent][level]
    replaced.rename(bed.volume / "away")
    replaced.symlink_to(tmp_path)
    with pytest.raises(StorageError):
        bed.provider.create(request, planned)
    assert bed.left_over() == []
