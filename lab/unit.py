"""The restrictions of packaging/systemd/fsrvpd.service, for commands of tests."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

UNIT = Path(__file__).parents[1] / "packaging/systemd/fsrvpd.service"
FILTER = Path(__file__).with_name("system_call_filter.py")


def directive(name: str) -> list[str]:
    """Return all words of a directive of the unit."""
    return [word for line in lines(name) for word in line.split()]


def lines(name: str) -> list[str]:
    """Return each value that the unit gives a directive."""
    found = UNIT.read_text().splitlines()
    return [line.partition("=")[2] for line in found if line.startswith(f"{name}=")]


def confined() -> list[str]:
    """Return a command prefix that limits a command to the unit's capabilities and calls."""
    kept = ",".join(f"+{name[4:].lower()}" for name in directive("CapabilityBoundingSet"))
    calls = ",".join(sorted(system_calls()))
    return [
        *["setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set=-all,{kept}"],
        *["/usr/bin/python3", str(FILTER), calls],
    ]


def system_calls() -> set[str]:
    """Return the names of the system calls that the unit permits, as systemd reads it."""
    permitted = members("@default")
    for line in lines("SystemCallFilter"):
        words = {call for word in line.lstrip("~").split() for call in members(word)}
        permitted = permitted - words if line.startswith("~") else permitted | words
    return permitted


def members(name: str) -> set[str]:
    """Return the system calls of a set of systemd's, such as `@mount`, or the call itself."""
    if not name.startswith("@"):
        return {name}
    return {call for inner in _listed(name) for call in members(inner)}


@cache
def _listed(name: str) -> frozenset[str]:
    argv = ["systemd-analyze", "syscall-filter", name]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout
    words = (line.strip() for line in said.splitlines()[1:])
    return frozenset(word for word in words if word and not word.startswith("#"))
