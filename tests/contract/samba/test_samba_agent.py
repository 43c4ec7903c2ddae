"""dpkg-divert on a Debian machine, on copies of its directories that only the lab sees."""

from __future__ import annotations

import sys
from typing import Iterator

import pytest

from lab import Lab

LIBEXEC = "/usr/libexec/samba"
SCRIPT = """
import sys
from samba_hooks import samba_agent
verb, dry_run = getattr(samba_agent, sys.argv[1]), len(sys.argv) > 2
print("\\n".join(verb(samba_agent.find(), dry_run=dry_run)))
"""


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        for place in (LIBEXEC, "/var/lib/dpkg"):
            layers = lab.directory / "layers" / place.strip("/").replace("/", "-")
            for name in ("upper", "work"):
                (layers / name).mkdir(parents=True)
            options = f"lowerdir={place},upperdir={layers}/upper,workdir={layers}/work"
            lab.run(["mount", "-t", "overlay", "overlay", "-o", options, place])
        yield lab


def run(lab: Lab, *arguments: str) -> str:
    return lab.run([sys.executable, "-c", SCRIPT, *arguments]).stdout.strip()


def helpers(lab: Lab) -> set[str]:
    return {name for name in lab.run(["ls", LIBEXEC]).stdout.split() if "fsrvp" in name}


def test_diverted_and_put_back(lab: Lab) -> None:
    target = "replaced-by-fsrvpd.rpcd_fsrvp"
    assert helpers(lab) == {"rpcd_fsrvp"}
    planned = run(lab, "divert", "dry")
    assert planned.startswith("dpkg-divert --package fsrvpd")
    assert helpers(lab) == {"rpcd_fsrvp"}
    assert run(lab, "divert") == planned
    assert run(lab, "divert") == ""
    assert helpers(lab) == {target}
    listed = lab.run(["dpkg-divert", "--list", "fsrvpd"]).stdout
    assert f"{LIBEXEC}/rpcd_fsrvp to {LIBEXEC}/{target} by fsrvpd" in listed
    assert run(lab, "undivert")
    assert run(lab, "undivert") == ""
    assert helpers(lab) == {"rpcd_fsrvp"}
    assert lab.run(["dpkg-divert", "--list", "fsrvpd"]).stdout == ""
