"""Who may call. Spec: MS-FSRVP 3.1.4 and note 4; Samba's rule for uid 0 and privileges."""

from __future__ import annotations

from typing import Optional

from fsrvpd.protocol.ports import Caller

BUILTIN_ADMINISTRATORS = "S-1-5-32-544"
BUILTIN_BACKUP_OPERATORS = "S-1-5-32-551"
SE_BACKUP_PRIVILEGE = 0x200  # Samba's mask bit


def refusal(caller: Caller) -> Optional[str]:
    """None if the caller may use all methods, else why it may use none."""
    if caller.anonymous:
        return "anonymous and guest sessions are never served"
    if caller.uid == 0:
        return None  # on a standalone server root has no Administrators SID
    if BUILTIN_ADMINISTRATORS in caller.sids or BUILTIN_BACKUP_OPERATORS in caller.sids:
        return None
    if caller.privileges & SE_BACKUP_PRIVILEGE:
        return None
    return (
        "neither a member of Administrators or Backup Operators nor a holder of SeBackupPrivilege"
    )
