"""Which of root's privileges a process lacks. In a container root often has few of them."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import List, Mapping, Union

# For whatever a provider does, and for mounting copies: bits of a capability set.
FOR_SNAPSHOTS: Mapping[str, int] = {
    "CAP_CHOWN": 0,
    "CAP_DAC_OVERRIDE": 1,
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_FOWNER": 3,
    "CAP_SYS_ADMIN": 21,
}
# For files in a clone: their set-user-id bits, devices, and capabilities.
FOR_CLONES: Mapping[str, int] = {"CAP_FSETID": 4, "CAP_MKNOD": 27, "CAP_SETFCAP": 31}
_EFFECTIVE = "CapEff:"
_FIRST_USER_NAMESPACE = "user:[4026531837]"


def lacking(wanted: Mapping[str, int], process: Union[int, str] = "self") -> List[str]:
    """The names of those that a process does not have. Raises: OSError."""
    with open(f"/proc/{process}/status", encoding="ascii", errors="replace") as status:
        lines = [line for line in status if line.startswith(_EFFECTIVE)]
    effective = int(lines[0][len(_EFFECTIVE) :], 16)
    return [name for name, bit in wanted.items() if not effective >> bit & 1]


def why_insufficient(process: Union[int, str] = "self") -> str:
    """Why a process could make no snapshot, or could not remove it again; "" if it can.
    Raises: OSError."""
    missing = lacking(FOR_SNAPSHOTS, process)
    if missing:
        return (
            f"fsrvpd runs without {', '.join(missing)}: what it made it could not remove again."
            f" Give it these capabilities ({_options(missing)} for a container,"
            " CapabilityBoundingSet= in a unit)"
        )
    with suppress(OSError):
        if os.readlink(f"/proc/{process}/ns/user") != _FIRST_USER_NAMESPACE:
            return (
                "fsrvpd runs in a user namespace, where root may not do what snapshots need: run"
                " it in a container of the system's own root (in LXC a privileged one)"
            )
    return ""


def _options(names: List[str]) -> str:
    return " ".join(f"--cap-add={name[len('CAP_') :]}" for name in names)
