"""Begins a security context for the provider that a client asks for."""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional

from fsrvpd.errors import AuthenticationError
from fsrvpd.rpc.security import kerberos
from fsrvpd.rpc.security.context import AuthLevel, AuthParameters, AuthType, SecurityContext
from fsrvpd.rpc.security.kerberos import KerberosAcceptor
from fsrvpd.rpc.security.ntlm import ChallengeFields, NtlmAcceptor
from fsrvpd.rpc.security.ntlm_messages import Names
from fsrvpd.rpc.security.spnego import (
    KRB5_OID,
    MS_KRB5_OID,
    NTLMSSP_OID,
    MechanismFactories,
    SpnegoAcceptor,
)


class Acceptors(NamedTuple):
    """What this server can accept. `nonce` returns 8 new random bytes, `file_time` the time
    in 100 ns since 1601-01-01 UTC. Without a `keytab` there is no Kerberos."""

    names: Names
    nonce: Callable[[], bytes]
    file_time: Callable[[], int]
    keytab: Optional[str] = None

    @property
    def without_kerberos(self) -> Optional[str]:
        """Why there is no Kerberos, for the log; None when there is."""
        if kerberos.MISSING is not None:
            return kerberos.MISSING
        return None if self.keytab else "this server is in no Active Directory"

    def begin(self, auth_type: int, parameters: AuthParameters) -> SecurityContext:
        """A context for the first token of a client. Raises: AuthenticationError."""
        if not AuthLevel.CONNECT <= parameters.level <= AuthLevel.PKT_PRIVACY:
            raise AuthenticationError(f"no authentication level {parameters.level}")
        if auth_type == AuthType.WINNT:
            return self._ntlm(parameters)
        if auth_type == AuthType.GSS_NEGOTIATE:
            return SpnegoAcceptor(self._factories(parameters))
        if auth_type == AuthType.GSS_KERBEROS:
            if self.without_kerberos is not None:
                raise AuthenticationError(f"Kerberos cannot be used: {self.without_kerberos}")
            return self._kerberos(parameters)
        raise AuthenticationError(f"no security provider for authentication type {auth_type}")

    def _factories(self, parameters: AuthParameters) -> MechanismFactories:
        ntlm: MechanismFactories = {NTLMSSP_OID: lambda: self._ntlm(parameters)}
        if self.without_kerberos is not None:
            return ntlm
        return {
            **ntlm,
            KRB5_OID: lambda: self._kerberos(parameters),
            MS_KRB5_OID: lambda: self._kerberos(parameters),
        }

    def _ntlm(self, parameters: AuthParameters) -> NtlmAcceptor:
        return NtlmAcceptor(parameters, ChallengeFields(self.names, self.nonce(), self.file_time()))

    def _kerberos(self, parameters: AuthParameters) -> KerberosAcceptor:
        return KerberosAcceptor(parameters, self.keytab or "")
