"""Unix and Samba accounts that exist in one lab only.

The lab sees copies of the account files, so the machine's own files do not change.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lab.namespaces import Namespaces

ACCOUNT_FILES = ("passwd", "group", "shadow")
FIRST_UID = 20000


class User(NamedTuple):
    name: str
    password: str = "Lab-pass-0"

    @property
    def login(self) -> str:
        """Return the login in the form that Samba's tools take after -U."""
        return f"{self.name}%{self.password}"


ROOT = User("root")


class Accounts:
    """The account files of a lab: private copies, bind-mounted over the machine's."""

    def __init__(self, lab: Namespaces) -> None:
        self._directory = lab.directory / "etc"
        self._directory.mkdir()
        self._next_uid = FIRST_UID
        for name in ACCOUNT_FILES:
            copy = self._directory / name
            copy.write_bytes(lab.seen(Path("/etc", name)).read_bytes())
            copy.chmod(0o600 if name == "shadow" else 0o644)
            lab.run(["mount", "--bind", copy, f"/etc/{name}"])

    def add(self, user: User) -> int:
        """Add an ordinary Unix user with its own group. Returns the uid."""
        uid, self._next_uid = self._next_uid, self._next_uid + 1
        self.add_as(user.name, uid)
        return uid

    def add_as(self, name: str, uid: int) -> None:
        """Add an ordinary Unix user with a given uid."""
        self._append("passwd", f"{name}:x:{uid}:{uid}::/nonexistent:/usr/sbin/nologin")
        self._append("group", f"{name}:x:{uid}:")
        self._append("shadow", f"{name}:*:19000:0:99999:7:::")

    def add_group(self, name: str, gid: int, *members: str) -> None:
        """Add a Unix group with these members."""
        self._append("group", f"{name}:x:{gid}:{','.join(members)}")

    def _append(self, name: str, line: str) -> None:
        with (self._directory / name).open("a") as file:
            file.write(line + "\n")
