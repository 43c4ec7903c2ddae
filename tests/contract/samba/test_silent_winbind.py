"""Samba's own library waits minutes for a hung winbindd; fsrvpd's client does not."""

from __future__ import annotations

import sys
from pathlib import Path

from lab import Lab

SCRIPT = Path(__file__).with_name("silent_winbind.py")
ROOT = Path(__file__).parents[3]


def test_who_asks_is_refused_in_time() -> None:
    with Lab() as lab:
        lab.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run/samba"])
        argv = [sys.executable, SCRIPT]
        done = lab.run(argv, environment={"PYTHONPATH": str(ROOT)})
    assert done.stdout == (
        "authentication of OFFICE\\alice timed out after 1 s; winbindd may be hung (`wbinfo -p`)\n"
    )
