"""`create-set` and `complete-set`: sets made by the server's own admin, without a client."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.interop.nas import TORTURE_SHARE, Nas

CALLS = [
    *("SetContext", "StartShadowCopySet", "AddToShadowCopySet", "PrepareShadowCopySet"),
    *("CommitShadowCopySet", "ExposeShadowCopySet", "GetShareMapping"),
    "RecoveryCompleteShadowCopySet",
]


def create(nas: Nas, *words: str) -> Any:
    return json.loads(nas.daemon.ctl("create-set", "--json", *words).stdout)


def read(nas: Nas, share: str, name: str) -> str:
    return nas.samba.smbclient(share, f"get {name} -").stdout


def test_a_set_is_made_as_a_client_makes_it(nas: Nas) -> None:
    nas.lab.run(["sh", "-c", f"echo before > {nas.volumes['projects']}/report"])
    seen = len(nas.daemon.calls())
    made = create(nas, TORTURE_SHARE)
    nas.lab.run(["sh", "-c", f"echo after > {nas.volumes['projects']}/report"])
    [share] = made["shares"]
    assert [call.method for call in nas.daemon.calls()[seen:]] == CALLS
    assert read(nas, share["shadow_copy_share"], "report").startswith("before")
    assert nas.lab.run(["cat", f"{share['path']}/report"]).stdout == "before\n"
    shown = nas.daemon.ask("show-set", made["set"])
    assert (shown["status"], shown["account"]) == ("Recovered", "root")
    nas.daemon.ctl("delete-set", made["set"])
    nas.assert_nothing_is_left()


def test_several_shares_at_one_moment_whatever_their_volumes(nas: Nas) -> None:
    """Two of them share a volume, which clients may only ask for with an option."""
    made = create(nas, "deep", "with space", "hidden$", "DEEP")
    assert [each["share"] for each in made["shares"]] == ["deep", "with space", "hidden$"]
    assert len({each["copy"] for each in made["shares"]}) == 2
    assert made["snapshot_skew_ms"] < 1000
    nas.daemon.ctl("delete-set", made["set"])
    nas.assert_nothing_is_left()


def test_a_writable_set_waits_for_its_completion(nas: Nas) -> None:
    made = create(nas, "--writable", "--context", "backup", TORTURE_SHARE)
    share = made["shares"][0]["shadow_copy_share"]
    assert (made["writable"], made["complete_within"]) == (True, 1800)
    nas.samba.smbclient(share, "mkdir repaired")
    assert "Recovered" in nas.daemon.ctl("complete-set", made["set"]).stdout
    refused = nas.samba.smbclient(share, "mkdir late", check=False)
    assert "NT_STATUS_" in refused.stdout + refused.stderr
    again = nas.daemon.ctl("complete-set", made["set"], check=False)
    assert again.returncode == 1
    assert "FSRVP_E_BAD_STATE" in again.stderr
    assert "not permitted in Status Recovered" in again.stderr
    nas.daemon.ctl("delete-set", made["set"])
    nas.assert_nothing_is_left()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["plain"], "AddToShadowCopySet plain: FSRVP_E_NOT_SUPPORTED"),
        ([TORTURE_SHARE, "nobody"], "AddToShadowCopySet nobody: FSRVP_E_OBJECT_NOT_FOUND"),
        (["--context", "weekly", "deep"], "there are app-rollback, backup, file-share-backup"),
    ],
)
def test_a_failure_names_its_cause_and_leaves_nothing(
    nas: Nas, words: list[str], expected: str
) -> None:
    done = nas.daemon.ctl("create-set", *words, check=False)
    assert done.returncode == 1
    assert expected in done.stderr
    assert "create-set" in done.stderr or "check-path" in done.stderr or "--context" in done.stderr
    nas.assert_nothing_is_left()


@pytest.mark.parametrize(
    ("output", "why"), [("> /dev/full", "No space left on device"), (">&-", "not writable")]
)
def test_a_result_that_cannot_be_printed_leaves_nothing(nas: Nas, output: str, why: str) -> None:
    command = " ".join(str(word) for word in nas.daemon.fsrvpctl)
    script = f"{command} fsrvpd create-set {TORTURE_SHARE} {output}"
    done = nas.lab.run(["sh", "-c", script], check=False)
    assert done.returncode != 0
    assert f"standard output: {why}; what was made is removed again" in done.stderr
    nas.assert_nothing_is_left()


def test_before_setup_it_says_so(nas: Nas) -> None:
    conf = nas.lab.seen(Path(nas.samba.conf))
    before = conf.read_text()
    conf.write_text(before.replace("registry shares = yes", "registry shares = no"))
    try:
        done = nas.daemon.ctl("create-set", TORTURE_SHARE, check=False)
        assert "`registry shares = no`; type `fsrvpctl setup`" in done.stderr
        refused = nas.daemon.ask("history")["refusals"][0]
        assert refused["next_step"].startswith("fsrvpctl fsrvpd status")
        assert "next: fsrvpctl setup" in nas.daemon.ctl("status", check=False).stdout
    finally:
        conf.write_text(before)
    nas.assert_nothing_is_left()


@pytest.mark.parametrize("step", ["StartShadowCopySet", "CommitShadowCopySet", "shadow_copy_share"])
def test_a_command_that_is_killed_leaves_nothing(nas: Nas, step: str) -> None:
    seen = len(nas.daemon.calls())
    done = ask_until(nas, step, "os.kill(os.getpid(), signal.SIGKILL)")
    assert done.returncode == -signal.SIGKILL
    assert nas.daemon.calls()[seen:][0].method == "SetContext"
    nas.assert_nothing_is_left()


def test_a_daemon_that_is_killed_leaves_nothing_unconfirmed(nas: Nas) -> None:
    """A set is complete when its command has said that it has printed it."""
    done = ask_until(nas, "shadow_copy_share", f"os.kill({nas.daemon.ask('ping')['pid']}, 9)")
    assert done.returncode == 0, done.stderr
    nas.daemon.kill()
    nas.daemon.start()
    assert "its creation was interrupted" in nas.daemon.read_log()
    nas.assert_nothing_is_left()


def ask_until(nas: Nas, text: str, action: str) -> subprocess.CompletedProcess[str]:
    """Ask for a set as the command does, and do something when the daemon has said a text."""
    folder = nas.samba.place("state directory")
    return nas.lab.run(["/usr/bin/python3", "-c", ASK, folder, text, action], check=False)


ASK = f"""
import os, signal, socket, sys
folder, text, action = sys.argv[1:]
asked = socket.socket(socket.AF_UNIX)
asked.connect(folder + "/fsrvpd/control.socket")
asked.sendall(b'{{"message": "create-set", "parameters": ["{TORTURE_SHARE}"]}}\\n')
received = b""
while text.encode() not in received:
    received += asked.recv(65536)
exec(action)
"""
