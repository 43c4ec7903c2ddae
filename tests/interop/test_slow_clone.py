"""A long clone: an admin sees its progress, and after the timeout the client gets an error."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Iterator

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from lab import Share
from lab.namespaces import wait_until
from tests.interop.nas import Nas
from tests.interop.raw_agent import TIMEOUT, RawAgent

SHARE, FILES = "vault", 20
AS_WINDOWS = TIMEOUT.to_bytes(4, "little")
HOLD = """
import fcntl, signal, sys, time
signal.signal(signal.SIGIO, signal.SIG_IGN)
with open(sys.argv[1], "r+") as file:
    fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def agent(nas: Nas) -> Iterator[RawAgent]:
    folder = nas.lab.seen(nas.volumes["vault"]) / "vault"
    for number in range(FILES):
        (folder / str(number)).write_text(str(number))
    (folder / "held").write_text("held")
    with RawAgent(nas) as opened:
        yield opened


@contextmanager
def held_up(nas: Nas) -> Iterator[None]:
    """Change a file, so that a clone in Prepare is not enough, and hold a lease on it: every open
    of it waits until the lease is released."""
    (nas.lab.seen(nas.volumes["vault"]) / "vault/held").write_text("changed")
    said = nas.lab.directory / "holder"
    file = nas.volumes["vault"] / "vault" / "held"
    holder = nas.lab.popen(["/usr/bin/python3", "-c", HOLD, file], output=said)
    wait_until("the file is held", lambda: "held" in said.read_text())
    try:
        yield
    finally:
        holder.kill()
        said.unlink()


def prepared(agent: RawAgent) -> tuple[bytes, bytes]:
    set_id = agent.start()
    copy_id = agent.add(set_id, SHARE)
    agent.advance(Opnum.PrepareShadowCopySet, set_id)
    return set_id, copy_id


def test_progress_is_shown_while_the_commit_lasts(nas: Nas, agent: RawAgent) -> None:
    set_id, copy_id = prepared(agent)
    with ThreadPoolExecutor(1) as thread:
        with held_up(nas):
            stub = set_id + AS_WINDOWS
            answer = thread.submit(agent.result, Opnum.CommitShadowCopySet, stub)
            wait_until("all other files are cloned", lambda: files_done(nas) == FILES)
            [key] = [each["set"] for each in nas.daemon.ask("list-sets")]
            shown = nas.daemon.ctl("show-set", key).stdout
            assert f"(being created: {FILES} files in " in shown
            assert "abandoned after 50 s" in shown
            told = f"event=snapshot-progress set={key} share={SHARE} files={FILES} seconds="
            wait_until("an event tells", lambda: told in nas.daemon.read_log())
            assert not answer.done()
        assert answer.result(60) == 0
    assert files_done(nas) is None
    agent.advance(Opnum.ExposeShadowCopySet, set_id)
    agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    agent.delete(set_id, copy_id, SHARE)
    nas.assert_nothing_is_left()


def files_done(nas: Nas) -> object:
    [only] = nas.daemon.ask("list-sets")
    progress = only["copies"][0]["progress"]
    return progress and progress["files"]


def test_past_its_time_it_is_undone(nas: Nas, agent: RawAgent) -> None:
    folder = nas.volumes["vault"] / "vault"
    nas.samba.set_share(Share(SHARE, folder, {"fsrvp:clone time limit": "1"}))
    nas.samba.reload()
    set_id, _ = prepared(agent)
    with held_up(nas):
        result = agent.result(Opnum.CommitShadowCopySet, set_id + AS_WINDOWS)
        assert result == HResult.FSSAGENT_E_TIMEOUT
        agent.must(Opnum.AbortShadowCopySet, set_id)
        set_id = agent.start()
        agent.add(set_id, SHARE)
        result = agent.result(Opnum.PrepareShadowCopySet, set_id + AS_WINDOWS)
    assert result == HResult.FSSAGENT_E_TIMEOUT
    log = nas.daemon.read_log()
    assert "event=snapshot-too-slow" in log
    assert "held: 20 files were cloned within 1 s" in log
    assert "does not release its lease" in log
    wait_until("the rest is undone", lambda: nas.snapshots() == [])
    agent.must(Opnum.AbortShadowCopySet, set_id)
    nas.assert_nothing_is_left()


def test_only_what_the_share_wants_is_in_the_copy(nas: Nas, agent: RawAgent) -> None:
    """Patterns that are not ASCII pass through smb.conf unchanged."""
    folder = nas.volumes["vault"] / "vault"
    seen = nas.lab.seen(folder)
    for name in ("Müller", "Müller/tief"):
        (seen / name).mkdir()
    for name in ("Größe.vhdx", "Müller/ÜBUNG 名前.vhdx", "Müller/notes", "Müller/tief/a.vhdx"):
        (seen / name).write_text(name)
    options = {"fsrvp:include": "/größe.*/übung 名?.vhdx/", "fsrvp:depth": "2"}
    nas.samba.set_share(Share(SHARE, folder, options))
    nas.samba.reload()
    set_id, copy_id = prepared(agent)
    agent.advance(Opnum.CommitShadowCopySet, set_id)
    agent.advance(Opnum.ExposeShadowCopySet, set_id)
    agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    copy = agent.mapping(set_id, copy_id, SHARE).share
    listed = nas.samba.smbclient(copy, "recurse; ls").stdout
    there = ("Größe.vhdx", "ÜBUNG", "Müller", "notes", "tief", "a.vhdx", "held")
    assert {word for word in there if word in listed} == {"Größe.vhdx", "ÜBUNG", "Müller"}
    agent.delete(set_id, copy_id, SHARE)
    nas.assert_nothing_is_left()
