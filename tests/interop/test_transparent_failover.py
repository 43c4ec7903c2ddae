"""What Samba itself does for clients that lose their connection: a copy has the parameters of its
share, and smbtorture gets its durable handles back in a copy as in the share."""

from __future__ import annotations

import subprocess
from typing import Iterator

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.context import ATTR_AUTO_RECOVERY
from lab import Share
from lab.accounts import ROOT
from tests.interop.nas import Nas, make_directory, open_nas
from tests.interop.raw_agent import BACKUP, RawAgent

DURABLE = {
    "durable handles": "yes",
    "kernel oplocks": "no",
    "kernel share modes": "no",
    "posix locking": "no",
}
# None has its default.
SET = {
    "durable handles": "No",
    "kernel oplocks": "Yes",
    "kernel share modes": "Yes",
    "posix locking": "No",
    "level2 oplocks": "No",
    "oplocks": "No",
    "locking": "No",
    "blocking locks": "No",
    "strict locking": "Yes",
    "strict rename": "Yes",
    "strict sync": "No",
    "sync always": "Yes",
    "smbd force process locks": "Yes",
    "smbd getinfo ask sharemode": "No",
    "smbd search ask sharemode": "No",
    "check parent directory delete on close": "Yes",
    "veto oplock files": "/*.vhdx/",
}
TESTS = ("reopen1", "reopen2", "reopen2-lease")


@pytest.fixture(scope="module")
def nas() -> Iterator[Nas]:
    with open_nas({"fsrvpd:shared volumes": "yes"}) as opened:
        for name, options in (("durable", DURABLE), ("set", SET), ("plain handles", {})):
            base = make_directory(opened.lab, opened.volumes["projects"] / name)
            opened.samba.set_share(Share(name, base, options))
        opened.samba.reload()
        yield opened


def settings(nas: Nas, share: str) -> dict[str, str]:
    """The parameters of a share as smbd has them, defaults included."""
    argv = ["testparm", "-s", "-v", "--section-name", share, nas.samba.conf]
    pairs = (line.strip().partition(" = ") for line in nas.samba.run(argv).stdout.splitlines())
    return {name: value for name, equals, value in pairs if equals}


def reopen(nas: Nas, share: str, test: str) -> subprocess.CompletedProcess[str]:
    options = ["-s", nas.samba.conf, "-U", ROOT.login, "--option=torture:progress=no"]
    unc = f"//{nas.samba.address}/{share}"
    return nas.samba.run(["smbtorture", *options, unc, f"smb2.durable-v2-open.{test}"], check=False)


@pytest.mark.parametrize("share", ["set", "durable", "plain handles"])
def test_a_copy_keeps_open_files_as_its_share_does(nas: Nas, share: str) -> None:
    with RawAgent(nas) as agent:
        set_id = agent.start()
        copy_id = agent.add(set_id, share)
        agent.expose(set_id)
        copy = agent.mapping(set_id, copy_id, share).share
        base, there = settings(nas, share), settings(nas, copy)
        assert {name: there.get(name) for name in SET} == {name: base.get(name) for name in SET}
        if share == "set":
            assert {name: there[name] for name in SET} == SET
        agent.must(Opnum.AbortShadowCopySet, set_id)
    assert nas.daemon.calls()[-1].method == "AbortShadowCopySet"
    nas.assert_nothing_is_left()


def test_a_client_gets_its_handles_back_in_a_copy(nas: Nas) -> None:
    """A copy in auto-recovery, for smbtorture makes the files that it opens."""
    with RawAgent(nas) as agent:
        set_id = agent.start(BACKUP | ATTR_AUTO_RECOVERY)
        copy_id = agent.add(set_id, "durable")
        agent.expose(set_id)
        copy = agent.mapping(set_id, copy_id, "durable").share
        for test in TESTS:
            for share in ("durable", copy):
                done = reopen(nas, share, test)
                assert done.returncode == 0, f"{share}: {done.stdout}"
        agent.must(Opnum.AbortShadowCopySet, set_id)
    assert nas.daemon.calls()[-1].method == "AbortShadowCopySet"
    nas.assert_nothing_is_left()
