"""Runs a command with a filter of system calls, as systemd does for a unit's SystemCallFilter=.

    system_call_filter.py NAME,NAME,… COMMAND ARGUMENT…

Calls that are not named fail with EPERM. A script, because it runs in labs; libseccomp is
systemd's own. Spec: seccomp_rule_add(3).
"""

from __future__ import annotations

import ctypes
import os
import sys

ALLOW = 0x7FFF0000
FAIL_WITH_EPERM = 0x00050000 | 1


def install(names: list[str]) -> None:
    """Raises: OSError. Names that this machine's kernel does not have are left out."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    filter_ = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(FAIL_WITH_EPERM)))
    for name in names:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            _check(library.seccomp_rule_add(filter_, ctypes.c_uint32(ALLOW), number, 0))
    _check(library.seccomp_load(filter_))


def _check(returned: int) -> None:
    if returned < 0:
        raise OSError(-returned, os.strerror(-returned))


if __name__ == "__main__":
    install(sys.argv[1].split(","))
    os.execvp(sys.argv[2], sys.argv[2:])
