"""Paths in the tree that tests read."""

from __future__ import annotations

from pathlib import Path

import fsrvpd

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests"
VECTORS = TESTS / "vectors"
PACKAGE = Path(fsrvpd.__file__).parent  # the tested one, which may be installed elsewhere
