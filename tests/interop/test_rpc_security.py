"""Authenticated binds through a real smbd: rpcclient, smbtorture and impacket as clients."""

from __future__ import annotations

import re
import struct
from typing import Iterator

import pytest
from impacket.dcerpc.v5.rpcrt import DCERPCException

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from lab import fss
from lab.accounts import ROOT, User
from lab.namespaces import wait_until
from tests.interop import secured_agent
from tests.interop.nas import SECOND_ADDRESS, TORTURE_SHARE, Nas, open_nas
from tests.interop.raw_agent import every_call, wide
from tests.interop.secured_agent import SecuredAgent
from tests.interop.test_torture import TESTS, dialect, run_suite

REQUIRED = {"fsrvpd:require rpc integrity": "yes"}
SIGNED = ["packet", "sign", "ntlm,sign", "spnego,sign"]
SEALED = ["seal", "ntlm,seal", "spnego,seal"]
UNSIGNED = ["", "connect", "ntlm,connect", "spnego,connect"]
ORDINARY_USER = User("clerk", "Clerk-pass-1")
HELPER = User("helper")
VERSION = "fss_get_sup_version"


@pytest.fixture(scope="module")
def strict() -> Iterator[Nas]:
    """A NAS with the default options: calls must be signed."""
    with open_nas(REQUIRED) as opened:
        opened.samba.add_user(*ORDINARY_USER)
        opened.samba.add_unix_user(HELPER)
        opened.samba.add_group("operators", 30_001, HELPER)
        yield opened


@pytest.fixture(scope="module")
def private() -> Iterator[Nas]:
    with open_nas({"fsrvpd:require rpc privacy": "yes"}) as opened:
        yield opened


def answered(nas: Nas, binding: str, user: User = ROOT) -> str:
    """Return rpcclient's output, after checking that fsrvpd answered."""
    before = len(nas.daemon.calls())
    done = nas.samba.rpcclient(VERSION, user=user, binding=binding, check=False)
    wait_until("the call is logged", lambda: len(nas.daemon.calls()) == before + 1)
    return str(done.stdout + done.stderr)


def logged(nas: Nas, text: str) -> None:
    """Wait for the text in the last lines of the log: it is written after the response."""
    wait_until(f"the daemon logs {text!r}", lambda: text in nas.daemon.tail(2))


@pytest.mark.parametrize("binding", [*SIGNED, *SEALED])
def test_rpcclient_with_protection(strict: Nas, binding: str) -> None:
    assert "supports FSRVP versions from 1 to 1" in answered(strict, binding)


@pytest.mark.parametrize("binding", UNSIGNED)
def test_rpcclient_without_protection_is_denied(strict: Nas, binding: str) -> None:
    """MS-FSRVP 3.1.4: the result says so, there is no fault."""
    assert "result: 0x80070005" in answered(strict, binding)
    logged(strict, "the call is not signed")


@pytest.mark.parametrize("binding", UNSIGNED)
def test_protection_is_optional_where_it_is_not_required(nas: Nas, binding: str) -> None:
    assert "supports FSRVP versions from 1 to 1" in answered(nas, binding)


@pytest.mark.parametrize("binding", SEALED)
def test_sealed_calls_satisfy_privacy(private: Nas, binding: str) -> None:
    assert "supports FSRVP versions from 1 to 1" in answered(private, binding)


@pytest.mark.parametrize("binding", [*SIGNED, *UNSIGNED])
def test_anything_less_does_not(private: Nas, binding: str) -> None:
    assert "result: 0x80070005" in answered(private, binding)
    logged(private, "the call is not sealed")


@pytest.mark.parametrize("binding", ["sign", "spnego,seal"])
def test_a_set_from_create_to_delete(strict: Nas, binding: str) -> None:
    [copy] = fss.create_expose(strict.samba, TORTURE_SHARE, binding=binding)
    assert fss.get_mapping(strict.samba, copy, binding=binding) == copy
    fss.delete(strict.samba, copy, binding=binding)
    strict.assert_nothing_is_left()


@pytest.mark.parametrize("binding", ["sign", "seal", "bigendian,sign"])
def test_sambas_suite(binding: str) -> None:
    with open_nas({**dialect("ws2012"), **REQUIRED}) as opened:
        results, said = run_suite(opened, "rpc.fsrvp", binding)
        assert results == dict.fromkeys(TESTS, "success"), said


