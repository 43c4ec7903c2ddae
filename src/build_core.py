"""Builds `fsrvpd.core._native` from the C files beside this one.

What Python may call is what `fsrvp_core.h` declares between its two `cdef` marks; the
same lines are compiled and handed to cffi, so that the two cannot disagree.
"""

from __future__ import annotations

import re
from pathlib import Path

from cffi import FFI

SOURCE = Path(__file__).resolve().parent


def declarations(header: str) -> str:
    """The part of the header that stands between the marks. Raises: ValueError."""
    found = re.search(r"/\* cdef: begin .*?\*/(.*)/\* cdef: end \*/", header, re.DOTALL)
    if found is None:
        raise ValueError("fsrvp_core.h: the marks 'cdef: begin' and 'cdef: end' are missing")
    return found.group(1)


core = FFI()
core.cdef(declarations((SOURCE / "fsrvp_core.h").read_text(encoding="utf-8")))
core.set_source(
    "fsrvpd.core._native",
    '#include "fsrvp_core.h"',
    # Relative, as setuptools wants them: pip builds from the project's directory.
    sources=[f"src/{path.name}" for path in sorted(SOURCE.glob("fsrvp_*.c"))],
    depends=[f"src/{path.name}" for path in sorted(SOURCE.glob("*.h"))],
    include_dirs=["src"],
    extra_compile_args=["-std=c11", "-O2", "-fvisibility=hidden"],
    py_limited_api=True,
)
