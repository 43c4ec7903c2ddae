"""Authentication at RPC level: which mechanisms are accepted, and who verifies accounts.

Responses of NTLM are verified by `verifications`. Kerberos needs nobody to ask.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from typing import Optional

from fsrvpd import filetime
from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.daemon.log.levels import NOTICE
from fsrvpd.daemon.pipe.verifications import Verifications
from fsrvpd.errors import AuthenticationError
from fsrvpd.rpc.security import kerberos
from fsrvpd.rpc.security.acceptors import Acceptors
from fsrvpd.rpc.security.ntlm_messages import Names
from fsrvpd.rpc.security.requirement import RequiredProtection
from fsrvpd.samba_command_line import OWN_KEYTAB
from samba_hooks.accounts import keytab
from samba_hooks.accounts.verifier import account_verifier, own_sid
from samba_hooks.configuration import ROLE_STANDALONE, SambaConfiguration
from samba_hooks.tools import SambaTools

log = logging.getLogger("fsrvpd.pipe")

_NONCE_SIZE = 8


def file_time() -> int:
    """Now, in 100 ns since 1601-01-01 UTC."""
    return filetime.from_unix(time.time())


def nonce() -> bytes:
    return os.urandom(_NONCE_SIZE)


def server_names(configuration: SambaConfiguration) -> Names:
    """The names that NTLM sends for this server, the same as Samba's."""
    is_member = configuration.server_role != ROLE_STANDALONE
    computer = configuration.netbios_name
    realm = configuration.realm.lower()
    host = computer.lower() if realm else socket.gethostname().partition(".")[0].lower()
    return Names(
        netbios_computer=computer,
        netbios_domain=configuration.workgroup if is_member else computer,
        dns_computer=f"{host}.{realm}" if realm else host,
        dns_domain=realm,
        is_member=is_member,
    )


class Authenticator:
    """Belongs to the event loop's thread. `folder`: where to keep a keytab of our own.

    Raises: AuthenticationError when no account could be verified at all.
    """

    def __init__(
        self,
        loop: EventLoop,
        configuration: SambaConfiguration,
        tools: SambaTools,
        folder: str,
        requirement: RequiredProtection,
    ) -> None:
        path = os.path.join(folder, OWN_KEYTAB)
        self._keytab = keytab.make(configuration, tools, path)
        self.acceptors = Acceptors(
            server_names(configuration), nonce, file_time, self._keytab_name(configuration)
        )
        self._own_sid = own_sid(configuration, tools)
        self.configure(requirement)
        self.verifications = Verifications(loop, account_verifier(configuration, tools))

    def configure(self, requirement: RequiredProtection) -> None:
        """Require another protection from now on."""
        self.requirement = requirement._replace(own_sid=self._own_sid)

    def _keytab_name(self, configuration: SambaConfiguration) -> Optional[str]:
        """The keytab for Kerberos. What prevents Kerberos is logged; NTLM works without it."""
        if not keytab.is_used(configuration):
            return None  # no Active Directory
        if kerberos.MISSING is not None:
            log.log(NOTICE, "clients cannot use Kerberos: %s", kerberos.MISSING)
            return None
        if self._keytab is None:
            return keytab.kept_by_others(configuration)
        try:
            self._keytab.start()
        except AuthenticationError as error:
            log.error("clients cannot use Kerberos yet: %s", error)
        return f"FILE:{self._keytab.path}"

    def close(self) -> None:
        if self._keytab is not None:
            self._keytab.close()
        self.verifications.close()
