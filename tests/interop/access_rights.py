"""What a user can do in a directory, over SMB or as a local process."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Callable, FrozenSet, Iterable, NamedTuple, Optional, Sequence, Type

from impacket.smb3structs import (
    FILE_DIRECTORY_FILE,
    FILE_LIST_DIRECTORY,
    FILE_NON_DIRECTORY_FILE,
    FILE_READ_DATA,
    FILE_SHARE_READ,
    FILE_SHARE_WRITE,
    FILE_WRITE_DATA,
    SMB2_DIALECT_21,
)
from impacket.smbconnection import SessionError, SMBConnection

from lab import Lab, User

Rights = FrozenSet[str]
NONE: Rights = frozenset()
# Runs as a user. Reads lines of directories and names of files; prints the rights in any of them.
LOCAL = """
import json, os, sys

def works(function, *arguments):
    try:
        function(*arguments)
    except OSError:
        return False
    return True

def opens(path, flags):
    return works(lambda: os.close(os.open(path, flags)))

def creates(path):
    return works(os.mkdir, path) and works(os.rmdir, path)

def rights(directory, names):
    if works(os.listdir, directory):
        yield "list"
    if creates(directory + "/made"):
        yield "create"
    for name in names:
        if opens(directory + "/" + name, os.O_RDONLY):
            yield "read " + name
        if opens(directory + "/" + name, os.O_WRONLY):
            yield "write " + name

for line in sys.stdin:
    directories, names = json.loads(line)
    found = {right for each in directories for right in rights(each, names)}
    print(json.dumps(list(found)), flush=True)
"""


class Client(NamedTuple):
    """A user, and the address that the connection comes from."""

    user: User
    address: str


def reading(rights: Rights) -> Rights:
    return frozenset(right for right in rights if right.startswith(("list", "read ")))


class SmbSession:
    """One SMB session from inside the lab's network."""

    def __init__(self, lab: Lab, client: Client) -> None:
        self._thread: ThreadPoolExecutor = lab.network()
        self._name = f"{client.user.name} from {client.address}"
        self._connection: Any = self._there(lambda: _log_in(client))

    def __enter__(self) -> SmbSession:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._there(self._connection.close)
        self._thread.shutdown()

    def share_names(self) -> set[str]:
        """Return the shares that the server lists for this user."""
        listed = self._there(self._connection.listShares)
        return {entry["shi1_netname"][:-1] for entry in listed}

    def rights(self, share: str, names: Sequence[str], directory: str = "") -> Rights:
        return self._there(lambda: frozenset(self._rights(share, names, directory)))

    def read(self, share: str, name: str) -> str:
        """Return the content. Raises: SessionError."""
        parts: list[bytes] = []
        self._there(lambda: self._connection.getFile(share, name, parts.append))
        return b"".join(parts).decode()

    def overwrite(self, share: str, name: str, text: str) -> None:
        """Raises: SessionError."""
        self._there(lambda: self._overwrite(share, name, text))

    def _rights(self, share: str, names: Sequence[str], directory: str) -> Iterable[str]:
        prefix = f"{directory}\\" if directory else ""
        connection = self._connection
        try:
            tree = connection.connectTree(share)
        except SessionError:
            return
        if self._opens(tree, directory, FILE_LIST_DIRECTORY, FILE_DIRECTORY_FILE):
            yield "list"
        if self._creates(share, f"{prefix}made by {self._name}"):
            yield "create"
        for name in names:
            if self._opens(tree, prefix + name, FILE_READ_DATA, FILE_NON_DIRECTORY_FILE):
                yield f"read {name}"
            if self._opens(tree, prefix + name, FILE_WRITE_DATA, FILE_NON_DIRECTORY_FILE):
                yield f"write {name}"
        # smbd refuses even this to somebody who may not enter the share's directory.
        _works(lambda: connection.disconnectTree(tree))

    def _creates(self, share: str, name: str) -> bool:
        connection = self._connection
        if not _works(lambda: connection.createDirectory(share, name)):
            return False
        connection.deleteDirectory(share, name)
        return True

    def _opens(self, tree: int, path: str, access: int, kind: int) -> bool:
        connection = self._connection

        def open_and_close() -> None:
            others = FILE_SHARE_READ | FILE_SHARE_WRITE
            file = connection.openFile(tree, path, access, others, kind)
            connection.closeFile(tree, file)

        return _works(open_and_close)

    def _overwrite(self, share: str, name: str, text: str) -> None:
        tree = self._connection.connectTree(share)
        file = self._connection.openFile(tree, name, FILE_WRITE_DATA)
        self._connection.writeFile(tree, file, text.encode())
        self._connection.closeFile(tree, file)
        self._connection.disconnectTree(tree)

    def _there(self, function: Callable[[], Any]) -> Any:
        return self._thread.submit(function).result(120)


def _log_in(client: Client) -> Any:
    # A newer dialect would sign each request, in Python.
    connection = SMBConnection(client.address, client.address, preferredDialect=SMB2_DIALECT_21)
    connection.login(client.user.name, client.user.password)
    if connection.isGuestSession():
        # Samba does not sign for a guest, and impacket does not notice by itself.
        connection.getSMBServer()._Session["SigningActivated"] = False
    return connection


def _works(function: Callable[[], object]) -> bool:
    try:
        function()
    except SessionError:
        return False
    return True


class LocalUser:
    """A process of a user in the lab, until `close`."""

    def __init__(self, lab: Lab, user: User) -> None:
        become = ["setpriv", f"--reuid={user.name}", f"--regid={user.name}", "--init-groups"]
        self._process = lab.converse([*become, sys.executable, "-I", "-c", LOCAL])

    def rights(self, directories: Sequence[str], names: Sequence[str]) -> Rights:
        """Return what the user can do in any of the directories."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([directories, names]) + "\n")
        return frozenset(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.communicate()
