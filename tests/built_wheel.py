"""The wheel of this tree, for tests of what is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.paths import ROOT


def built_wheel(directory: Path) -> Path:
    """Return the one that `make wheel` has built, or a new one in `directory`, of a copy."""
    built = list((ROOT / "build/wheel").glob("*.whl"))
    if not built:
        subprocess.run([ROOT / "packaging/source-archive", directory], check=True, timeout=60)
        [archive] = directory.glob("*.tar.gz")
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", directory]
        subprocess.run([*pip, archive], check=True, timeout=300)
        built = list(directory.glob("*.whl"))
    [found] = built
    return found
