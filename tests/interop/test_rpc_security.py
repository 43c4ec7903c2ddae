"""Authenticated binds through a real smbd: rpcclient, smbtorture and impacket as clients."""

from __future__ import annotations

import re
import struct
from typing import Iterator

import pytest
from impacket.dcerpc.v5.rpcrt import DCERPCException

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from tests.interop import secured_agent
from tests.interop.raw_agent import every_call, wide
from tests.interop.secured_agent import SecuredAgent
from tests.interop.site import TORTURE_SHARE, Site, open_site
from tests.interop.test_torture import TESTS, dialect, run_suite
from tests.lab import fss
from tests.lab.accounts import ROOT, User
from tests.lab.namespaces import wait_until

REQUIRED = {"fsrvpd:require rpc integrity": "yes"}
SIGNED = ["packet", "sign", "ntlm,sign", "spnego,sign"]
SEALED = ["seal", "ntlm,seal", "spnego,seal"]
UNSIGNED = ["", "connect", "ntlm,connect", "spnego,connect"]
CLERK = User("clerk")
VERSION = "fss_get_sup_version"


@pytest.fixture(scope="module")
def strict() -> Iterator[Site]:
    """A site as it is by default: calls must be signed."""
    with open_site(REQUIRED) as opened:
        opened.samba.add_user(CLERK.name)
        yield opened


@pytest.fixture(scope="module")
def private() -> Iterator[Site]:
    with open_site({"fsrvpd:require rpc privacy": "yes"}) as opened:
        yield opened


def answered(site: Site, binding: str) -> str:
    """What rpcclient says, and proof that it was our agent which answered."""
    before = len(site.daemon.calls())
    done = site.samba.rpcclient(VERSION, binding=binding, check=False)
    wait_until("the call is logged", lambda: len(site.daemon.calls()) == before + 1)
    return str(done.stdout + done.stderr)


def logged(site: Site, text: str) -> None:
    """The daemon says so in one of its last lines, which it writes behind its answer."""
    wait_until(f"the daemon logs {text!r}", lambda: text in site.daemon.tail(2))


@pytest.mark.parametrize("binding", [*SIGNED, *SEALED])
def test_rpcclient_with_protection(strict: Site, binding: str) -> None:
    assert "supports FSRVP versions from 1 to 1" in answered(strict, binding)


@pytest.mark.parametrize("binding", UNSIGNED)
def test_rpcclient_without_protection_is_denied(strict: Site, binding: str) -> None:
    """In the result, not by a fault: MS-FSRVP 3.1.4."""
    assert "result: 0x80070005" in answered(strict, binding)
    logged(strict, "the call is not signed")


@pytest.mark.parametrize("binding", UNSIGNED)
def test_protection_is_optional_where_it_is_not_required(site: Site, binding: str) -> None:
    assert "supports FSRVP versions from 1 to 1" in answered(site, binding)


@pytest.mark.parametrize("binding", SEALED)
def test_sealed_calls_satisfy_privacy(private: Site, binding: str) -> None:
    assert "supports FSRVP versions from 1 to 1" in answered(private, binding)


@pytest.mark.parametrize("binding", [*SIGNED, *UNSIGNED])
def test_anything_less_does_not(private: Site, binding: str) -> None:
    assert "result: 0x80070005" in answered(private, binding)
    logged(private, "the call is not sealed")


@pytest.mark.parametrize("binding", ["sign", "spnego,seal"])
def test_a_set_from_create_to_delete(strict: Site, binding: str) -> None:
    [copy] = fss.create_expose(strict.samba, TORTURE_SHARE, binding=binding)
    assert fss.get_mapping(strict.samba, copy, binding=binding) == copy
    fss.delete(strict.samba, copy, binding=binding)
    strict.assert_nothing_is_left()


@pytest.mark.parametrize("binding", ["sign", "seal", "bigendian,sign"])
def test_sambas_suite(binding: str) -> None:
    with open_site({**dialect("ws2012"), **REQUIRED}) as opened:
        verdicts, said = run_suite(opened, "rpc.fsrvp", binding)
        assert verdicts == dict.fromkeys(TESTS, "success"), said


def test_sambas_suite_in_ndr64() -> None:
    """Without share_sd, which also asks smbd's srvsvc in NDR64, and that has none."""
    tests = TESTS - {"share_sd"}
    with open_site({**dialect("ws2012"), **REQUIRED}) as opened:
        [copy] = fss.create_expose(opened.samba, TORTURE_SHARE, binding="sign")
        fss.delete(opened.samba, copy, binding="sign")
        verdicts, said = run_suite(
            opened, [f"rpc.fsrvp.fsrvp.{test}" for test in sorted(tests)], "ndr64,sign"
        )
        assert verdicts == dict.fromkeys(tests, "success"), said


