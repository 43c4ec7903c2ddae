"""The keytab with which Kerberos tickets for this server are read.

Samba keeps a member's machine password in secrets.tdb and most often in no keytab at all,
so we have `net` export it into one of our own, and again whenever that file changes:
every change is a transaction, and tdb sets the file's time with each.

Observed with Samba 4.17.12: takes 1 s and a domain controller. From 4.21 on `net` wants
to be told the keytab in another option (source3/utils/net_ads.c, release notes of 4.21).
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import threading
from typing import Optional, Sequence

from fsrvpd.errors import AuthenticationError
from samba_hooks.configuration import SambaConfiguration

log = logging.getLogger("samba_hooks.keytab")

TIMEOUT = 60.0  # s
PATIENCE = 5.0  # s between two looks at secrets.tdb
PATIENCE_AFTER_FAILURE = 60.0  # s

_MEMBER = "ROLE_DOMAIN_MEMBER"
_DEDICATED = "dedicated keytab"
_SECRETS = "secrets.tdb"
_ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath + ":/usr/sbin:/sbin"}


def dedicated(configuration: SambaConfiguration) -> Optional[str]:
    """The keytab that smb.conf tells Samba itself to use, which others keep current."""
    method = configuration.parameters["kerberos method"]
    path = configuration.parameters["dedicated keytab file"]
    return path if method == _DEDICATED and path else None


class ExportedKeytab:
    """A keytab of our own at `path`, kept current by a thread until `close`."""

    def __init__(
        self, configuration: SambaConfiguration, samba_arguments: Sequence[str], path: str
    ) -> None:
        self.path = path
        self._argv = ["net", "ads", "keytab", "create", "--machine-pass", *samba_arguments]
        self._argv += _options(configuration.samba_version, path)
        self._secrets = os.path.join(configuration.private_dir, _SECRETS)
        self._exported: Optional[int] = None  # time of the secrets, ns, when last exported
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keytab", daemon=True)

    def start(self) -> None:
        """Export it, and go on watching. Raises: AuthenticationError when the first fails;
        it is tried again all the same."""
        try:
            self.export()
        finally:
            self._thread.start()

    def close(self) -> None:
        self._end.set()

    def is_current(self) -> bool:
        return self._exported is not None and self._exported == self._changed()

    def export(self) -> None:
        """Raises: AuthenticationError."""
        changed = self._changed()
        try:
            done = subprocess.run(  # noqa: S603, an argument list of ours
                self._argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=_ENVIRONMENT,
                timeout=TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            cause = getattr(error, "strerror", None) or type(error).__name__
            raise AuthenticationError(f"{self.path}: net ads keytab create: {cause}") from None
        if done.returncode != 0 or not os.path.exists(self.path):
            said = " ".join((done.stderr or done.stdout).decode("utf-8", "replace").split())
            raise AuthenticationError(
                f"{self.path}: net ads keytab create: {said}; is this server joined?"
            )
        self._exported = changed

    def _keep(self) -> None:
        patience = PATIENCE
        while not self._end.wait(patience):
            if self.is_current():
                continue
            try:
                self.export()
                log.info("%s: the machine password was exported anew", self.path)
                patience = PATIENCE
            except AuthenticationError as error:
                log.error("%s; Kerberos clients with newer tickets are refused", error)
                patience = PATIENCE_AFTER_FAILURE

    def _changed(self) -> Optional[int]:
        """When the secrets were last written; None when there are none."""
        try:
            return os.stat(self._secrets).st_mtime_ns
        except OSError:
            return None


def make(
    configuration: SambaConfiguration, samba_arguments: Sequence[str], path: str
) -> Optional[ExportedKeytab]:
    """None where there is no machine password: this server is in no Active Directory."""
    if configuration.server_role != _MEMBER or not configuration.realm:
        return None
    return ExportedKeytab(configuration, samba_arguments, path)


def _options(samba_version: str, path: str) -> list[str]:
    found = re.match(r"(\d+)\.(\d+)", samba_version)
    if found and (int(found[1]), int(found[2])) >= (4, 21):
        spec = f"{path}:account_name:spn_prefixes=host,cifs:sync_kvno:machine_password"
        return [f"--option=sync machine password to keytab={spec}"]
    return [
        f"--option=kerberos method={_DEDICATED}",
        f"--option=dedicated keytab file={path}",
    ]
