"""A set of shares on several volumes: CommitShadowCopySet takes them all at one moment.

The tests start with the agent's job, which is where the volumes of a set come together. The
selection, the providers and the storage are real.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, List, cast

import pytest

from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.daemon.agent.jobs import JobRunner
from fsrvpd.protocol.actions import Commit, Failed, Prepare, Remove, Succeeded
from fsrvpd.protocol.ports import ShareRegistry
from fsrvpd.providers.lvm import freeze
from fsrvpd.providers.selection import Selection, standard
from tests.contract.providers.busy_writer import BusyWriter, numbers
from tests.contract.providers.conftest import chosen
from tests.contract.providers.harness import Harness

SET = bytes(16)
NOBODY = cast(ShareRegistry, None)  # shares are created in a later step


@pytest.fixture(params=chosen(["lvm-xfs", "zfs"]))
def chosen(request: pytest.FixtureRequest) -> List[Harness]:
    """Two volumes; those of LVM have different file systems."""
    made: List[Harness] = request.getfixturevalue(
        f"two_{request.param.partition('-')[0]}_harnesses"
    )
    return made


@pytest.fixture
def selection(mounts: LiveMounts, tmp_path: Path) -> Selection:
    return standard(mounts, lambda share: {}, str(tmp_path))


@pytest.fixture(autouse=True)
def _timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow commands more time: on a busy emulated machine they take many seconds."""
    monkeypatch.setattr(freeze, "LIMIT", 300.0)


@pytest.fixture
def runner(selection: Selection) -> JobRunner:
    no_exports: Any = SimpleNamespace(remove_snapshot=lambda snapshot: None)
    return JobRunner(selection, NOBODY, no_exports)


def test_a_set_of_several_volumes_is_of_one_moment(
    chosen: List[Harness], runner: JobRunner
) -> None:
    one, two = chosen
    for writable in (False, True):
        with BusyWriter(one.directory, two.directory) as writer:
            before = writer.numbers()
            requests = [harness.request(writable=writable) for harness in chosen]
            assert isinstance(runner.run(Prepare(SET, requests)), Succeeded)
            committed = runner.run(Commit(SET, requests))
            assert isinstance(committed, Succeeded), committed
            places = [Path(snapshot.share_path) for snapshot in committed.snapshots]
            taken = numbers(*places)
            assert all(least <= number for least, number in zip(before, taken))
            assert taken.are_of_one_moment()
            behind = writer.numbers().second + 3
            while writer.numbers().second < behind:  # until the writer is thawed
                assert numbers(*places) == taken
        assert isinstance(runner.run(Remove(SET, snapshots=[*committed.snapshots])), Succeeded)
    assert [harness.left_over() for harness in chosen] == [[], []]


def test_when_one_fails_nothing_is_left_of_any(chosen: List[Harness], runner: JobRunner) -> None:
    one, two = chosen
    requests = [harness.request() for harness in chosen]
    two.directory.rename(two.volume / "away")
    failed = runner.run(Commit(SET, requests))
    assert isinstance(failed, Failed)
    assert [harness.left_over() for harness in chosen] == [[], []]
    one.provider.delete(one.take())


def test_half_of_a_set_after_a_crash_is_found_and_removed(
    chosen: List[Harness], runner: JobRunner
) -> None:
    """The daemon dies during a commit: the recorded intent names the possible snapshots."""
    requests = [harness.request() for harness in chosen]
    chosen[0].take(requests[0])
    assert isinstance(runner.run(Remove(SET, unknown=requests)), Succeeded)
    assert [harness.left_over() for harness in chosen] == [[], []]
