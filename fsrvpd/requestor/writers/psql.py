"""A session with PostgreSQL, in `psql`."""

from __future__ import annotations

import re
from typing import Optional

from fsrvpd.requestor.writers.database_client import ClientProgram
from fsrvpd.requestor.writers.ports import WriterFailed

_PASSWORD = re.compile(r"\b(ssl)?password\s*=|://[^/@]*:[^/@]*@", re.IGNORECASE)
_DONE = "00000"  # SQLSTATE
_FIELD, _RECORD = "\x1f", "\x1e"  # ASCII's separators, which are in no value that is asked for


class Psql:
    """`connect` is a connection string of libpq without a password, such as `service=nas`; `user`
    is the account of this host that runs psql, for logins by that account ("peer")."""

    def __init__(self, writer: str, connect: str, user: Optional[str]) -> None:
        check_connect(writer, connect)
        argv = ["psql", "--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align"]
        argv += ["--field-separator", _FIELD, "--record-separator", _RECORD]
        argv += ["--dbname", connect] if connect else []
        self._writer = writer
        self._client = ClientProgram(writer, argv, ("PG",), user)
        self.kill, self.close = self._client.kill, self._client.close

    def rows(self, statement: str, timeout: float) -> list[list[str]]:
        """The result of one statement. Raises: WriterFailed, with PostgreSQL's own message."""
        echo = f"\\echo {self._client.mark} :SQLSTATE :LAST_ERROR_MESSAGE"
        printed, ending = self._client.ask(f"{statement};\n{echo}\n", timeout)
        state, _, message = ending.partition(" ")
        if state != _DONE:
            what = " ".join(statement.split()[:3])
            raise WriterFailed(self._writer, f"PostgreSQL refuses {what} …: {message} ({state})")
        records = printed[:-1].split(_RECORD) if printed else []
        return [record.split(_FIELD) for record in records]

    def value(self, expression: str, timeout: float) -> str:
        """Of one expression. Raises: as `rows`."""
        return self.rows(f"SELECT {expression}", timeout)[0][0]


def check_connect(writer: str, connect: str) -> None:
    """A command line can be read by every user of this host. Raises: WriterFailed."""
    if _PASSWORD.search(connect):
        cause = "`connect` has a password in it, which every user of this host could read"
        next_step = "put it into ~/.pgpass or a service file, and leave it out"
        raise WriterFailed(writer, cause, next_step)
