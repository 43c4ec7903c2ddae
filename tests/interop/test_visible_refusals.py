"""At Debian's default debug level, 0, each refusal is one line: who, what, why, what to type."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Iterator

import pytest
from impacket.dcerpc.v5.rpcrt import DCERPCException

from fsrvpd.core.messages import Opnum
from fsrvpd.daemon.log.notice_limit import MAX_ALIKE
from fsrvpd.protocol.hresult import HResult
from lab import FsrvpdProcess, Share
from lab.accounts import ROOT, User
from lab.namespaces import wait_until
from tests.interop import secured_agent
from tests.interop.nas import SECOND_ADDRESS, TORTURE_SHARE, Nas, make_directory, open_nas
from tests.interop.raw_agent import SOME_GUID, TIMEOUT, RawAgent, every_call, wide
from tests.interop.secured_agent import SecuredAgent

ORDINARY_USER = User("clerk")
FULL = "full"
TIMED = struct.pack("<I", TIMEOUT)


@pytest.fixture(scope="module")
def quiet() -> Iterator[Nas]:
    """A NAS that logs as much as Debian's smb.conf asks for, and whose XFS volume is full."""
    with open_nas({"fsrvpd:max sets per client": "2"}) as opened:
        opened.daemon.stop()
        nas = opened._replace(daemon=FsrvpdProcess(opened.lab, opened.samba, debug_level=0))
        nas.samba.add_user(ORDINARY_USER.name)
        path = make_directory(nas.lab, nas.volumes["vault"] / FULL)
        nas.samba.set_share(Share(FULL, path))
        nas.samba.reload()
        nas.daemon.start()
        yield nas


def refusals(nas: Nas) -> list[str]:
    return [line for line in nas.daemon.read_log().splitlines() if "-refused " in line]


def assert_said(nas: Nas, before: int, *words: str) -> str:
    """Assert that exactly one line was logged, and that it has these words."""
    wait_until("the refusal is logged", lambda: len(refusals(nas)) > before)
    [line] = refusals(nas)[before:]
    for word in words:
        assert word in line
    return line


def test_a_caller_without_the_right(quiet: Nas) -> None:
    before = len(refusals(quiet))
    with RawAgent(quiet, ORDINARY_USER.name, ORDINARY_USER.password) as agent:
        unc = agent.unc(TORTURE_SHARE)
        assert agent.result(Opnum.IsPathSupported, wide(unc)) == HResult.E_ACCESSDENIED
    assert_said(
        quiet,
        before,
        "event=call-refused",
        "method=IsPathSupported",
        "result=E_ACCESSDENIED",
        "client=127.0.0.1",
        "clerk",
        "neither a member of Administrators",
        r"next: net sam rights grant 'LAB\clerk' SeBackupPrivilege",
    )


def test_a_call_that_is_not_signed(quiet: Nas) -> None:
    quiet.samba.set_option("fsrvpd:require rpc integrity", "yes")
    quiet.daemon.ctl("reload-config")
    try:
        before = len(refusals(quiet))
        with RawAgent(quiet) as agent:
            assert agent.result(Opnum.GetSupportedVersion, b"") == HResult.E_ACCESSDENIED
        assert_said(quiet, before, "the call is not signed", "next: have the client sign its calls")
    finally:
        quiet.samba.set_option("fsrvpd:require rpc integrity", "no")
        quiet.daemon.ctl("reload-config")


def test_a_wrong_password_at_rpc_level(quiet: Nas) -> None:
    before = len(refusals(quiet))
    wrong = ROOT._replace(password="wrong")
    with (
        pytest.raises(DCERPCException),
        SecuredAgent(quiet, secured_agent.INTEGRITY, rpc_user=wrong) as agent,
    ):
        agent.call(Opnum.GetSupportedVersion, b"")
    line = assert_said(
        quiet,
        before,
        "event=caller-refused",
        "client=127.0.0.1",
        "root",
        "authentication failed: ",
        "next: smbclient -L localhost -U ",
    )
    assert "wrong password" not in line.partition("-U ")[2]


def test_a_call_in_a_wrong_state(quiet: Nas) -> None:
    before = len(refusals(quiet))
    with RawAgent(quiet) as agent:
        set_id = agent.start()
        refused = agent.result(Opnum.CommitShadowCopySet, set_id + TIMED)
        assert refused == HResult.FSRVP_E_BAD_STATE
        agent.must(Opnum.AbortShadowCopySet, set_id)
    assert_said(
        quiet,
        before,
        "method=CommitShadowCopySet result=FSRVP_E_BAD_STATE",
        "not permitted in Status Started",
        "next: fsrvpctl fsrvpd ",
    )


@pytest.mark.parametrize(
    ("share", "why", "type_next"),
    [
        ("plain", "is not on btrfs but on ext4", "next: fsrvpctl fsrvpd check-path plain"),
        ("no such", "there is no share 'no such'", "next: testparm -s --section-name='no such'"),
    ],
)
def test_a_share_that_cannot_be_copied(quiet: Nas, share: str, why: str, type_next: str) -> None:
    before = len(refusals(quiet))
    with RawAgent(quiet) as agent:
        assert agent.result(Opnum.IsPathSupported, wide(agent.unc(share)))
    assert_said(quiet, before, "root", f"share={share if share == 'plain' else repr(share)}", why)
    assert type_next in refusals(quiet)[-1]


def test_the_name_of_another_server(quiet: Nas) -> None:
    before = len(refusals(quiet))
    with RawAgent(quiet) as agent:
        unc = wide(f"\\\\elsewhere\\{TORTURE_SHARE}")
        assert agent.result(Opnum.IsPathSupported, unc) == HResult.E_INVALIDARG
    assert_said(quiet, before, "a host that is not this server", "additional host names")


def test_a_client_with_too_many_sets(quiet: Nas) -> None:
    with RawAgent(quiet) as agent:
        sets = []
        for _ in range(2):
            set_id = agent.start()
            copy_id = agent.add(set_id, TORTURE_SHARE)
            agent.expose(set_id)
            agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
            sets.append((set_id, copy_id))
        before = len(refusals(quiet))
        agent.must(Opnum.SetContext, bytes(4))
        agent.result(Opnum.StartShadowCopySet, SOME_GUID)
        assert_said(
            quiet, before, "fsrvpd:max sets per client = 2", "next: fsrvpctl fsrvpd list-sets"
        )
        for set_id, copy_id in sets:
            agent.delete(set_id, copy_id, TORTURE_SHARE)


def test_a_full_volume(quiet: Nas) -> None:
    vault, filler = quiet.volumes["vault"], quiet.volumes["vault"] / FULL / "filler"
    fill = f"dd if=/dev/zero of={filler} bs=1M; dd if=/dev/zero bs=4k >> {filler}"
    fill += f"; cd {vault}/{FULL}; i=0; while mkdir d$i; do i=$((i+1)); done"
    quiet.lab.run(["sh", "-c", f"({fill}) 2>/dev/null; true"])
    before = len(refusals(quiet))
    try:
        with RawAgent(quiet) as agent:
            set_id = agent.start()
            agent.add(set_id, FULL)
            results = [agent.result(Opnum.PrepareShadowCopySet, set_id + TIMED)]
            if not results[0]:
                results.append(agent.result(Opnum.CommitShadowCopySet, set_id + TIMED))
            agent.must(Opnum.AbortShadowCopySet, set_id)
        assert results[-1] == HResult.VSS_E_INSUFFICIENT_STORAGE
        line = assert_said(quiet, before, "No space left on device", f"share={FULL}")
        assert f"next: df {vault}" in line
        assert '{"' not in line, "what fsrvpd notes of a snapshot is nothing to a reader"
    finally:
        quiet.lab.run(["sh", "-c", f"rm -rf {vault}/{FULL}/*"])


@pytest.mark.parametrize(("opnum", "why"), [(99, "method 99"), (1, "SetContext: ")])
def test_a_fault_names_who_caused_it(quiet: Nas, opnum: int, why: str) -> None:
    before = len(refusals(quiet))
    with RawAgent(quiet) as agent, pytest.raises(DCERPCException):
        agent._there(lambda: (agent._pipe.call(opnum, b""), agent._pipe.recv()))
    assert_said(quiet, before, "event=caller-refused", "client=127.0.0.1", "root", why)


def test_nobody_fills_the_log_or_hides_another(quiet: Nas) -> None:
    """One who floods from many addresses is one caller; the line of another is seen."""
    before = len(refusals(quiet))
    user = ORDINARY_USER
    for address in (quiet.samba.address, SECOND_ADDRESS):
        with RawAgent(quiet, user.name, user.password, address=address) as agent:
            for _ in range(MAX_ALIKE):
                for opnum, stub in every_call(agent.unc(TORTURE_SHARE)).items():
                    agent.result(opnum, stub)
    with RawAgent(quiet) as agent:
        agent.result(Opnum.IsPathSupported, wide(agent.unc("machine")))
    wait_until("the other's is seen", lambda: "share=machine" in refusals(quiet)[-1])
    assert len(refusals(quiet)) - before <= MAX_ALIKE + 1


def test_the_directory_of_logs_has_no_secret(quiet: Nas) -> None:
    said = Path(quiet.daemon.log).read_text()
    assert ROOT.password not in said
    assert ORDINARY_USER.password not in said
