"""A daemon without the privileges that it needs, as in a container: it makes nothing."""

from __future__ import annotations

import json
from typing import Iterator

import pytest

from fsrvpd.protocol.hresult import HResult
from lab import fss
from tests.interop.nas import TORTURE_SHARE, Nas

DROPPED = "-sys_admin"  # what Docker drops
WHY = "fsrvpd runs without CAP_SYS_ADMIN"


@pytest.fixture(scope="module")
def restricted(nas: Nas) -> Iterator[Nas]:
    nas.daemon.stop()
    nas.daemon.start(["setpriv", f"--bounding-set={DROPPED}", f"--inh-caps={DROPPED}"])
    return nas


@pytest.mark.parametrize("share", [TORTURE_SHARE, "vault"])
def test_a_set_that_could_not_be_deleted_is_not_begun(restricted: Nas, share: str) -> None:
    command = f"fss_create_expose backup ro {share}"
    assert fss.refusal(restricted.samba, command) == HResult.FSRVP_E_NOT_SUPPORTED
    assert restricted.daemon.calls()[-1].method == "IsPathSupported"
    assert restricted.snapshots() == []


def test_the_admin_reads_why_and_what_to_do(restricted: Nas) -> None:
    daemon = restricted.daemon
    assert f"event=capabilities-missing {WHY}" in daemon.read_log()
    answer = daemon.ctl("check-path", TORTURE_SHARE, "--json", check=False)
    assert WHY in json.loads(answer.stdout)["reason"]
    doctor = daemon.command("doctor", "--no-self-test", "--json", check=False)
    [finding] = [each for each in json.loads(doctor.stdout) if each["topic"] == "capabilities"]
    assert finding["severity"] == "fail"
    assert "--cap-add=SYS_ADMIN" in finding["text"]


def test_the_root_of_a_volume_that_users_can_write_to_is_warned_of(nas: Nas) -> None:
    nas.daemon.restart()
    [warning] = nas.daemon.ask("check-path", TORTURE_SHARE)["warnings"]
    assert "can be written by others than root (owner 0, mode 0777)" in warning
    assert "`chown root /" in warning
    assert " && chmod +t /" in warning
    assert "warning: the root of its volume" in nas.daemon.ctl("check-path", TORTURE_SHARE).stdout
    doctor = nas.daemon.command("doctor", "--no-self-test", "--json", check=False)
    warned = [each for each in json.loads(doctor.stdout) if each["text"] == warning]
    assert [each["severity"] for each in warned] == ["warn"]
