"""The archives and proxies of Debian packages, from this machine's own apt."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import List, NamedTuple, Optional

FIELDS = "$(REPO_URI) $(RELEASE)"
PROXY = re.compile(r'^(Acquire::https?::Proxy(?:::\S+)?) "(.+)";$', re.MULTILINE)


class Archive(NamedTuple):
    uri: str
    suite: str

    def line(self) -> str:
        """Return the line for a sources.list."""
        return f"deb {self.uri} {self.suite} main contrib\n"


def archives(release: str) -> List[Archive]:
    """List the machine's archives of a Debian release with -updates and -security.

    Empty if its apt names none, for example because it uses `stable` instead of the name.
    """
    said = _output("apt-get", "indextargets", "--format", FIELDS, "Created-By: Packages")
    pairs = (line.split() for line in said.splitlines())
    found = {Archive(uri.rstrip("/"), suite) for uri, suite in pairs}
    suites = (release, f"{release}-updates", f"{release}-security")
    return sorted(each for each in found if each.suite in suites)


def mirror(release: str) -> Optional[str]:
    """Return the archive of the release itself. None leaves the choice to debootstrap."""
    return next((each.uri for each in archives(release) if each.suite == release), None)


def mirror_of(tree: Path) -> str:
    """Return the archive that a tree was made from, which debootstrap records in it."""
    lines = (tree / "etc/apt/sources.list").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("deb "))


def proxies() -> str:
    """Return the machine's proxy settings as configuration for a tree's apt."""
    said = PROXY.findall(_output("apt-config", "dump"))
    return "".join(f'{name} "{value}";\n' for name, value in said)


def proxy_for_wget() -> List[str]:
    """Return them as environment variables; variables that are set already take precedence."""
    names = {"Acquire::http::Proxy": "http_proxy", "Acquire::https::Proxy": "https_proxy"}
    said = PROXY.findall(_output("apt-config", "dump"))
    found = {names[name]: value for name, value in said if name in names}
    return [f"{name}={value}" for name, value in found.items() if name not in os.environ]


def _output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout
