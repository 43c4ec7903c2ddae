"""What happened is remembered: sets with their freeze windows, last backups, last refusals."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any, Iterator

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from lab import fss
from lab.accounts import User
from lab.namespaces import wait_until
from tests.interop.nas import TORTURE_SHARE, Nas, open_nas
from tests.interop.raw_agent import RawAgent, wide

ORDINARY_USER = User("clerk")


@pytest.fixture(scope="module")
def nas() -> Iterator[Nas]:
    with open_nas() as opened:
        opened.samba.add_user(ORDINARY_USER.name)
        yield opened


def history(nas: Nas, *options: str) -> Any:
    return nas.daemon.ask("history", *options)


def file(nas: Nas) -> Path:
    state = nas.samba.place("state directory") / "fsrvpd" / "history.sqlite3"
    return nas.lab.seen(state)


def complete(nas: Nas, share: str = TORTURE_SHARE) -> str:
    """Make a set and delete it. Returns its id."""
    with RawAgent(nas) as agent:
        set_id = agent.start()
        copy_id = agent.add(set_id, share)
        agent.expose(set_id)
        agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
        agent.delete(set_id, copy_id, share)
    [newest, *_] = history(nas)["sets"]
    return str(newest["set"])


def test_a_set_is_remembered_across_restarts(nas: Nas) -> None:
    set_id = complete(nas)
    before = history(nas)
    [one] = [each for each in before["sets"] if each["set"] == set_id]
    assert one["shares"] == [TORTURE_SHARE]
    assert one["client"] == "127.0.0.1"
    assert one["account"].endswith("root")
    assert one["started"] <= one["committed"] <= one["completed"] <= one["ended"]
    assert 0 < one["freeze_ms"] < 60_000
    assert (one["outcome"], one["result"]) == ("completed", "ZERO (0x00000000)")
    nas.daemon.kill()
    nas.daemon.start()
    assert history(nas)["sets"] == before["sets"]
    nas.daemon.restart()
    assert history(nas)["sets"] == before["sets"]
    assert stat.S_IMODE(file(nas).stat().st_mode) == 0o600
    assert TORTURE_SHARE in nas.daemon.ctl("history").stdout


def test_what_doctor_copies_is_no_backup(nas: Nas) -> None:
    """And the admin's own sets are `local`, whatever address the agent knows them by."""
    before = nas.daemon.ask("status")["shares"]
    assert nas.daemon.command("doctor", "--share", "vault").returncode == 0
    newest = history(nas)["sets"][0]
    assert (newest["client"], newest["account"]) == ("self-test", "root")
    assert (newest["shares"], newest["outcome"]) == (["vault"], "completed")
    assert nas.daemon.ask("status")["shares"] == before
    made = nas.daemon.ask("create-set", "vault")["set"]
    refused = nas.daemon.ctl("complete-set", made, check=False)
    assert "is not permitted in Status Recovered" in refused.stderr
    nas.daemon.ctl("delete-set", made)
    newest = history(nas)["sets"][0]
    assert (newest["client"], newest["outcome"], newest["reason"]) == ("local", "completed", "")
    assert history(nas)["refusals"][0]["client"] == "local"
    [after] = [each for each in nas.daemon.ask("status")["shares"] if each["share"] == "vault"]
    assert after["last_backup"]["set"] == made


def test_nothing_is_synced_while_a_set_is_made(nas: Nas) -> None:
    """What is written stays in the log, which is cut when it has been synced."""
    log = file(nas).with_name("history.sqlite3-wal")

    def size() -> int:
        return log.stat().st_size if log.exists() else 0

    wait_until("the last set is synced", lambda: size() == 0)
    with RawAgent(nas) as agent:
        set_id = agent.start()
        copy_id = agent.add(set_id, TORTURE_SHARE)
        wait_until("the share is written", lambda: size() > 0)
        before = size()
        agent.expose(set_id)
        assert size() >= before > 0, "it was synced, and cut"
        wait_until("the commit is written", lambda: size() > before)
        before = size()
        nas.daemon.ctl("ping")
        assert size() >= before, "it was synced, and cut"
        agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
        wait_until("all is synced", lambda: size() == 0)
        agent.delete(set_id, copy_id, TORTURE_SHARE)


def test_a_set_that_failed_has_its_code_and_one_that_was_left_its_reason(nas: Nas) -> None:
    with RawAgent(nas) as agent:
        set_id = agent.start()
        stub = bytes(range(16)) + set_id + wide(agent.unc("plain"))
        assert agent.result(Opnum.AddToShadowCopySet, stub) == HResult.FSRVP_E_NOT_SUPPORTED
        agent.must(Opnum.AbortShadowCopySet, set_id)
        set_id = agent.start()
        agent.add(set_id, TORTURE_SHARE)
        agent.must(Opnum.AbortShadowCopySet, set_id)
    aborted, failed, *_ = history(nas)["sets"]
    assert failed["shares"] == ["plain"]
    assert (failed["outcome"], failed["result"]) == (
        "failed",
        "FSRVP_E_NOT_SUPPORTED (0x8004230c)",
    )
    assert "is not on btrfs but on ext4" in failed["reason"]
    assert failed["ended"] is not None
    assert (aborted["outcome"], aborted["result"]) == ("removed", None)
    assert "aborted it" in aborted["reason"]


def test_a_set_that_is_deleted_without_recovery_complete(nas: Nas) -> None:
    """Read-only copies were complete, as rpcclient's commands suppose; writable ones were not."""
    for mode, outcome in (("rw", "removed"), ("ro", "completed")):
        [copy] = fss.create_expose(nas.samba, TORTURE_SHARE, mode=mode)
        fss.delete(nas.samba, copy)
        [newest, *_] = history(nas)["sets"]
        assert newest["set"].lower() == f"{{{copy.set_id}}}"
        assert (newest["outcome"], newest["completed"] is None) == (outcome, mode == "rw")
    shares = {each["share"]: each for each in nas.daemon.ask("status")["shares"]}
    assert shares[TORTURE_SHARE]["last_backup"]["set"] == newest["set"]


def test_a_set_that_outlives_the_daemon_has_one_record(nas: Nas) -> None:
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
    fss.recovery_complete(nas.samba, copy)
    nas.daemon.restart()
    [running, *_] = history(nas)["sets"]
    assert running["ended"] is None
    assert running["outcome"] == "completed"
    fss.delete(nas.samba, copy)
    [ended, *_] = history(nas)["sets"]
    assert ended == {**running, "ended": ended["ended"]}
    assert ended["ended"] > running["completed"]


def test_a_creation_that_a_crash_ends_is_interrupted(nas: Nas) -> None:
    with RawAgent(nas) as agent:
        set_id = agent.start()
        agent.add(set_id, TORTURE_SHARE)
        assert history(nas)["sets"][0]["outcome"] == "running"
        nas.daemon.kill()
    nas.daemon.start()
    wait_until("it has ended", lambda: history(nas)["sets"][0]["ended"] is not None)
    assert history(nas)["sets"][0]["outcome"] == "interrupted"


def test_refusals_are_remembered_with_what_to_type(nas: Nas) -> None:
    with RawAgent(nas, ORDINARY_USER.name, ORDINARY_USER.password) as agent:
        for _ in range(30):
            agent.result(Opnum.IsPathSupported, wide(agent.unc(TORTURE_SHARE)))
    [last, *_] = history(nas)["refusals"]
    assert last["account"].endswith(r"\clerk")
    assert (last["method"], last["result"]) == ("IsPathSupported", "E_ACCESSDENIED")
    assert last["times"] == 30
    assert last["next_step"].startswith("net sam rights grant ")
    nas.daemon.restart()
    assert history(nas)["refusals"][0] == last


def test_a_damaged_history_is_moved_aside_and_said(nas: Nas) -> None:
    nas.daemon.stop()
    content = file(nas).read_bytes()
    file(nas).write_bytes(b"garbage" + content[7:3000] + bytes(9000))
    nas.daemon.start()
    set_id = complete(nas)
    assert [each["set"] for each in history(nas)["sets"]] == [set_id]
    assert "event=history-damaged" in nas.daemon.read_log()
    assert file(nas).with_name("history.sqlite3.damaged").exists()


def test_without_a_history_the_agent_goes_on_and_says_so(nas: Nas) -> None:
    nas.daemon.stop()
    file(nas).rename(file(nas).with_name("kept"))
    file(nas).mkdir()
    nas.daemon.start()
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
    fss.recovery_complete(nas.samba, copy)
    fss.delete(nas.samba, copy)
    wait_until("it is said", lambda: "event=history-not-written" in nas.daemon.read_log())
    refused = nas.daemon.ctl("history", check=False)
    assert refused.returncode == 1
    assert "history.sqlite3 cannot be opened: Is a directory" in refused.stderr
    nas.daemon.stop()
    file(nas).rmdir()
    file(nas).with_name("kept").rename(file(nas))
    nas.daemon.start()
