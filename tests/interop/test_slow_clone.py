"""A clone that lasts: an admin sees how far it is, and past its time the client is told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Iterator

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from tests.interop.raw_agent import TIMEOUT, RawAgent
from tests.interop.site import Site
from tests.lab import Share
from tests.lab.namespaces import wait_until

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
def agent(site: Site) -> Iterator[RawAgent]:
    folder = site.lab.seen(site.volumes["vault"]) / "vault"
    for number in range(FILES):
        (folder / str(number)).write_text(str(number))
    (folder / "held").write_text("held")
    with RawAgent(site) as opened:
        yield opened


@contextmanager
def held_up(site: Site) -> Iterator[None]:
    """Somebody holds a lease on a file: whoever opens it waits for that."""
    said = site.lab.directory / "holder"
    file = site.volumes["vault"] / "vault" / "held"
    holder = site.lab.popen(["/usr/bin/python3", "-c", HOLD, file], output=said)
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


def test_progress_is_shown_while_the_commit_lasts(site: Site, agent: RawAgent) -> None:
    set_id, copy_id = prepared(agent)
    with ThreadPoolExecutor(1) as thread:
        with held_up(site):
            stub = set_id + AS_WINDOWS
            answer = thread.submit(agent.result, Opnum.CommitShadowCopySet, stub)
            wait_until("all other files are cloned", lambda: files_done(site) == FILES)
            [key] = [each["set"] for each in site.daemon.ask("list-sets")]
            shown = site.daemon.ctl("show-set", key).stdout
            assert f"(under way: {FILES} files in " in shown
            assert "given up after 50 s" in shown
            told = f"event=commit-progress set={key} share={SHARE} files={FILES} seconds="
            wait_until("an event tells", lambda: told in site.daemon.read_log())
            assert not answer.done()
        assert answer.result(60) == 0
    assert files_done(site) is None
    agent.advance(Opnum.ExposeShadowCopySet, set_id)
    agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    agent.delete(set_id, copy_id, SHARE)
    site.assert_nothing_is_left()


def files_done(site: Site) -> object:
    [only] = site.daemon.ask("list-sets")
    progress = only["copies"][0]["progress"]
    return progress and progress["files"]


def test_past_its_time_it_is_undone(site: Site, agent: RawAgent) -> None:
    folder = site.volumes["vault"] / "vault"
    site.samba.set_share(Share(SHARE, folder, {"fsrvp:clone time limit": "1"}))
    site.samba.reload()
    set_id, _ = prepared(agent)
    with held_up(site):
        result = agent.result(Opnum.CommitShadowCopySet, set_id + AS_WINDOWS)
    assert result == HResult.FSSAGENT_E_TIMEOUT
    log = site.daemon.read_log()
    assert "event=commit-too-slow" in log
    assert "clone only what belongs to the backup (fsrvp:include, fsrvp:depth)" in log
    wait_until("the rest is undone", lambda: site.snapshots() == [])
    agent.must(Opnum.AbortShadowCopySet, set_id)
    site.assert_nothing_is_left()


def test_only_what_the_share_wants_is_in_the_copy(site: Site, agent: RawAgent) -> None:
    """Patterns beyond ASCII come through smb.conf as they are."""
    folder = site.volumes["vault"] / "vault"
    seen = site.lab.seen(folder)
    for name in ("Müller", "Müller/tief"):
        (seen / name).mkdir()
    for name in ("Größe.vhdx", "Müller/ÜBUNG 名前.vhdx", "Müller/notes", "Müller/tief/a.vhdx"):
        (seen / name).write_text(name)
    options = {"fsrvp:include": "/größe.*/übung 名?.vhdx/", "fsrvp:depth": "2"}
    site.samba.set_share(Share(SHARE, folder, options))
    site.samba.reload()
    set_id, copy_id = prepared(agent)
    agent.advance(Opnum.CommitShadowCopySet, set_id)
    agent.advance(Opnum.ExposeShadowCopySet, set_id)
    agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    copy = agent.mapping(set_id, copy_id, SHARE).share
    listed = site.samba.smbclient(copy, "recurse; ls").stdout
    there = ("Größe.vhdx", "ÜBUNG", "Müller", "notes", "tief", "a.vhdx", "held")
    assert {word for word in there if word in listed} == {"Größe.vhdx", "ÜBUNG", "Müller"}
    agent.delete(set_id, copy_id, SHARE)
    site.assert_nothing_is_left()
