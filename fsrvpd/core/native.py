"""The compiled core, if it was built for this version of fsrvpd.

Only `fsrvpd.core` imports this, and nothing else imports `_native`.
"""

from __future__ import annotations

from typing import Any

from fsrvpd import __version__
from fsrvpd.core import _native
from fsrvpd.core._native import ffi, lib

__all__ = ["allocate", "ffi", "lib", "path", "version"]

path: str = _native.__file__ or "built in"
version: str = ffi.string(lib.fsrvp_core_version()).decode()

if version != __version__:
    raise ImportError(
        f"{path}: the C core is version {version}, fsrvpd is version {__version__};"
        f" install fsrvpd again (in a source tree: make venv)"
    )

# As ffi.new, for a buffer of one call, so that any number of threads may call. The memory is
# not cleared: the core fills all that is read of it.
allocate: Any = ffi.new_allocator(should_clear_after_alloc=False)
