"""A session with MariaDB, in `mariadb`."""

from __future__ import annotations

from typing import Optional

from fsrvpd.requestor.writers.database_client import ClientProgram


class MariadbClient:
    """`option_file` is one of MariaDB's, with a section [client] for user, password and host;
    `user` is the account of this host that runs the client, for logins by that account."""

    def __init__(self, writer: str, option_file: Optional[str], user: Optional[str]) -> None:
        argv = ["mariadb"]  # the option file must be named first
        argv += [f"--defaults-extra-file={option_file}"] if option_file else []
        argv += ["--batch", "--unbuffered", "--skip-column-names", "--skip-reconnect"]
        self._client = ClientProgram(writer, argv, ("MARIADB_", "MYSQL_"), user)
        self.kill, self.close = self._client.kill, self._client.close

    def rows(self, statement: str, timeout: float) -> list[list[str]]:
        """The result of one statement. An error ends the session, and with it what it holds.
        Raises: WriterFailed, with MariaDB's own message."""
        text = f"{statement};\nSELECT '{self._client.mark}';\n"
        printed, _ = self._client.ask(text, timeout)
        return [line.split("\t") for line in printed.splitlines()]
