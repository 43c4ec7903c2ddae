"""Begins a security context for whatever provider a client asks for."""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional

from fsrvpd.errors import AuthenticationError
from fsrvpd.rpc.security import kerberos
from fsrvpd.rpc.security.context import AuthLevel, AuthType, SecurityContext, Terms
from fsrvpd.rpc.security.kerberos import KerberosAcceptor
from fsrvpd.rpc.security.ntlm import NtlmAcceptor, Offer
from fsrvpd.rpc.security.ntlm_messages import Names
from fsrvpd.rpc.security.spnego import KRB5_OID, MS_KRB5_OID, NTLMSSP_OID, Makers, SpnegoAcceptor


class Acceptors(NamedTuple):
    """What this server can accept. `nonce` yields 8 fresh random bytes, `file_time` the
    time in 100 ns since 1601-01-01 UTC; without a `keytab` there is no Kerberos."""

    names: Names
    nonce: Callable[[], bytes]
    file_time: Callable[[], int]
    keytab: Optional[str] = None

    @property
    def without_kerberos(self) -> Optional[str]:
        """Why there is no Kerberos, for the log; None when there is."""
        if kerberos.MISSING is not None:
            return kerberos.MISSING
        return None if self.keytab else "no keytab"

    def begin(self, auth_type: int, terms: Terms) -> SecurityContext:
        """A context for the first token of a client. Raises: AuthenticationError."""
        if not AuthLevel.CONNECT <= terms.level <= AuthLevel.PKT_PRIVACY:
            raise AuthenticationError(f"no authentication level {terms.level}")
        if auth_type == AuthType.WINNT:
            return self._ntlm(terms)
        if auth_type == AuthType.GSS_NEGOTIATE:
            return SpnegoAcceptor(self._makers(terms))
        if auth_type == AuthType.GSS_KERBEROS and self.without_kerberos is None:
            return self._kerberos(terms)
        raise AuthenticationError(f"no security provider for authentication type {auth_type}")

    def _makers(self, terms: Terms) -> Makers:
        ntlm: Makers = {NTLMSSP_OID: lambda: self._ntlm(terms)}
        if self.without_kerberos is not None:
            return ntlm
        return {
            **ntlm,
            KRB5_OID: lambda: self._kerberos(terms),
            MS_KRB5_OID: lambda: self._kerberos(terms),
        }

    def _ntlm(self, terms: Terms) -> NtlmAcceptor:
        return NtlmAcceptor(terms, Offer(self.names, self.nonce(), self.file_time()))

    def _kerberos(self, terms: Terms) -> KerberosAcceptor:
        return KerberosAcceptor(terms, self.keytab or "")
