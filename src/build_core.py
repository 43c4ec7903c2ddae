"""Builds `fsrvpd.core._native` from the C files in this directory.

Python may call what a header of `HEADERS` declares between its two `cdef` marks. The compiler and
cffi read the same lines, so that they cannot disagree.
"""

from __future__ import annotations

import re
from pathlib import Path

from cffi import FFI

HEADERS = ("fsrvp_core.h", "fsrvp_clone.h", "fsrvp_handles.h")
SOURCE = Path(__file__).resolve().parent
PACKAGE = SOURCE.parent / "fsrvpd" / "__init__.py"


def declarations(header: str) -> str:
    """The part of the header between the marks. Raises: ValueError."""
    found = re.search(r"/\* cdef: begin .*?\*/(.*)/\* cdef: end \*/", header, re.DOTALL)
    if found is None:
        raise ValueError("a header: the marks 'cdef: begin' and 'cdef: end' are missing")
    return found.group(1)


def version(package: str) -> str:
    """`__version__` of the package with this source. Raises: ValueError."""
    found = re.search(r'^__version__ = "(.*)"$', package, re.MULTILINE)
    if found is None:
        raise ValueError("fsrvpd/__init__.py: __version__ is missing")
    return found.group(1)


core = FFI()
for header in HEADERS:
    core.cdef(declarations((SOURCE / header).read_text(encoding="utf-8")))
core.set_source(
    "fsrvpd.core._native",
    "".join(f'#include "{header}"\n' for header in HEADERS),
    # Relative, as setuptools wants them: pip builds from the project's directory.
    sources=[f"src/{path.name}" for path in sorted(SOURCE.glob("fsrvp_*.c"))],
    depends=[*(f"src/{path.name}" for path in sorted(SOURCE.glob("*.h"))), "fsrvpd/__init__.py"],
    include_dirs=["src"],
    define_macros=[("FSRVP_VERSION", f'"{version(PACKAGE.read_text(encoding="utf-8"))}"')],
    extra_compile_args=["-std=c11", "-O2", "-fvisibility=hidden"],
    py_limited_api=True,
)
