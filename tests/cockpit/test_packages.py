"""The packages of the page: the same files for Debian and as RPM, for the agent of one version."""

from __future__ import annotations

import subprocess
from pathlib import Path

from fsrvpd import __version__
from tests.cockpit.served import INSTALLED


def output(*argv: object) -> list[str]:
    words = [str(word) for word in argv]
    done = subprocess.run(words, check=True, timeout=60, capture_output=True, text=True)
    return done.stdout.splitlines()


def test_both_packages_have_the_same_page(packages: Path, built_page: Path) -> None:
    [rpm] = packages.glob("*.rpm")
    page = {path.name for path in built_page.iterdir()}
    assert {"index.html", "index.js", "index.css", "manifest.json"} <= page
    listed = {Path(line) for line in output("rpm", "--query", "--list", "--package", rpm)}
    assert {path.name for path in listed if path.parent == Path("/", INSTALLED)} == page


def test_both_packages_are_for_the_agent_of_their_version(packages: Path) -> None:
    [deb], [rpm] = packages.glob("*.deb"), packages.glob("*.rpm")
    [needed] = output("dpkg-deb", "--field", deb, "Depends")
    assert f"fsrvpd (= {__version__}-" in needed
    assert "cockpit-bridge (>=" in needed
    required = output("rpm", "--query", "--requires", "--package", rpm)
    assert [each for each in required if each.startswith(f"fsrvpd = {__version__}-")]
    assert [each for each in required if each.startswith("cockpit-bridge >=")]
