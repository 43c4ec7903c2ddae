"""A copy mounted by the kernel's own file system for SMB, where it has one.

mount.cifs reads the password from a descriptor. Spec: mount.cifs(8).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import List

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.smb.credentials import Credentials
from fsrvpd.run_command import CommandFailed, run

_PROGRAM = "mount.cifs"
_TIMEOUT = 90.0  # seconds


def mount(unc: str, prefix: str, point: Path, credentials: Credentials, encrypt: bool) -> None:
    """Raises: RequestorError."""
    words = _words(credentials, encrypt)
    what = "/".join(filter(None, (unc, prefix))).replace("\\", "/")
    reader, writer = os.pipe()
    try:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write((credentials.password or "").encode())
        argv = [_PROGRAM, what, str(point), "-o", ",".join(words)]
        run(argv, timeout=_TIMEOUT, environment={"PASSWD_FD": str(reader)}, keep_open=[reader])
    except CommandFailed as error:
        raise _failure(unc, error) from error
    finally:
        os.close(reader)


def _words(credentials: Credentials, encrypt: bool) -> List[str]:
    """Always signed. Raises: RequestorError."""
    domain, backslash, user = credentials.user.rpartition("\\")
    if "," in credentials.user:
        cause = "mount.cifs takes no user with a comma in the name"
        raise RequestorError(credentials.user, cause, "mount without --cifs")
    words = ["ro", "nosuid", "nodev", "noexec", "file_mode=0600", "dir_mode=0700"]
    words += [f"uid={os.geteuid()}", f"gid={os.getegid()}"]
    if credentials.kerberos:
        words += ["sec=krb5i", f"cruid={os.geteuid()}"]
    else:
        words += ["sec=ntlmsspi", f"username={user}"]
    words += [f"domain={domain}"] if backslash else []
    return [*words, "seal"] if encrypt else words


def _failure(unc: str, error: CommandFailed) -> RequestorError:
    if error.error_number == 2:
        return RequestorError(unc, "mount.cifs is not installed", "apt install cifs-utils")
    return RequestorError(unc, str(error), "dmesg | tail; or mount without --cifs")
