"""The host of a UNC is only compared with this server's own names.

CVE-2022-30154 (ShadowCoerce): a server that connects to the host in a client's UNC can be
made to log in there with its own account.
"""

from __future__ import annotations

import socket
import struct
from typing import Iterator

import pytest
from impacket.dcerpc.v5.rpcrt import DCERPCException
from impacket.smbconnection import SessionError

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from tests.interop.nas import TORTURE_SHARE, Nas, open_nas
from tests.interop.raw_agent import SOME_GUID, RawAgent, result_of, wide
from tests.interop.system_calls import traced

OPTIONS = {
    "netbios aliases": "ARCHIVE OLDLAB",
    "realm": "EXAMPLE.NET",
    "additional dns hostnames": "files.example.com www.example.org",
    "fsrvpd:additional host names": "nas.example.org, 192.0.2.55 2001:db8::7",
}
HOSTS = """\
127.0.0.1 localhost
127.0.1.1 {0}.home.example {0} pantry
198.51.100.66 attacker attacker.example.net
"""
MARKS = ("attacker", "evil-share", "ünïcödé", "198.51.100.66", "etc/passwd", "xyzzy")
COERCIONS = (
    r"\\attacker\NETLOGON",
    r"\\attacker",
    r"\\attacker@80/xyzzy",
    r"\\attacker@SSL@8443\evil-share\\",
    r"\\198.51.100.66\evil-share",
    r"\\attacker.example.net\evil-share\etc/passwd",
    r"\\ünïcödé.example\evil-share",
    "\\\\" + "attacker." * 25 + "example\\evil-share",
    "\\\\" + "attacker" * 120 + "\\evil-share",
    "\\\\" + "attacker" * 128,
    "\\\\127.0.0.9\\" + "x" * 1013,
    "\\\\127.0.0.9\\fsrvp_share" + "\\" * 1003,
    "\\\\" + "attacker" * 1000,
    r"\\198.51.100.66@80\..\..\etc/passwd",
    r"\\?\UNC\attacker\evil-share",
    r"\\.\attacker\evil-share",
    r"//attacker/evil-share",
    r"attacker",
    r"C:\attacker",
    "",
)
TOO_LONG = "\\\\" + "attacker" * 2000
# `{}` is this host's name; the share does not exist.
OWN_HOST = (
    r"\\{}\..\..\etc/passwd",
    r"\\{}\..",
    r"\\{}\/etc/passwd",
    r"\\{}\evil-share\..\attacker",
)


@pytest.fixture(scope="module")
def named() -> Iterator[Nas]:
    with open_nas(OPTIONS) as nas:
        hosts = nas.lab.directory / "hosts"
        hosts.write_text(HOSTS.format(socket.gethostname()))
        nas.lab.run(["mount", "--bind", hosts, "/etc/hosts"])
        nas.daemon.ctl("reload-config")
        yield nas


@pytest.fixture(scope="module")
def agent(named: Nas) -> Iterator[RawAgent]:
    with RawAgent(named) as opened:
        yield opened


def own_names() -> list[str]:
    host = socket.gethostname()
    return [
        *("LAB", "lab", "Lab.Example.Net", "archive", "OLDLAB.EXAMPLE.NET"),
        *(host, host.upper(), f"{host}.example.net", "LAB."),
        *("files.example.com", "WWW.example.org", f"{host}.home.example", "pantry"),
        *("127.0.0.9", "127.0.0.1", "::1", "[::1]", "0:0:0:0:0:0:0:1"),
        *("--1.ipv6-literal.net", "0-0-0-0-0-0-0-1.IPv6-Literal.NET"),
        *("NAS.Example.ORG", "192.0.2.55", "2001:DB8::7", "2001-db8--7.ipv6-literal.net"),
    ]


@pytest.mark.spec("3.1.4-7")
def test_every_name_of_its_own_is_known(agent: RawAgent) -> None:
    for host in own_names():
        for end in ("", "\\"):
            stub = wide(f"\\\\{host}\\{TORTURE_SHARE.upper()}{end}")
            assert agent.result(Opnum.IsPathSupported, stub) == 0, host


