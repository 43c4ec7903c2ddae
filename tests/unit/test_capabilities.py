from __future__ import annotations

import os
import subprocess
from typing import Iterator

import pytest

from fsrvpd.capabilities import FOR_CLONES, FOR_SNAPSHOTS, lacking, why_insufficient

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to drop")


@pytest.fixture
def process(request: pytest.FixtureRequest) -> Iterator[int]:
    """A process that runs behind a command."""
    argv = [*request.param, "sh", "-c", "echo; exec sleep 60"]
    started = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert started.stdout is not None
    runs = started.stdout.readline()
    if runs:
        yield started.pid
    started.kill()
    started.wait()
    started.stdout.close()
    if not runs:
        pytest.skip(f"{argv[0]} may not do it here, as in a chroot")


def test_root_has_what_it_needs() -> None:
    assert lacking({**FOR_SNAPSHOTS, **FOR_CLONES}) == []
    assert why_insufficient() == ""


@pytest.mark.parametrize(
    "process",
    [["setpriv", "--bounding-set=-sys_admin,-mknod", "--inh-caps=-sys_admin,-mknod"]],
    indirect=True,
)
def test_what_is_missing_is_named_with_the_cure(process: int) -> None:
    assert lacking(FOR_CLONES, process) == ["CAP_MKNOD"]
    why = why_insufficient(process)
    assert "runs without CAP_SYS_ADMIN: what it made it could not remove again" in why
    assert "--cap-add=SYS_ADMIN for a container" in why


@pytest.mark.parametrize("process", [["unshare", "--user", "--map-root-user"]], indirect=True)
def test_root_of_a_user_namespace_is_not_enough(process: int) -> None:
    assert "runs in a user namespace" in why_insufficient(process)
