r"""Who logs in, and where the secret comes from: a file, systemd, a credential cache, a terminal.

A password is never an argument and never in the environment; it is in no text that this module
makes. It is used with NTLM only, a credential cache with Kerberos only: nothing changes silently
from one to the other.
"""

from __future__ import annotations

import getpass
import os
import stat
import sys
from dataclasses import dataclass, field
from typing import Callable, Mapping, Optional

from fsrvpd.requestor.errors import WRONG_USE, RequestorError

SYSTEMD_NAME = "fsrvpshadow.credentials"  # LoadCredential=fsrvpshadow.credentials:FILE
MAX_SIZE = 64 * 1024  # bytes of a file
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Credentials:
    r"""`user` is `DOMAIN\name`, `name@realm` or `name`; with `kerberos` "" is whoever the default
    credential cache is of."""

    user: str
    password: Optional[str] = field(default=None, repr=False)
    kerberos: bool = False

    @property
    def shown(self) -> str:
        """For messages."""
        return self.user or "the tickets of the default credential cache"


def from_file(path: str) -> Credentials:
    """A file in the form of smbclient's -A. Raises: RequestorError."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            _check_mode(path, os.fstat(file.fileno()))
            data = file.read(MAX_SIZE + 1)
    except OSError as error:
        why = error.strerror or str(error)
        raise _error(path, why, "name a file with username and password") from error
    return _parsed(path, data)


def from_systemd(environment: Mapping[str, str] = os.environ) -> Optional[Credentials]:
    """What systemd has put there for this unit, None if nothing. Raises: RequestorError."""
    directory = environment.get("CREDENTIALS_DIRECTORY")
    path = os.path.join(directory or "", SYSTEMD_NAME)
    if not directory or not os.path.exists(path):
        return None
    try:  # systemd guards the directory, and gives the file a mode that suits its user
        with open(path, "rb") as file:
            data = file.read(MAX_SIZE + 1)
    except OSError as error:
        why = error.strerror or str(error)
        raise _error(path, why, "see LoadCredential in the unit") from error
    return _parsed(path, data)


def from_cache(user: str = "") -> Credentials:
    """Tickets that kinit has fetched, for `user` if the cache has those of several."""
    return Credentials(user, kerberos=True)


def ask(user: str, read: Callable[[str], str] = getpass.getpass) -> Credentials:
    """Ask for the password at the terminal. Raises: RequestorError if there is none."""
    if not sys.stdin.isatty():
        raise _error(user, "there is no terminal to ask for the password", "use -A FILE or -k")
    try:
        return Credentials(user, read(f"Password for {user}: "))
    except (EOFError, OSError) as error:
        raise _error(user, "no password was typed", "use -A FILE or -k") from error


def _without_waiting(path: str, flags: int) -> int:
    """A FIFO would be waited for until somebody writes to it."""
    return os.open(path, flags | os.O_NONBLOCK)


def _check_mode(path: str, status: os.stat_result) -> None:
    """Raises: RequestorError."""
    if not stat.S_ISREG(status.st_mode):
        raise _error(path, "it is not a file", "name a file with username and password")
    if status.st_uid not in (0, os.geteuid()):
        raise _error(path, "it belongs to another user", f"chown {os.geteuid()} {path}")
    if status.st_mode & _OTHERS:
        mode = stat.S_IMODE(status.st_mode)
        raise _error(path, f"others may read or write it (mode {mode:04o})", f"chmod 600 {path}")


def _parsed(path: str, data: bytes) -> Credentials:
    """As Samba's cli_credentials_parse_file reads it: spaces before a value are no part of it,
    those after it are, and other lines are ignored. Editors of Windows put a mark before the first
    line. Raises: RequestorError."""
    if len(data) > MAX_SIZE:
        raise _error(path, "it is too large", "it needs username and password only")
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise _error(path, "it is not text in UTF-8", "write it again in UTF-8") from None
    values = {}
    for line in lines:
        name, equals, value = line.partition("=")
        if equals:
            values["".join(name.split()).lower()] = value.lstrip(" \t").removesuffix("\r")
    user, domain = values.get("username", "").strip(), values.get("domain", "").strip()
    if not user:
        raise _error(path, "it has no username", "add a line 'username = NAME'")
    if "password" not in values:
        raise _error(path, "it has no password", "add a line 'password = …', or use -k")
    if domain and "\\" not in user and "@" not in user:
        user = f"{domain}\\{user}"
    return Credentials(user, values["password"])


def _error(object: str, cause: str, next_step: str) -> RequestorError:
    return RequestorError(object, cause, next_step, exit_status=WRONG_USE)
