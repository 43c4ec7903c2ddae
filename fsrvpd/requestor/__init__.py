r"""The requestor: creates shadow copy sets on file servers, from Linux (MS-FSRVP 3.2).

    from fsrvpd.requestor import connect, from_file

    requestor = connect(from_file("/etc/backup.credentials"))
    with requestor.create([r"\\nas\data", r"\\fs2\vm"]) as created:
        for copy in created.copies:
            print(copy.root.given, copy.path)

The names in `__all__` are the library for backup programs. Each is imported when it is asked for:
only what connects, credentials and files need smbprotocol. Every error is a `RequestorError`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fsrvpd.requestor.errors import (
        AccessRefused,
        Disconnected,
        NoAgent,
        Refused,
        RequestorError,
        ServerBusy,
    )
    from fsrvpd.requestor.events import Event
    from fsrvpd.requestor.files.open_file import OpenFile
    from fsrvpd.requestor.files.records import Entry, FileFailure
    from fsrvpd.requestor.files.tree import FileTree
    from fsrvpd.requestor.opening import connect, open_copy
    from fsrvpd.requestor.ports import SetRecord, SetState, ShadowCopyRecord, ShareRoot
    from fsrvpd.requestor.sets.removal import Cleaning
    from fsrvpd.requestor.sets.requestor import Requestor
    from fsrvpd.requestor.sets.shadow_copy_set import ShadowCopy, ShadowCopySet
    from fsrvpd.requestor.smb.credentials import Credentials, from_file, from_systemd

__all__ = [
    "AccessRefused",
    "Cleaning",
    "Credentials",
    "Disconnected",
    "Entry",
    "Event",
    "FileFailure",
    "FileTree",
    "NoAgent",
    "OpenFile",
    "Refused",
    "Requestor",
    "RequestorError",
    "ServerBusy",
    "SetRecord",
    "SetState",
    "ShadowCopy",
    "ShadowCopyRecord",
    "ShadowCopySet",
    "ShareRoot",
    "connect",
    "from_file",
    "from_systemd",
    "open_copy",
]
_MODULES = {
    **dict.fromkeys(("AccessRefused", "Disconnected", "NoAgent", "Refused"), "errors"),
    **dict.fromkeys(("RequestorError", "ServerBusy"), "errors"),
    **dict.fromkeys(("SetRecord", "SetState", "ShadowCopyRecord", "ShareRoot"), "ports"),
    **dict.fromkeys(("Credentials", "from_file", "from_systemd"), "smb.credentials"),
    **dict.fromkeys(("ShadowCopy", "ShadowCopySet"), "sets.shadow_copy_set"),
    **dict.fromkeys(("Entry", "FileFailure"), "files.records"),
    **dict.fromkeys(("connect", "open_copy"), "opening"),
    "Cleaning": "sets.removal",
    "Event": "events",
    "FileTree": "files.tree",
    "OpenFile": "files.open_file",
    "Requestor": "sets.requestor",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