def test_sambas_suite_in_ndr64() -> None:
    """share_sd is left out: it also calls smbd's srvsvc in NDR64, which srvsvc does not support."""
    tests = TESTS - {"share_sd"}
    with open_nas({**dialect("ws2012"), **REQUIRED}) as opened:
        [copy] = fss.create_expose(opened.samba, TORTURE_SHARE, binding="sign")
        fss.delete(opened.samba, copy, binding="sign")
        results, said = run_suite(
            opened, [f"rpc.fsrvp.fsrvp.{test}" for test in sorted(tests)], "ndr64,sign"
        )
        assert results == dict.fromkeys(tests, "success"), said


MAP = """\
clerk = nobody-at-all
!root = Administrator "Back Up" @operators
!clerk = Somebody
clerk = *
"""
MAP_SCRIPT = "#!/bin/sh\ncase $1 in root) ;; Somebody) echo clerk ;; *) echo root ;; esac\n"


@pytest.fixture(params=["username map", "username map script"])
def mapping(request: pytest.FixtureRequest, strict: Nas) -> Iterator[Nas]:
    """smbd has a map of users; fsrvpd never reads it."""
    file = strict.lab.directory / request.param.replace(" ", "-")
    file.write_text(MAP if request.param == "username map" else MAP_SCRIPT)
    strict.lab.run(["chmod", "0755", file])
    strict.samba.set_option(request.param, str(file))
    strict.samba.reload()
    yield strict
    strict.samba.set_option(request.param, None)
    strict.samba.reload()


@pytest.mark.parametrize("name", ["Administrator", "ADMINISTRATOR", "Back Up", HELPER.name])
def test_the_account_is_the_one_that_smbd_maps_a_name_to(mapping: Nas, name: str) -> None:
    """The client signs with its own name for the account."""
    user = User(name, ROOT.password)
    for binding in ("ntlm,sign", "spnego,seal"):
        assert "supports FSRVP versions from 1 to 1" in answered(mapping, binding, user)


def test_a_wrong_password_of_a_mapped_name_is_one_of_its_account(mapping: Nas) -> None:
    before = len(mapping.daemon.read_log())
    right, wrong = (User("Somebody", word) for word in (ORDINARY_USER.password, "guessed"))
    with SecuredAgent(
        mapping, secured_agent.INTEGRITY, smb_user=right, rpc_user=wrong, address=SECOND_ADDRESS
    ) as agent:
        assert fault(agent) == "rpc_s_access_denied"
    refused = (f"wrong password for account {ORDINARY_USER.name}", "10 wrong passwords of LAB")
    wait_until(
        "the reason is logged",
        lambda: any(why in mapping.daemon.read_log()[before:] for why in refused),
    )


