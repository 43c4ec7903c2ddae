"""Names that a server sends: which of them can be names here, and which are not the files' own.

Spec: MS-FSCC 2.1.5 (names), 2.1.2.1 (reparse tags).
"""

from __future__ import annotations

import re

LONGEST = 255  # UTF-16 units, as SMB has it
# What Samba shows in place of a name that Windows cannot have ("mangled names"): hash2's form.
_MANGLED = re.compile(r"[A-Z0-9_]{6}~[A-Z0-9](\.[A-Z0-9_]{1,3})?")
_WINDOWS_REFUSES = frozenset('<>:"|?*')
_REPARSE_POINT = 0x400
_NAME_SURROGATE = 0x20000000  # a reparse tag of what stands for another file: a link or a junction


def is_usable(name: str) -> bool:
    """Whether it can be one component of a path. A server may send anything."""
    if not name or name in (".", "..") or "/" in name or "\0" in name or "\\" in name:
        return False
    return len(name.encode("utf-16-le", "surrogatepass")) <= 2 * LONGEST


def may_be_mangled(name: str) -> bool:
    """Whether the server seems to show it in place of a name that Windows cannot have."""
    return _MANGLED.fullmatch(name) is not None


def is_beyond_windows(name: str) -> bool:
    """Whether Windows could not have the name, so that opening it over SMB may fail."""
    return (
        bool(_WINDOWS_REFUSES & set(name))
        or name[-1:] in (" ", ".")
        or any(ord(each) < 32 for each in name)
    )


def is_link(attributes: int, reparse_tag: int) -> bool:
    """A symbolic link or a junction, which leads to where the copy may not be."""
    return bool(attributes & _REPARSE_POINT and reparse_tag & _NAME_SURROGATE)