class Attempts:
    """Calls of every method that takes a UNC, on sets that exist."""

    def __init__(self, agent: RawAgent) -> None:
        self._agent = agent
        self.set_id = agent.start()
        self.copy_id = agent.add(self.set_id, TORTURE_SHARE)
        agent.expose(self.set_id)
        agent.advance(Opnum.RecoveryCompleteShadowCopySet, self.set_id)
        self.started = agent.start()

    def answers(self, unc: str) -> dict[Opnum, bytes]:
        ids = self.set_id + self.copy_id + wide(unc)
        mapping = self.copy_id + self.set_id + wide(unc)
        stubs = {
            Opnum.AddToShadowCopySet: SOME_GUID + self.started + wide(unc),
            Opnum.IsPathSupported: wide(unc),
            Opnum.IsPathShadowCopied: wide(unc),
            Opnum.GetShareMapping: mapping + bytes(-len(mapping) % 4) + struct.pack("<I", 1),
            Opnum.DeleteShareMapping: ids,
        }
        return {opnum: self._agent.call(opnum, stub) for opnum, stub in stubs.items()}

    def end(self) -> None:
        self._agent.must(Opnum.AbortShadowCopySet, self.started)
        self._agent.delete(self.set_id, self.copy_id, TORTURE_SHARE)


@pytest.fixture(scope="module")
def attempts(named: Nas, agent: RawAgent) -> Iterator[Attempts]:
    made = Attempts(agent)
    yield made
    made.end()
    named.assert_nothing_is_left()


@pytest.mark.spec("3.1.4-7")
def test_another_host_is_invalid_and_gets_no_id(named: Nas, attempts: Attempts) -> None:
    server_names = [unc.format(named.samba.address) for unc in OWN_HOST]
    for unc in (*COERCIONS, *server_names):
        for opnum, answer in attempts.answers(unc).items():
            assert result_of(answer) == HResult.E_INVALIDARG, (opnum.name, unc)
            level = 4 if opnum is Opnum.GetShareMapping else 0  # the response repeats the level
            assert not any(answer[level:-4]), f"{opnum.name} told something: {answer!r}"


def test_what_is_much_longer_than_any_name_is_not_even_read(named: Nas) -> None:
    """The client gets a fault or the end of the pipe; other clients are still served."""
    refuse_too_long(named)
    assert named.daemon.ask("ping")["pid"]


def refuse_too_long(nas: Nas) -> None:
    with RawAgent(nas) as longwinded, pytest.raises((DCERPCException, SessionError)):
        longwinded.call(Opnum.IsPathSupported, wide(TOO_LONG))


def test_a_share_of_no_such_name_is_not_found(named: Nas, attempts: Attempts) -> None:
    answers = attempts.answers(rf"\\{named.samba.address}\evil-share")
    assert {opnum: result_of(answer) for opnum, answer in answers.items()} == {
        Opnum.AddToShadowCopySet: HResult.FSRVP_E_OBJECT_NOT_FOUND,
        Opnum.IsPathSupported: HResult.FSRVP_E_OBJECT_NOT_FOUND,
        Opnum.IsPathShadowCopied: HResult.FSRVP_E_OBJECT_NOT_FOUND,
        Opnum.GetShareMapping: HResult.E_INVALIDARG,
        Opnum.DeleteShareMapping: HResult.FSRVP_E_OBJECT_NOT_FOUND,
    }


@pytest.mark.spec("3.1.4-7")
def test_no_byte_of_it_reaches_a_resolver_a_socket_or_a_file(
    named: Nas, agent: RawAgent, attempts: Attempts
) -> None:
    daemons = [pid for pid, argv in named.lab.processes().items() if pid != 1 and is_ours(argv)]
    assert len(daemons) >= 2, "the daemon and the worker that speaks to Samba's library"
    server_names = [unc.format(named.samba.address) for unc in (*OWN_HOST, r"\\{}\evil-share")]
    with traced(named.lab, daemons) as trace:
        for unc in (*COERCIONS, *server_names):
            attempts.answers(unc)
        refuse_too_long(named)
        # The trace must contain these calls, or an empty trace would pass the test.
        agent.must(Opnum.IsPathSupported, wide(agent.unc(TORTURE_SHARE)))
    calls = trace.calls()
    assert [call for call in calls if b"projects" in b"".join(call.strings)]
    for call in calls:
        assert call.families <= {"AF_UNIX"}, call
        told = b"\0".join(call.strings).lower()
        for mark in MARKS:
            for spelling in (mark.encode(), mark.encode("utf-16-le"), mark.encode("latin-1")):
                assert spelling not in told, call


def is_ours(argv: list[str]) -> bool:
    return "python" in argv[0]
