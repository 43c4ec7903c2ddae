"""A set of shares on several volumes: CommitShadowCopySet takes them all at one moment.

From the job on, as the agent gives it, since that is where the volumes of a set come
together: the selection, the providers and the storage are real.
"""

from __future__ import annotations

from pathlib import Path
from typing import List, cast

import pytest

from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.daemon.jobs import JobRunner
from fsrvpd.protocol.actions import Commit, Failed, Prepare, Remove, Succeeded
from fsrvpd.protocol.ports import ShareRegistry
from fsrvpd.providers import freezing
from fsrvpd.providers.selection import Selection, standard
from tests.contract.providers.bed import Bed
from tests.contract.providers.busy_writer import BusyWriter, numbers
from tests.contract.providers.conftest import chosen

SET = bytes(16)
NOBODY = cast(ShareRegistry, None)  # shares are made later


@pytest.fixture(params=chosen(["lvm-xfs", "zfs"]))
def beds(request: pytest.FixtureRequest) -> List[Bed]:
    """Two volumes, of LVM with another file system each."""
    made: List[Bed] = request.getfixturevalue(f"two_{request.param.partition('-')[0]}_beds")
    return made


@pytest.fixture
def selection(mounts: LiveMounts, tmp_path: Path) -> Selection:
    return standard(mounts, lambda share: {}, str(tmp_path))


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On an emulated machine, which may have to share, a command takes many seconds."""
    monkeypatch.setattr(freezing, "LIMIT", 300.0)


@pytest.fixture
def runner(selection: Selection) -> JobRunner:
    return JobRunner(selection, NOBODY, lambda job, outcome: None)


def test_a_set_of_several_volumes_is_of_one_moment(beds: List[Bed], runner: JobRunner) -> None:
    one, two = beds
    for writable in (False, True):
        with BusyWriter(one.directory, two.directory) as writer:
            before = writer.numbers()
            requests = [bed.request(writable=writable) for bed in beds]
            assert isinstance(runner.run(Prepare(SET, requests)), Succeeded)
            committed = runner.run(Commit(SET, requests))
            assert isinstance(committed, Succeeded), committed
            places = [Path(snapshot.share_path) for snapshot in committed.snapshots]
            taken = numbers(*places)
            assert all(least <= number for least, number in zip(before, taken))
            assert taken.are_of_one_moment()
            behind = writer.numbers().second + 3
            while writer.numbers().second < behind:  # they are not held any more
                assert numbers(*places) == taken
        assert isinstance(runner.run(Remove(SET, [], [*committed.snapshots])), Succeeded)
    assert [bed.left_over() for bed in beds] == [[], []]


def test_when_one_fails_nothing_is_left_of_any(beds: List[Bed], runner: JobRunner) -> None:
    one, two = beds
    requests = [bed.request() for bed in beds]
    two.directory.rename(two.volume / "away")
    failed = runner.run(Commit(SET, requests))
    assert isinstance(failed, Failed)
    assert [bed.left_over() for bed in beds] == [[], []]
    one.provider.delete(one.take())


def test_half_of_a_set_after_a_crash_is_found_and_removed(
    beds: List[Bed], runner: JobRunner
) -> None:
    """As when the daemon dies in the midst of a commit: the intent says what may be there."""
    requests = [bed.request() for bed in beds]
    beds[0].take(requests[0])
    assert isinstance(runner.run(Remove(SET, unknown=requests)), Succeeded)
    assert [bed.left_over() for bed in beds] == [[], []]
