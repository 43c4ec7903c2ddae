"""A database's own client program, kept running as the session of a writer.

It comes with the database, is as new as that, and knows every way to log in; passwords are in its
own files, and in no list of processes. It ends when this process does, since its input ends, and
the server then releases what the session held.
"""

from __future__ import annotations

import os
import pwd
import secrets
import select
import subprocess
import tempfile
import time
from contextlib import suppress
from typing import IO, Any, Optional, Sequence, cast

from fsrvpd.requestor.writers.ports import WriterFailed
from fsrvpd.requestor.writers.script import kill_group

_CHUNK = 1 << 20  # bytes
_LONGEST_MESSAGE = 500  # bytes of what the program writes to standard error
_END_TIMEOUT = 2.0  # s for it to end once its input has
_USUAL = ("PATH", "HOME", "USER", "LOGNAME", "TZ")
_SECRET = ("PGPASSWORD", "MYSQL_PWD")


class ClientProgram:
    """Reads statements and prints results. `user` is the account of this host that runs it; by
    default this process's own. One thread asks; another one may `kill`.

    `variables`: beginnings of the names of the environment variables that it gets beside the usual
    ones.
    """

    def __init__(
        self, writer: str, argv: Sequence[str], variables: Sequence[str], user: Optional[str]
    ) -> None:
        runs_as = _as_user(writer, user, _environment(variables))
        self.mark = secrets.token_hex(16)
        self._writer = writer
        self._program = argv[0]
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (it is closed with the program)
        try:
            self._process = subprocess.Popen(  # noqa: S603 (an argument vector, no shell)
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                cwd="/",
                start_new_session=True,
                **runs_as,
            )
        except OSError as error:
            self._stderr.close()
            cause = f"cannot run {argv[0]}: {error.strerror or error}"
            raise WriterFailed(writer, cause, f"install {argv[0]}, or correct `user`") from error
        self._input = cast("IO[bytes]", self._process.stdin)
        self._output = cast("IO[bytes]", self._process.stdout)

    def ask(self, text: str, timeout: float) -> tuple[str, str]:
        """Send lines, the last of which prints the mark. Returns what is printed before it, and
        behind it on its line. Raises: WriterFailed; the session has ended then."""
        with suppress(OSError):  # it has ended, and why is read below
            self._input.write(text.encode())
            self._input.flush()
        printed = self._read_until_mark(time.monotonic() + timeout)
        before, _, behind = printed.partition(self.mark)
        return before, behind.strip()

    def kill(self) -> None:
        """Who asks gets an error."""
        if self._process.returncode is None:  # else its number may be another's by now
            kill_group(self._process)

    def close(self) -> None:
        """Let it end; kill it if it does not. May be called twice."""
        with suppress(OSError):
            self._input.close()
        try:
            self._process.wait(_END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
        self._output.close()
        self._stderr.close()

    def _read_until_mark(self, deadline: float) -> str:
        descriptor = self._output.fileno()
        mark, found = self.mark.encode(), bytearray()
        searched = 0
        while True:
            at = found.find(mark, searched)
            if at >= 0 and found.find(b"\n", at) >= 0:
                return found.decode("utf-8", "replace")
            searched = max(0, len(found) - len(mark)) if at < 0 else at
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                self.kill()
                raise WriterFailed(self._writer, f"{self._program} has not answered in time")
            chunk = os.read(descriptor, _CHUNK)
            if not chunk:
                raise WriterFailed(self._writer, f"{self._program} has ended: {self._message()}")
            found += chunk

    def _message(self) -> str:
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - _LONGEST_MESSAGE))
        lines = self._stderr.read().decode("utf-8", "replace").splitlines()
        return "; ".join(filter(None, map(str.strip, lines))) or "without a message"


def _environment(variables: Sequence[str]) -> dict[str, str]:
    """No variable that may hold a password: every process of this user can read it."""
    found = {
        name: value
        for name, value in os.environ.items()
        if (name in _USUAL or name.startswith(tuple(variables))) and name not in _SECRET
    }
    return {**found, "LC_ALL": "C"}


def _as_user(writer: str, user: Optional[str], environment: dict[str, str]) -> dict[str, Any]:
    """What `Popen` wants. Raises: WriterFailed for a user that this host has not."""
    if user is None:
        return {"env": environment}
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise WriterFailed(writer, f"this host has no user {user}", "correct `user`") from None
    names = {"HOME": account.pw_dir, "USER": user, "LOGNAME": user}
    groups = os.getgrouplist(user, account.pw_gid)
    return {
        "env": {**environment, **names},
        "user": account.pw_uid,
        "group": account.pw_gid,
        "extra_groups": groups,
    }
