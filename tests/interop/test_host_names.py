"""The host of a UNC is compared with this server's own names, and nothing else is done.

CVE-2022-30154 (ShadowCoerce): a server that looks for the host that it is told of can be
made to log in anywhere with its own account.
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
from tests.interop.raw_agent import SOME_GUID, RawAgent, result_of, wide
from tests.interop.site import TORTURE_SHARE, Site, open_site
from tests.interop.system_calls import traced

OPTIONS = {
    "netbios aliases": "ARCHIVE OLDLAB",
    "realm": "EXAMPLE.NET",
    "fsrvpd:additional host names": "nas.example.org, 192.0.2.55 2001:db8::7",
}
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
    r"\\198.51.100.66@80\..\..\etc/passwd",
    r"\\?\UNC\attacker\evil-share",
    r"\\.\attacker\evil-share",
    r"//attacker/evil-share",
    r"attacker",
    r"C:\attacker",
    "",
)
TOO_LONG = ("\\\\" + "attacker" * 150, "\\\\" + "attacker" * 2000)
# Of this host, as `{}`; no such share either.
OWN_HOST = (
    r"\\{}\..\..\etc/passwd",
    r"\\{}\..",
    r"\\{}\/etc/passwd",
    r"\\{}\evil-share\..\attacker",
)


@pytest.fixture(scope="module")
def named() -> Iterator[Site]:
    with open_site(OPTIONS) as site:
        yield site


@pytest.fixture(scope="module")
def agent(named: Site) -> Iterator[RawAgent]:
    with RawAgent(named) as opened:
        yield opened


def own_names() -> list[str]:
    host = socket.gethostname()
    return [
        *("LAB", "lab", "Lab.Example.Net", "archive", "OLDLAB.EXAMPLE.NET"),
        *(host, host.upper(), f"{host}.example.net", "LAB."),
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
    """Calls with a UNC in every method that takes one, on sets that exist."""

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
def attempts(named: Site, agent: RawAgent) -> Iterator[Attempts]:
    made = Attempts(agent)
    yield made
    made.end()
    named.assert_nothing_is_left()


@pytest.mark.spec("3.1.4-7")
def test_another_host_is_invalid_and_gets_no_id(named: Site, attempts: Attempts) -> None:
    own = [unc.format(named.samba.address) for unc in OWN_HOST]
    for unc in (*COERCIONS, *own):
        for opnum, answer in attempts.answers(unc).items():
            assert result_of(answer) == HResult.E_INVALIDARG, (opnum.name, unc)
            level = 4 if opnum is Opnum.GetShareMapping else 0  # which is repeated
            assert not any(answer[level:-4]), f"{opnum.name} told something: {answer!r}"


@pytest.mark.parametrize("unc", TOO_LONG, ids=len)
def test_what_is_longer_than_any_name_is_not_even_read(named: Site, unc: str) -> None:
    """A fault, or the end of the pipe; others go on."""
    refuse_too_long(named, unc)
    assert named.daemon.ask("ping")["pid"]


def refuse_too_long(site: Site, unc: str) -> None:
    with RawAgent(site) as longwinded, pytest.raises((DCERPCException, SessionError)):
        longwinded.call(Opnum.IsPathSupported, wide(unc))


def test_a_share_of_no_such_name_is_not_found(named: Site, attempts: Attempts) -> None:
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
    named: Site, agent: RawAgent, attempts: Attempts
) -> None:
    daemons = [pid for pid, argv in named.lab.processes().items() if pid != 1 and is_ours(argv)]
    assert len(daemons) >= 2, "the daemon and the worker that speaks to Samba's library"
    own = [unc.format(named.samba.address) for unc in (*OWN_HOST, r"\\{}\evil-share")]
    with traced(named.lab, daemons) as trace:
        for unc in (*COERCIONS, *own):
            attempts.answers(unc)
        for unc in TOO_LONG:
            refuse_too_long(named, unc)
        # What must be seen, lest silence prove anything.
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
