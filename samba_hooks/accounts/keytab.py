"""The keytab that decrypts Kerberos tickets for this server.

Samba keeps a member's machine password in secrets.tdb, and usually in no keytab at all. So `net`
exports it to a keytab of fsrvpd, and again whenever secrets.tdb changes: every change is a
transaction, and tdb updates the file's time with each. A controller of an Active Directory has its
keys in a keytab, which Samba writes with every change of them (ldb module update_keytab).

Observed with Samba 4.17.12, 4.22.11 and 4.25.1: an export takes 1 s and needs a domain
controller. Since 4.21 `net` expects the keytab in another option (smb.conf(5): "sync machine
password to keytab").
"""

from __future__ import annotations

import logging
import os
import re
import struct
import threading
from typing import Iterator, Optional

from fsrvpd.errors import AuthenticationError, RegistryError
from samba_hooks.configuration import (
    ROLE_ACTIVE_DIRECTORY_DC,
    ROLE_DOMAIN_MEMBER,
    SambaConfiguration,
)
from samba_hooks.tools import SambaTools

log = logging.getLogger("samba_hooks.accounts.keytab")

POLL_INTERVAL = 5.0  # s between two checks of secrets.tdb
RETRY_INTERVAL = 60.0  # s after a failed export
STOP_TIMEOUT = 3.0  # s that `close` waits for an export

_DEDICATED = "dedicated keytab"
_OF_CONTROLLER = "secrets.keytab"
_SECRETS = "secrets.tdb"
_FORMAT = b"\x05\x02"
_EXPORT = ("ads", "keytab", "create", "--machine-pass")


def is_used(configuration: SambaConfiguration) -> bool:
    """Whether clients can use Kerberos: this server is in an Active Directory."""
    roles = (ROLE_DOMAIN_MEMBER, ROLE_ACTIVE_DIRECTORY_DC)
    return configuration.server_role in roles and bool(configuration.realm)


def kept_by_others(configuration: SambaConfiguration) -> Optional[str]:
    """The keytab of a controller, or the one that smb.conf sets for Samba."""
    if configuration.server_role == ROLE_ACTIVE_DIRECTORY_DC:
        return os.path.join(configuration.private_dir, _OF_CONTROLLER)
    method = configuration.parameters["kerberos method"]
    path = configuration.parameters["dedicated keytab file"]
    return path if method == _DEDICATED and path else None


class ExportedKeytab:
    """A keytab of fsrvpd at `path`, kept current by a thread until `close`."""

    def __init__(self, configuration: SambaConfiguration, tools: SambaTools, path: str) -> None:
        self.path = path
        self._tools = tools
        self._options = _options(configuration.samba_version, path)
        self._secrets = os.path.join(configuration.private_dir, _SECRETS)
        self._exported: Optional[int] = None  # time of the secrets, ns, when last exported
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep_current, name="keytab", daemon=True)

    def start(self) -> None:
        """Export it and watch for changes. Raises: AuthenticationError if the export fails; it is
        retried nevertheless."""
        try:
            self.export()
        finally:
            self._thread.start()

    def close(self) -> None:
        """Waits for a running export, but not for long: it may hang."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(STOP_TIMEOUT)

    def is_current(self) -> bool:
        return self._exported is not None and self._exported == self._changed()

    def export(self) -> None:
        """Raises: AuthenticationError."""
        changed = self._changed()
        try:
            self._tools.run("net", *_EXPORT, *self._options)
        except RegistryError as error:
            raise AuthenticationError(f"{error}; is this server joined?") from None
        if not os.path.exists(self.path):
            raise AuthenticationError(f"`net ads keytab create` did not create {self.path}")
        self._exported = changed

    def _keep_current(self) -> None:
        interval = POLL_INTERVAL
        while not self._end.wait(interval):
            if self.is_current():
                continue
            try:
                self.export()
                log.info("%s: the new machine password was exported", self.path)
                interval = POLL_INTERVAL
            except AuthenticationError as error:
                log.error("%s; Kerberos clients with new tickets are refused", error)
                interval = RETRY_INTERVAL

    def _changed(self) -> Optional[int]:
        """When secrets.tdb was last written, ns; None if it does not exist."""
        try:
            return os.stat(self._secrets).st_mtime_ns
        except OSError:
            return None


def key_versions(path: str) -> frozenset[int]:
    """The versions of the keys in a keytab, at least one. Raises: AuthenticationError if it
    cannot be read or contains none. The format is MIT's ("The keytab file format")."""
    try:
        with open(path, "rb") as file:
            data = file.read()
        if data[:2] != _FORMAT:
            raise AuthenticationError(f"{path}: not a keytab")
        versions = frozenset(_version(entry) for entry in _entries(data[2:]))
    except OSError as error:
        raise AuthenticationError(f"{path}: {error.strerror}") from error
    except (IndexError, ValueError, struct.error) as error:
        raise AuthenticationError(f"{path}: the keytab is damaged") from error
    if not versions:
        raise AuthenticationError(f"{path}: the keytab contains no key")
    return versions


def _entries(data: bytes) -> Iterator[bytes]:
    """Each follows its length, which is negative for a deleted entry."""
    while data:
        (length,) = struct.unpack_from(">i", data)
        if length == 0:
            return
        if 4 + abs(length) > len(data):
            raise ValueError("an entry is cut short")
        if length > 0:
            yield data[4 : 4 + length]
        data = data[4 + abs(length) :]


def _version(entry: bytes) -> int:
    """The one-byte version follows the names, the name type and the time; the four-byte version
    follows the key, and is used unless it is missing or 0."""
    (components,) = struct.unpack_from(">H", entry)
    at = 2
    for _ in range(components + 1):  # the realm comes first
        at += 2 + struct.unpack_from(">H", entry, at)[0]
    at += 8
    short = entry[at]
    at += 5 + struct.unpack_from(">H", entry, at + 3)[0]
    return (struct.unpack_from(">I", entry, at)[0] if len(entry) >= at + 4 else 0) or short


def make(
    configuration: SambaConfiguration, tools: SambaTools, path: str
) -> Optional[ExportedKeytab]:
    """None if nothing is to be exported: this server is in no Active Directory, or others keep its
    keytab current."""
    if not is_used(configuration) or kept_by_others(configuration):
        return None
    return ExportedKeytab(configuration, tools, path)


def _options(samba_version: str, path: str) -> list[str]:
    found = re.match(r"(\d+)\.(\d+)", samba_version)
    if found and (int(found[1]), int(found[2])) >= (4, 21):
        # The option is a list: an item that contains a comma must be in quotes.
        spec = f'"{path}:account_name:spn_prefixes=host,cifs:sync_kvno:machine_password"'
        return [f"--option=sync machine password to keytab={spec}"]
    return [
        f"--option=kerberos method={_DEDICATED}",
        f"--option=dedicated keytab file={path}",
    ]
