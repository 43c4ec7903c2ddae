"""What packaging/systemd/fsrvpd.service leaves to root, for tests to live with."""

from __future__ import annotations

from pathlib import Path

UNIT = Path(__file__).parents[2] / "packaging/systemd/fsrvpd.service"


def directive(name: str) -> list[str]:
    """All words of a directive of the unit."""
    lines = UNIT.read_text().splitlines()
    return [
        w for line in lines if line.startswith(f"{name}=") for w in line[len(name) + 1 :].split()
    ]


def confined() -> list[str]:
    """Put before a command, gives it the capabilities of the unit and no way to others."""
    kept = ",".join(f"+{name[4:].lower()}" for name in directive("CapabilityBoundingSet"))
    return ["setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set=-all,{kept}"]