class TestImpacket:
    @pytest.mark.parametrize("level", [secured_agent.INTEGRITY, secured_agent.PRIVACY])
    def test_every_method(self, strict: Site, level: int) -> None:
        """None is denied, whatever else may be wrong with the call."""
        with SecuredAgent(strict, level) as agent:
            for opnum, stub in every_call(agent.unc("missing")).items():
                assert agent.result(opnum, stub) != HResult.E_ACCESSDENIED

    def test_level_connect_is_denied_in_the_result(self, strict: Site) -> None:
        with SecuredAgent(strict, secured_agent.CONNECT) as agent:
            for opnum, stub in every_call(agent.unc("missing")).items():
                assert agent.result(opnum, stub) == HResult.E_ACCESSDENIED

    def test_level_packet_without_a_verifier_is_refused(self, strict: Site) -> None:
        """impacket agrees to the level and then sends none."""
        with SecuredAgent(strict, secured_agent.PKT) as agent:
            assert fault(agent) == "rpc_s_access_denied"

    @pytest.mark.parametrize("level", [secured_agent.CONNECT, secured_agent.INTEGRITY])
    def test_wrong_password(self, strict: Site, level: int) -> None:
        wrong = User(ROOT.name, "guessed")
        with SecuredAgent(strict, level, rpc_user=wrong) as agent:
            assert fault(agent) == "rpc_s_access_denied"
        logged(strict, "wrong password for account root")

    def test_unknown_account(self, strict: Site) -> None:
        unknown = User("who-is-that", "whatever")
        with SecuredAgent(strict, secured_agent.INTEGRITY, rpc_user=unknown) as agent:
            assert fault(agent) == "rpc_s_access_denied"

    def test_another_account_than_the_sessions(self, strict: Site) -> None:
        """A clerk cannot ride on root's session, nor root's password help a clerk's."""
        for smb_user, rpc_user in ((ROOT, CLERK), (CLERK, ROOT)):
            with SecuredAgent(
                strict, secured_agent.INTEGRITY, smb_user=smb_user, rpc_user=rpc_user
            ) as agent:
                assert fault(agent) == "rpc_s_access_denied"
            logged(strict, f"{rpc_user.name} (S-1-")
            logged(strict, "is not the user of the SMB session")

    def test_an_ordinary_user_is_denied_though_proved(self, strict: Site) -> None:
        with SecuredAgent(strict, secured_agent.PRIVACY, smb_user=CLERK, rpc_user=CLERK) as agent:
            assert agent.result(Opnum.GetSupportedVersion, b"") == HResult.E_ACCESSDENIED

    @pytest.mark.parametrize("level", [secured_agent.INTEGRITY, secured_agent.PRIVACY])
    @pytest.mark.parametrize("place", [12, 22, 24, -1], ids=["call id", "opnum", "stub", "token"])
    def test_tampering(self, strict: Site, level: int, place: int) -> None:
        def spoil(data: bytes) -> bytes:
            spoilt = bytearray(data)
            spoilt[place] ^= 1
            return bytes(spoilt)

        with SecuredAgent(strict, level) as agent:
            stub = wide(agent.unc(TORTURE_SHARE))
            agent.must(Opnum.IsPathSupported, stub)
            with pytest.raises(DCERPCException, match=r"code: 00000721"):
                agent.send(Opnum.IsPathSupported, stub, spoil)
            assert_hung_up(agent)
        logged(strict, "the signature does not match")

    @pytest.mark.parametrize("level", [secured_agent.INTEGRITY, secured_agent.PRIVACY])
    def test_replay(self, strict: Site, level: int) -> None:
        with SecuredAgent(strict, level) as agent:
            first = agent.send(Opnum.GetSupportedVersion, b"", lambda data: data)
            with pytest.raises(DCERPCException, match=r"code: 00000721"):
                agent.send(Opnum.GetSupportedVersion, b"", lambda data: first)
            assert_hung_up(agent)

    def test_downgrade_to_nothing(self, strict: Site) -> None:
        """Somebody on the way cuts the verifier off."""

        def cut(data: bytes) -> bytes:
            body = data[: -24 - data[-22]]
            return body[:8] + struct.pack("<HH", len(body), 0) + body[12:]

        with SecuredAgent(strict, secured_agent.INTEGRITY) as agent:
            with pytest.raises(DCERPCException, match="rpc_s_access_denied"):
                agent.send(Opnum.SetContext, bytes(4), cut)
            assert_hung_up(agent)

    @pytest.mark.parametrize("level", [secured_agent.CONNECT, secured_agent.INTEGRITY])
    def test_downgrade_to_less(self, strict: Site, level: int) -> None:
        def lower(data: bytes) -> bytes:
            return data[:-23] + bytes([level]) + data[-22:]

        with SecuredAgent(strict, secured_agent.PRIVACY) as agent:
            with pytest.raises(DCERPCException, match="rpc_s_access_denied"):
                agent.send(Opnum.SetContext, bytes(4), lower)
            assert_hung_up(agent)


def fault(agent: SecuredAgent) -> str:
    """The name of the fault that answers a call."""
    with pytest.raises(DCERPCException) as refused:
        agent.call(Opnum.GetSupportedVersion, b"")
    found = re.search(r"rpc_s_\w+", str(refused.value))
    assert found, str(refused.value)
    return found.group()


def assert_hung_up(agent: SecuredAgent) -> None:
    with pytest.raises(Exception, match=r"STATUS_PIPE|STATUS_INVALID_HANDLE|STATUS_FILE_CLOSED"):
        agent.call(Opnum.GetSupportedVersion, b"")
