"""The C core as Python sees it: the only package that touches `ffi` and `lib`."""

from __future__ import annotations

import os


def describe() -> str:
    """Which core is loaded, for `--version`, the log and test headers."""
    from fsrvpd.core import native

    return f"C core {os.path.basename(native.path)} {native.version}"
