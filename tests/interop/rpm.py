"""Fedora's macros for building, since Debian's rpm has none of them."""

from __future__ import annotations

from pathlib import Path

MACROS = ["--nodeps", "--load", str(Path(__file__).with_name("fedora.macros"))]
