"""No foreign host is named where something could download packages from it.

The machine decides where packages come from: see tests/platform/apt.py.
"""

from __future__ import annotations

import re

from tests.paths import ROOT

FOLDERS = (".ci", "benchmarks", "demo", "fsrvpd", "lab", "packaging", "samba_hooks", "src", "tests")
FILES = ("Makefile", "MANIFEST.in", "pyproject.toml", "setup.py", ".pre-commit-config.yaml")
URL = re.compile(r"(?:https?|ftp|git|ssh)://([\w.-]+)")
FOR_EXAMPLES = re.compile(r"(^|\.)example(\.(com|net|org))?$|^[\d.]+$|^localhost$")
# Hosts that nothing connects to, each with the reason.
NAMES = {
    "github.com": "where shtab, which writes the completions, says that it comes from",
    "json-schema.org": "the name of the language in which the JSON is described",
    "www.w3.org": "the namespace of SVG",
    "www.debian.org": "where Debian describes the format of its copyright file",
}


def hosts(text: str) -> set[str]:
    return {host for host in URL.findall(text) if not FOR_EXAMPLES.search(host)}


def test_no_registry_or_mirror_is_named() -> None:
    found: dict[str, set[str]] = {}
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    for path in (*paths, *(ROOT / name for name in FILES)):
        if path.is_file() and path.suffix not in (".so", ".pyc", ".o"):
            wrong = hosts(path.read_text(errors="replace")) - set(NAMES)
            if wrong:
                found[str(path.relative_to(ROOT))] = wrong
    assert found == {}