class TestImpacket:
    @pytest.mark.parametrize("level", [secured_agent.INTEGRITY, secured_agent.PRIVACY])
    def test_every_method(self, strict: Nas, level: int) -> None:
        """No method returns E_ACCESSDENIED, whatever else is wrong with the call."""
        with SecuredAgent(strict, level) as agent:
            for opnum, stub in every_call(agent.unc("missing")).items():
                assert agent.result(opnum, stub) != HResult.E_ACCESSDENIED

    def test_level_connect_is_denied_in_the_result(self, strict: Nas) -> None:
        with SecuredAgent(strict, secured_agent.CONNECT) as agent:
            for opnum, stub in every_call(agent.unc("missing")).items():
                assert agent.result(opnum, stub) == HResult.E_ACCESSDENIED

    def test_level_packet_without_a_verifier_is_refused(self, strict: Nas) -> None:
        """impacket agrees to the level and then sends no verifier."""
        with SecuredAgent(strict, secured_agent.PKT) as agent:
            assert fault(agent) == "rpc_s_access_denied"

    @pytest.mark.parametrize("level", [secured_agent.CONNECT, secured_agent.INTEGRITY])
    def test_wrong_password(self, strict: Nas, level: int) -> None:
        wrong = User(ROOT.name, "guessed")
        with SecuredAgent(strict, level, rpc_user=wrong) as agent:
            assert fault(agent) == "rpc_s_access_denied"
        logged(strict, "wrong password for account root")

    def test_another_account_than_the_sessions(self, strict: Nas) -> None:
        """An ordinary user cannot use root's session, nor root's password on their own session."""
        strict.daemon.restart()  # which forgets the wrong passwords of other tests
        for smb_user, rpc_user in ((ROOT, ORDINARY_USER), (ORDINARY_USER, ROOT)):
            with SecuredAgent(
                strict, secured_agent.INTEGRITY, smb_user=smb_user, rpc_user=rpc_user
            ) as agent:
                assert fault(agent) == "rpc_s_access_denied"
            logged(strict, f"wrong password for account {smb_user.name}")

    def test_an_ordinary_user_is_denied_though_proved(self, strict: Nas) -> None:
        strict.daemon.restart()  # which forgets the wrong passwords of other tests
        with SecuredAgent(
            strict, secured_agent.PRIVACY, smb_user=ORDINARY_USER, rpc_user=ORDINARY_USER
        ) as agent:
            assert agent.result(Opnum.GetSupportedVersion, b"") == HResult.E_ACCESSDENIED

    @pytest.mark.parametrize("level", [secured_agent.INTEGRITY, secured_agent.PRIVACY])
    @pytest.mark.parametrize("place", [12, 22, 24, -1], ids=["call id", "opnum", "stub", "token"])
    def test_tampering(self, strict: Nas, level: int, place: int) -> None:
        def spoil(data: bytes) -> bytes:
            spoilt = bytearray(data)
            spoilt[place] ^= 1
            return bytes(spoilt)

        # Wrong passwords of other tests are counted for the first address.
        with SecuredAgent(strict, level, address=SECOND_ADDRESS) as agent:
            stub = wide(agent.unc(TORTURE_SHARE))
            agent.must(Opnum.IsPathSupported, stub)
            with pytest.raises(DCERPCException, match=r"code: 00000721"):
                agent.send(Opnum.IsPathSupported, stub, spoil)
            assert_hung_up(agent)
        logged(strict, "the signature does not match")

    @pytest.mark.parametrize("level", [secured_agent.INTEGRITY, secured_agent.PRIVACY])
    def test_replay(self, strict: Nas, level: int) -> None:
        with SecuredAgent(strict, level, address=SECOND_ADDRESS) as agent:
            first = agent.send(Opnum.GetSupportedVersion, b"", lambda data: data)
            with pytest.raises(DCERPCException, match=r"code: 00000721"):
                agent.send(Opnum.GetSupportedVersion, b"", lambda data: first)
            assert_hung_up(agent)

    def test_downgrade_to_nothing(self, strict: Nas) -> None:
        """An attacker between client and server cuts the verifier off."""

        def cut(data: bytes) -> bytes:
            body = data[: -24 - data[-22]]
            return body[:8] + struct.pack("<HH", len(body), 0) + body[12:]

        with SecuredAgent(strict, secured_agent.INTEGRITY) as agent:
            with pytest.raises(DCERPCException, match="rpc_s_access_denied"):
                agent.send(Opnum.SetContext, bytes(4), cut)
            assert_hung_up(agent)

    @pytest.mark.parametrize("level", [secured_agent.CONNECT, secured_agent.INTEGRITY])
    def test_downgrade_to_less(self, strict: Nas, level: int) -> None:
        def lower(data: bytes) -> bytes:
            return data[:-23] + bytes([level]) + data[-22:]

        with SecuredAgent(strict, secured_agent.PRIVACY) as agent:
            with pytest.raises(DCERPCException, match="rpc_s_access_denied"):
                agent.send(Opnum.SetContext, bytes(4), lower)
            assert_hung_up(agent)


def fault(agent: SecuredAgent) -> str:
    """Return the name of the fault that answers a call."""
    with pytest.raises(DCERPCException) as refused:
        agent.call(Opnum.GetSupportedVersion, b"")
    found = re.search(r"rpc_s_\w+", str(refused.value))
    assert found, str(refused.value)
    return found.group()


def assert_hung_up(agent: SecuredAgent) -> None:
    with pytest.raises(Exception, match=r"STATUS_PIPE|STATUS_INVALID_HANDLE|STATUS_FILE_CLOSED"):
        agent.call(Opnum.GetSupportedVersion, b"")
