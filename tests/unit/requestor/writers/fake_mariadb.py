"""A program in place of `mariadb`, which notes what it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

MARIADB = r"""#!/bin/sh
echo "ARGV $*" >> "$0.log"
while read -r line; do
    case "$line" in
        "SELECT '"*) line=${line#*"'"}; echo "${line%"'"*}"; continue ;;
        'SELECT @@'*) cat "$0.directories" ;;
        'SELECT CONNECTION_ID'*) echo 42 ;;
        'SHOW GLOBAL STATUS'*) cat "$0.status" ;;
        'SELECT two;') printf 'a\tb\nc\td\n' ;;
    esac
    echo "$line" >> "$0.log"
    if grep -qxF "$line" "$0.errors"; then echo "ERROR 1 at line 1: no" >&2; exit 1; fi
done
"""


class FakeMariadb:
    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._program = directory / "mariadb"
        self._program.write_text(MARIADB)
        self._program.chmod(0o755)
        self.refuse()
        self.let_directories_be("/srv/db/", "NULL", "./", "./")
        self.let_checkpoint_be("")
        monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")

    def let_directories_be(self, *values: str) -> None:
        self._file("directories").write_text("\t".join(values) + "\n")

    def let_checkpoint_be(self, position: object) -> None:
        """What the server says of its last one; "" if it does not."""
        row = f"Innodb_lsn_last_checkpoint\t{position}\n" if position else ""
        self._file("status").write_text(row)

    def refuse(self, *statements: str) -> None:
        self._file("errors").write_text("".join(f"{each};\n" for each in statements))

    def asked(self) -> list[str]:
        """Statements, and the arguments of each session before its first."""
        return self._file("log").read_text().splitlines()

    def _file(self, name: str) -> Path:
        return self._program.with_name(f"mariadb.{name}")
