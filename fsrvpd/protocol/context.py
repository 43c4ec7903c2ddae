"""Contexts of a shadow copy set. Spec: MS-FSRVP 2.2.2.1 and 2.2.2.2."""

from __future__ import annotations

ATTR_PERSISTENT = 0x00000001
ATTR_NO_AUTO_RECOVERY = 0x00000002
ATTR_NO_AUTO_RELEASE = 0x00000008
ATTR_NO_WRITERS = 0x00000010
ATTR_AUTO_RECOVERY = 0x00400000

CTX_BACKUP = 0
CTX_FILE_SHARE_BACKUP = ATTR_NO_WRITERS
CTX_APP_ROLLBACK = ATTR_PERSISTENT | ATTR_NO_AUTO_RELEASE
CTX_NAS_ROLLBACK = ATTR_PERSISTENT | ATTR_NO_AUTO_RELEASE | ATTR_NO_WRITERS

NAMES = {
    CTX_BACKUP: "backup",
    CTX_FILE_SHARE_BACKUP: "file share backup",
    CTX_APP_ROLLBACK: "application rollback",
    CTX_NAS_ROLLBACK: "NAS rollback",
}
BY_NAME = {  # as an admin types them
    "backup": CTX_BACKUP,
    "file-share-backup": CTX_FILE_SHARE_BACKUP,
    "app-rollback": CTX_APP_ROLLBACK,
    "nas-rollback": CTX_NAS_ROLLBACK,
}
RECOVERY = ATTR_AUTO_RECOVERY | ATTR_NO_AUTO_RECOVERY


def is_valid(context: int) -> bool:
    """Whether it is one of the four contexts, with one recovery attribute or none."""
    return (context & ~RECOVERY) in NAMES and (context & RECOVERY) != RECOVERY


def is_writable(context: int) -> bool:
    """Whether the shadow copy is writable until RecoveryComplete."""
    return bool(context & ATTR_AUTO_RECOVERY)


def is_persistent(context: int) -> bool:
    """Whether the shadow copy survives a reboot of the server."""
    return bool(context & ATTR_PERSISTENT)


def describe(context: int) -> str:
    """For people: "backup, auto-recovery (0x400000)"."""
    name = NAMES.get(context & ~RECOVERY, "unknown")
    if context & ATTR_AUTO_RECOVERY:
        name += ", auto-recovery"
    if context & ATTR_NO_AUTO_RECOVERY:
        name += ", no auto-recovery"
    return f"{name} ({context:#x})"
