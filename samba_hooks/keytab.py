"""The keytab with which Kerberos tickets for this server are read.

Samba keeps a member's machine password in secrets.tdb and most often in no keytab at all,
so we have `net` export it into one of our own, and again whenever that file changes:
every change is a transaction, and tdb sets the file's time with each.

Observed with Samba 4.17.12, 4.22.11 and 4.25.1: takes 1 s and a domain controller. From
4.21 on `net` is told the keytab in another option (smb.conf(5): "sync machine password to
keytab").
"""

from __future__ import annotations

import logging
import os
import re
import struct
import threading
from typing import Iterator, Optional

from fsrvpd.errors import AuthenticationError, RegistryError
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.samba_tools import SambaTools

log = logging.getLogger("samba_hooks.keytab")

PATIENCE = 5.0  # s between two looks at secrets.tdb
PATIENCE_AFTER_FAILURE = 60.0  # s
PATIENCE_AT_END = 3.0  # s

_MEMBER = "ROLE_DOMAIN_MEMBER"
_DEDICATED = "dedicated keytab"
_SECRETS = "secrets.tdb"
_FORMAT = b"\x05\x02"
_EXPORT = ("ads", "keytab", "create", "--machine-pass")


def is_used(configuration: SambaConfiguration) -> bool:
    """Whether clients can come with tickets: this server is a member of an Active Directory."""
    return configuration.server_role == _MEMBER and bool(configuration.realm)


def dedicated(configuration: SambaConfiguration) -> Optional[str]:
    """The keytab that smb.conf tells Samba itself to use, which others keep current."""
    method = configuration.parameters["kerberos method"]
    path = configuration.parameters["dedicated keytab file"]
    return path if method == _DEDICATED and path else None


class ExportedKeytab:
    """A keytab of our own at `path`, kept current by a thread until `close`."""

    def __init__(self, configuration: SambaConfiguration, tools: SambaTools, path: str) -> None:
        self.path = path
        self._tools = tools
        self._options = _options(configuration.samba_version, path)
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
        """An export under way is waited for, but not for long: it may hang."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(PATIENCE_AT_END)

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
            raise AuthenticationError(f"net ads keytab create made no {self.path}")
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


def key_versions(path: str) -> frozenset[int]:
    """The versions of the keys in a keytab, one at least. Raises: AuthenticationError when it
    cannot be read or holds none. The format is MIT's ("The keytab file format")."""
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
        raise AuthenticationError(f"{path}: the keytab holds no key")
    return versions


def _entries(data: bytes) -> Iterator[bytes]:
    """Each with its length in front, negative where an entry was deleted."""
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
    """The short one stands after the names, the time and the name's type; the long one, in
    four bytes, after the key, and counts unless it is missing or 0."""
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
    """None where there is no machine password: this server is in no Active Directory."""
    if not is_used(configuration):
        return None
    return ExportedKeytab(configuration, tools, path)


def _options(samba_version: str, path: str) -> list[str]:
    found = re.match(r"(\d+)\.(\d+)", samba_version)
    if found and (int(found[1]), int(found[2])) >= (4, 21):
        # The option is a list of specifications: one with a comma in it must stand in quotes.
        spec = f'"{path}:account_name:spn_prefixes=host,cifs:sync_kvno:machine_password"'
        return [f"--option=sync machine password to keytab={spec}"]
    return [
        f"--option=kerberos method={_DEDICATED}",
        f"--option=dedicated keytab file={path}",
    ]
