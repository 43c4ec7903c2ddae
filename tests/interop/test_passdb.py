"""NTLM responses made by impacket, verified by the passdb of a real Samba in both ways.

`libsamba-passdb` in the accounts worker is the usual way, pdbedit is used where it is missing.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Iterator, Optional

import pytest
from impacket import ntlm

from fsrvpd.errors import AuthenticationError, WrongPassword
from fsrvpd.protocol.ports import Caller, NtlmResponse
from lab import Lab, Samba, Share
from lab.accounts import User
from samba_hooks.accounts import PASSDB_LIBRARY
from samba_hooks.accounts.passdb import LibraryMissing, PassdbVerifier
from samba_hooks.tools import SambaTools

ROOT = Path(__file__).parents[2]
ACCOUNTS = Path(__file__).with_name("passdb_accounts.py")
USER, OTHER = "daemon", "bin"  # Unix users that every Debian has
PASSWORD = "Passdb-päss-0"
CHALLENGE = b"12345678"


class Passdb:
    """A Samba installation with an account database and nothing else."""

    def __init__(self, directory: Path, library: Optional[str], backend: str = "tdbsam") -> None:
        self.conf = directory / "smb.conf"
        self.directory = directory
        self.configure(backend)
        for user in (USER, OTHER):
            self.set_password(user, PASSWORD)
        self.verifier = PassdbVerifier(self.tools(), library=library)

    def tools(self) -> SambaTools:
        return SambaTools(str(self.conf), [], 30)

    def configure(self, backend: str) -> None:
        """Write smb.conf, later than before: Samba 4.17 compares whole seconds."""
        before = self.conf.stat().st_mtime if self.conf.exists() else time.time() - 10
        places = ("private dir", "state directory", "lock directory", "cache directory")
        lines = [f"{place} = {self.directory}" for place in (*places, "pid directory")]
        lines += ["netbios name = LAB", f"passdb backend = {backend}"]
        self.conf.write_text("\n".join(["[global]", *lines]) + "\n")
        os.utime(self.conf, (before + 1, before + 1))

    def set_password(self, user: str, password: str) -> None:
        self.run("smbpasswd", "-c", "-s", "-a", user, input=f"{password}\n{password}\n")

    def run(self, tool: str, option: str, *arguments: str, input: str = "") -> str:
        argv = [tool, option, str(self.conf), *arguments]
        return subprocess.run(
            argv, input=input, capture_output=True, text=True, check=True, timeout=60
        ).stdout

    def sid(self, user: str) -> str:
        printed = self.run("pdbedit", "-s", "-L", "-v", "-u", user)
        return printed.partition("User SID:")[2].split()[0]

    def caller(self, user: str = USER) -> Caller:
        return session(user, self.sid(user))

    def worker(self) -> Any:
        child = self.verifier._worker._child
        assert child is not None
        return child.process


def session(user: str, sid: str) -> Caller:
    return Caller("192.0.2.1", f"LAB\\{user}", sid, frozenset({sid}), 0, 1, False)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((PASSDB_LIBRARY, "tdbsam"), id="library"),
        pytest.param((PASSDB_LIBRARY, "smbpasswd"), id="library-smbpasswd"),
        pytest.param((None, "tdbsam"), id="pdbedit"),
    ],
)
def passdb(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Passdb]:
    made = Passdb(tmp_path_factory.mktemp("passdb"), *request.param)
    yield made
    made.verifier.close()


@pytest.fixture
def single(tmp_path: Path) -> Iterator[Passdb]:
    """One with the library, for a single test."""
    made = Passdb(tmp_path, PASSDB_LIBRARY)
    made.verifier.check()
    yield made
    made.verifier.close()


def response(
    account: str = USER, password: str = PASSWORD, domain: str = "WHATEVER"
) -> tuple[NtlmResponse, bytes]:
    pairs = ntlm.AV_PAIRS()
    pairs[ntlm.NTLMSSP_AV_DNS_HOSTNAME] = "lab".encode("utf-16-le")
    nt_response, lm_response, key = ntlm.computeResponseNTLMv2(
        0, CHALLENGE, b"c" * 8, pairs.getData(), domain, account, password
    )
    return NtlmResponse(CHALLENGE, account, domain, "", nt_response, lm_response), key


def assert_verified(passdb: Passdb, account: str = USER, password: str = PASSWORD) -> None:
    asked, key = response(account, password)
    answer = passdb.verifier.verify(asked, passdb.caller())
    assert answer == (f"LAB\\{USER}", passdb.sid(USER), key)


@pytest.mark.parametrize(
    "spelling", [USER, USER.upper(), "Administrator", OTHER, "", "a:b", "ü" * 300]
)
def test_right_password_by_whatever_name_the_client_has_for_the_account(
    passdb: Passdb, spelling: str
) -> None:
    """smbd knows the account, by `username map` if need be."""
    assert_verified(passdb, spelling)


def test_wrong_password(passdb: Passdb) -> None:
    with pytest.raises(WrongPassword, match="wrong password"):
        passdb.verifier.verify(response(password="guess")[0], passdb.caller())


def test_password_of_another_is_not_even_tried(passdb: Passdb) -> None:
    passdb.set_password(OTHER, "of another")
    try:
        with pytest.raises(WrongPassword, match=f"wrong password for account {USER}"):
            passdb.verifier.verify(response(OTHER, "of another")[0], passdb.caller())
    finally:
        passdb.set_password(OTHER, PASSWORD)


def test_the_account_must_be_the_sessions_by_its_sid_too(passdb: Passdb) -> None:
    replaced = session(USER, passdb.sid(OTHER))
    with pytest.raises(AuthenticationError, match="not the user of the SMB session"):
        passdb.verifier.verify(response()[0], replaced)


@pytest.mark.parametrize(
    "name",
    ["unknown", "-L", "", "a:b", "%x", "*", "../x", "ü" * 300, "a\nb", f"{USER}\0", "\ud800"],
)
def test_unknown_account(passdb: Passdb, name: str) -> None:
    with pytest.raises(AuthenticationError, match=r"account '|^exit|pdbedit"):
        passdb.verifier.verify(response()[0], session(name, passdb.sid(USER)))


def test_a_new_password_holds_at_once(passdb: Passdb) -> None:
    """Another process changed it."""
    assert_verified(passdb)
    passdb.set_password(USER, "changed")
    try:
        assert_verified(passdb, password="changed")
        with pytest.raises(WrongPassword):
            passdb.verifier.verify(response()[0], passdb.caller())
    finally:
        passdb.set_password(USER, PASSWORD)
    assert_verified(passdb)


def test_disabled_account(passdb: Passdb) -> None:
    passdb.run("smbpasswd", "-c", "-d", OTHER)
    try:
        with pytest.raises(AuthenticationError, match="disabled"):
            passdb.verifier.verify(response(OTHER)[0], passdb.caller(OTHER))
    finally:
        passdb.run("smbpasswd", "-c", "-e", OTHER)


@pytest.mark.parametrize("library", [PASSDB_LIBRARY, None])
def test_broken_configuration(tmp_path: Path, library: Optional[str]) -> None:
    verifier = PassdbVerifier(SambaTools(str(tmp_path / "none.conf"), [], 30), library=library)
    with contextlib.closing(verifier):
        for _ in range(2):
            with pytest.raises(AuthenticationError, match=r"none\.conf"):
                verifier.verify(response()[0], session(USER, "S-1-5-21-1-1-1-1000"))


class TestWorker:
    def test_another_database_is_used_at_once(self, single: Passdb) -> None:
        """The worker goes on as the same process."""
        pid = single.worker().pid
        single.configure(f"tdbsam:{single.directory}/other.tdb")
        single.set_password(USER, "of the other")
        assert_verified(single, password="of the other")
        single.configure("tdbsam")
        assert_verified(single)
        assert single.worker().pid == pid

    def test_a_dead_worker_is_replaced(self, single: Passdb) -> None:
        single.worker().kill()
        assert_verified(single)

    def test_a_worker_that_hangs_is_ended(self, single: Passdb) -> None:
        first = single.worker()
        single.verifier._worker.timeout = 1.0
        os.kill(first.pid, signal.SIGSTOP)
        with pytest.raises(AuthenticationError, match="accounts worker timed out after 1 s"):
            single.verifier.verify(response()[0], single.caller())
        assert first.poll() is not None
        single.verifier._worker.timeout = 30.0
        assert_verified(single)

    def test_no_core_dump_can_show_hashes(self, single: Passdb) -> None:
        limits = Path(f"/proc/{single.worker().pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits)

    def test_no_process_is_started_for_a_look_up(self, single: Passdb) -> None:
        asked, caller = response()[0], single.caller()
        single.verifier.verify(asked, caller)  # the first one may have Samba check a database
        trace = ["-f", "-e", "trace=execve,fork,vfork,clone,clone3"]
        target = ["-o", str(single.directory / "trace"), "-p", str(single.worker().pid)]
        strace = subprocess.Popen(["strace", *trace, *target], stderr=subprocess.PIPE)
        assert strace.stderr is not None
        strace.stderr.readline()  # attached
        for _ in range(20):
            single.verifier.verify(asked, caller)
        strace.terminate()
        strace.wait()
        strace.stderr.close()
        assert "(" not in (single.directory / "trace").read_text()


def test_pdbedit_is_used_where_the_library_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    passdb = Passdb(tmp_path, "libno-such.so.0")
    with pytest.raises(LibraryMissing):
        passdb.verifier.check()
    for _ in range(2):
        assert_verified(passdb)
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 1, "it is said once"
    assert "libno-such.so.0 cannot be loaded" in warnings[0]
    assert "pdbedit" in warnings[0]


def test_a_library_without_the_symbols_is_missing(tmp_path: Path) -> None:
    """libtalloc lacks nearly all of them."""
    passdb = Passdb(tmp_path, "libtalloc.so.2")
    with pytest.raises(LibraryMissing, match=r"it lacks .*pdb_getsampwnam"):
        passdb.verifier.check()


@pytest.fixture(scope="module")
def every_kind() -> Iterator[tuple[Lab, Samba]]:
    with Lab() as lab:
        folder = lab.directory / "data"
        folder.mkdir()
        samba = Samba(lab, [Share("data", folder)])
        for name in ("plain", "disabled", "locked", "gone", "unset", "without", "null", "forever"):
            samba.add_user(name)
        for name in ("größe", "n" * 32):
            samba.add_user(name)
        samba._accounts.add(User("machine$"))
        samba.run(["smbpasswd", "-c", samba.conf, "-a", "-m", "machine"])
        samba.run(["smbpasswd", "-c", samba.conf, "-d", "disabled"])
        samba.run(["smbpasswd", "-c", samba.conf, "-n", "null"])
        samba.run(["pdbedit", "-s", samba.conf, "-K", "1000000000", "-u", "gone"])
        for flag, name in (("autolock", "locked"), ("pwnotreq", "without"), ("pwnoexp", "forever")):
            samba.net("sam", "set", flag, name, "yes")
        samba.net("sam", "set", "pwdmustchangenow", "unset", "yes")
        yield lab, samba


def test_accounts_of_every_kind_are_the_same_in_both_ways(every_kind: tuple[Lab, Samba]) -> None:
    lab, samba = every_kind
    flags = {
        **{"root": "U", "plain": "U", "PLAIN": "U", "disabled": "DU", "locked": "UL", "gone": "U"},
        **{"unset": "U", "without": "NU", "null": "NU", "forever": "UX", "größe": "U"},
        **{"n" * 32: "U", "machine$": "W"},
    }
    for days in ("-1", "86400"):  # how old a password may get
        samba.run(["pdbedit", "-s", samba.conf, "-P", "maximum password age", "-C", days])
        argv = [sys.executable, ACCOUNTS, samba.conf, json.dumps(list(flags))]
        found = json.loads(lab.run(argv, environment={"PYTHONPATH": str(ROOT)}).stdout)
        for name, (by_library, by_pdbedit) in zip(flags, found):
            assert by_library == by_pdbedit
            assert by_library["name"] == name.lower()
            assert by_library["flags"].strip("[] ") == flags[name]
            assert re.fullmatch(r"[0-9a-f]{32}", by_library["nt_hash"])
            assert (by_library["must_change"] == 0) == (name == "unset")
            assert (by_library["kickoff"] == 1_000_000_000) == (name == "gone")


def test_member_asks_winbind() -> None:
    """winbindd, if it runs here at all, does not know the account."""
    from samba_hooks.accounts.winbind import WinbindVerifier

    with pytest.raises(AuthenticationError, match=r"winbind rejected WHATEVER\\daemon: ."):
        WinbindVerifier().verify(response()[0], session(USER, "S-1-5-21-1-1-1-1000"))
