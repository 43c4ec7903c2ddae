"""kill -9 of whoever mounts or unmounts before every step: `clean` leaves no set, share, mount,
directory or record."""

from __future__ import annotations

from typing import Iterator

import pytest

from lab.namespaces import wait_until
from tests.requestor.backup_host import Nas, open_nas
from tests.requestor.command_host import HOST
from tests.requestor.mounting import Mounting, Outcome, open_mounting

UNC = rf"\\{HOST}\projects"
FIRST = "MountFiles.write"  # of the steps of `mount`: before it, it is a `create`
STAYS = "Process.let_stay"  # from then on the mount is there to stay


@pytest.fixture(scope="module")
def nas() -> Iterator[Nas]:
    with open_nas() as opened:
        yield opened


@pytest.fixture(scope="module")
def mounting(nas: Nas) -> Iterator[Mounting]:
    with open_mounting(nas.host) as opened:
        yield opened


def mount(mounting: Mounting, output: str = "/dev/null") -> Outcome:
    """`mount`, to its end: the steps that it has."""
    return mounting.do("mount", UNC, output=output)


def clean(nas: Nas, mounting: Mounting, where: str) -> None:
    """After a kill."""
    wait_until("the mount's process ends", lambda: not nas.servers())
    assert mounting.do("clean").status == 0, where
    assert nas.daemon.ask("list-sets") == [], where
    nas.assert_nothing_is_left()


def killed(outcome: Outcome, where: str) -> None:
    assert outcome == Outcome(-9, []), where


def test_mounts_of_a_set_of_somebody_else(nas: Nas, mounting: Mounting) -> None:
    [*_, created] = nas.host.ask("create", UNC)
    [copy] = created["copies"]
    whole = mounting.do("mounts", copy["shadow_share"])
    assert whole.status == 0
    assert len(whole.steps) > 10
    nas.assert_nothing_is_mounted()
    for stop, where in enumerate(whole.steps):
        killed(mounting.do("mounts", copy["shadow_share"], stop=stop), where)
        wait_until("the mount's process ends", lambda: not nas.servers())
        assert mounting.do("clean").status == 0, where
        nas.assert_nothing_is_mounted()
    nas.host.done("delete", "--set", created["set"])
    assert "ExposeShadowCopySet" in nas.calls()
    nas.assert_nothing_is_left()


@pytest.mark.parametrize(("output", "status"), [("/dev/null", 0), ("/dev/full", 1)])
def test_mount(nas: Nas, mounting: Mounting, output: str, status: int) -> None:
    """/dev/full: nobody is told of the set, which is deleted."""
    whole = mount(mounting, output)
    assert whole.status == status
    assert status or mounting.do("unmount", "--all").status == 0
    nas.assert_nothing_is_left()
    for stop in range(whole.steps.index(FIRST), len(whole.steps)):
        where = whole.steps[stop]
        killed(mounting.do("mount", UNC, output=output, stop=stop), where)
        if STAYS in whole.steps[:stop]:
            assert mounting.do("unmount", "--all").status == 0, where
        clean(nas, mounting, f"{stop} {where}")


def test_unmount(nas: Nas, mounting: Mounting) -> None:
    assert mount(mounting).status == 0
    whole = mounting.do("unmount", "--all")
    assert whole.status == 0
    nas.assert_nothing_is_left()
    assert whole.steps[0] == "kernel.unmount"  # it was served until then
    for stop, where in list(enumerate(whole.steps))[1:]:
        assert mount(mounting).status == 0
        killed(mounting.do("unmount", "--all", stop=stop), where)
        clean(nas, mounting, f"{stop} {where}")


def test_run(nas: Nas, mounting: Mounting) -> None:
    whole = mounting.do("run", UNC, "--", "true")
    assert whole.status == 0
    nas.assert_nothing_is_left()
    for stop in range(whole.steps.index(FIRST), len(whole.steps)):
        where = whole.steps[stop]
        killed(mounting.do("run", UNC, "--", "true", stop=stop), where)
        clean(nas, mounting, f"{stop} {where}")


def dead(nas: Nas, mounting: Mounting, steps: Outcome) -> None:
    """A mount that nobody serves, and its kept set."""
    killed(mounting.do("mount", UNC, stop=steps.steps.index(STAYS)), STAYS)
    wait_until("the mount's process ends", lambda: not nas.servers())
    assert [each["kept"] for each in nas.host.ask("list")] == [True]


def test_clean(nas: Nas, mounting: Mounting) -> None:
    steps = mount(mounting)
    assert mounting.do("unmount", "--all").status == 0
    dead(nas, mounting, steps)
    whole = mounting.do("clean")
    assert whole.status == 0
    nas.assert_nothing_is_left()
    assert whole.steps[-1] == "MountFiles.forget"
    for stop, where in enumerate(whole.steps):
        dead(nas, mounting, steps)
        killed(mounting.do("clean", stop=stop), where)
        clean(nas, mounting, f"{stop} {where}")


JOB = """
[job.nightly]
shares = ["//nas/projects"]
run = ["true"]
"""


@pytest.mark.parametrize("command", ["mount", "run"])
def test_the_next_one_ends_what_an_earlier_mount_of_the_job_left(
    nas: Nas, mounting: Mounting, command: str
) -> None:
    """The record of the earlier one is the last that knows of its set."""
    nas.host.write_configuration(JOB)
    steps = mounting.do("mount", "-c", "nightly")
    assert mounting.do("unmount", "nightly").status == 0
    killed(mounting.do("mount", "-c", "nightly", stop=steps.steps.index(STAYS)), STAYS)
    wait_until("the mount's process ends", lambda: not nas.servers())
    assert mounting.do(command, "-c", "nightly").status == 0
    assert len(nas.daemon.ask("list-sets")) == (command == "mount")
    assert mounting.do("unmount", "--all").status == 0
    nas.assert_nothing_is_left()
