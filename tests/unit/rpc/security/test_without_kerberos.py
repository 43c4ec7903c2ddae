"""Kerberos is an extra: without it NTLM works, and the reason is reported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fsrvpd.errors import AuthenticationError
from fsrvpd.rpc.security import kerberos
from fsrvpd.rpc.security.context import AuthLevel, AuthParameters, AuthType, Reply
from fsrvpd.rpc.security.kerberos import KerberosAcceptor
from fsrvpd.rpc.security.spnego import KRB5_OID, NTLMSSP_OID
from tests.unit.rpc.security.initiators import acceptors
from tests.unit.rpc.security.test_spnego import fields_of, init

SIGNED = AuthParameters(AuthLevel.PKT_INTEGRITY, True)
PROGRAM = """
import sys
sys.modules["gssapi"] = None
from fsrvpd.rpc.security import acceptors, kerberos
print(kerberos.MISSING)
"""


def test_import_without_gssapi() -> None:
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert "install python3-gssapi" in said


def test_reason_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    with_keytab = acceptors()._replace(keytab="FILE:/nowhere")
    assert with_keytab.without_kerberos is None
    assert acceptors().without_kerberos == "this server is in no Active Directory"
    monkeypatch.setattr(kerberos, "MISSING", "no gssapi here")
    assert with_keytab.without_kerberos == "no gssapi here"
    with pytest.raises(AuthenticationError, match=r"no security provider|Kerberos cannot be used"):
        with_keytab.begin(AuthType.GSS_KERBEROS, SIGNED)
    with pytest.raises(AuthenticationError, match="no gssapi here"):
        KerberosAcceptor(SIGNED, "FILE:/nowhere")


def test_spnego_goes_on_with_ntlm() -> None:
    server = acceptors().begin(AuthType.GSS_NEGOTIATE, SIGNED)
    reply = server.step(init((KRB5_OID, NTLMSSP_OID), b"an AP-REQ"))
    assert isinstance(reply, Reply)
    assert fields_of(reply)[1] == NTLMSSP_OID


def test_spnego_prefers_kerberos_where_there_is_some() -> None:
    server = acceptors()._replace(keytab="FILE:/nowhere").begin(AuthType.GSS_NEGOTIATE, SIGNED)
    with pytest.raises(AuthenticationError, match="Kerberos"):
        server.step(init((KRB5_OID, NTLMSSP_OID), b"no AP-REQ"))


@pytest.mark.parametrize("token", [b"", b"\x6e\x00", b"\x60\x00", b"garbage", b"\x6e" + bytes(300)])
def test_garbage_is_refused(token: bytes) -> None:
    with pytest.raises(AuthenticationError):
        KerberosAcceptor(SIGNED, "FILE:/nowhere").step(token)
