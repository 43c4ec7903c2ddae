"""Samba and fsrvpd read the smb.conf files in examples/, and what pages and docstrings show of one,
without a warning."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.config import daemon_options
from fsrvpd.config.load import read_configuration
from fsrvpd.options.option import full_names
from fsrvpd.options.share import SHARE_OPTIONS, ShareOptions
from samba_hooks.registry.client import RegistryClient
from samba_hooks.tools import SambaTools
from tests.paths import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("smb.conf.*"))
FULL = ROOT / "examples/smb.conf.full"
ALL_OPTIONS = {each.name for each in (*daemon_options.GLOBAL_OPTIONS, *SHARE_OPTIONS)}
# A section's head alone in its line, and the lines that are blank, indented or heads after it.
BLOCK = re.compile(r"^[ ]*\[[a-z]+\]\n(?:[ ]*\n|[ ]*\[[a-z]+\]\n|[ ]+[^ ].*\n)+", re.MULTILINE)


def blocks() -> Iterator[tuple[str, str]]:
    """Where a part of an smb.conf is shown to people, and its text."""
    pages = [
        ROOT / "README.md",
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "fsrvpd/ctl").rglob("*.py"),
    ]
    for page in sorted(pages):
        text = page.read_text()
        for found in BLOCK.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield f"{page.relative_to(ROOT)}:{line}", found[0].split("```")[0]


def without_comments(text: str) -> str:
    """Return the text with every commented-out option in effect."""
    return "\n".join(line.replace("    ; ", "    ", 1) for line in text.splitlines())


def private(directory: Path) -> list[tuple[str, str]]:
    """Return options that give this Samba private directories."""
    found = []
    for name in ("private dir", "state directory", "lock directory", "cache directory"):
        (directory / name).mkdir()
        found.append((name, str(directory / name)))
    return found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
@pytest.mark.parametrize("uncommented", [False, True])
def test_an_example(tmp_path: Path, example: Path, uncommented: bool) -> None:
    text = example.read_text()
    path = tmp_path / example.name
    path.write_text(without_comments(text) if uncommented else text)
    SambaTools(None, [], 30).parameter_in(str(path), "workgroup")
    registry = RegistryClient(str(path), private(tmp_path))
    try:
        read = read_configuration(registry)
        share = registry.share("data")
    finally:
        registry.close()
    assert read.warnings == ()
    assert read.samba.registry_shares
    assert read.settings == daemon_options.read({}, read.samba.netbios_name)
    assert share is not None
    assert share.settings == ShareOptions.read({})
    if example == FULL and uncommented:
        given = full_names({**read.samba.options, "fsrvp": share.options})
        assert set(given) == ALL_OPTIONS


def test_the_full_example_is_there() -> None:
    assert FULL in EXAMPLES
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize("text", [pytest.param(text, id=where) for where, text in blocks()])
def test_what_is_shown_to_people(tmp_path: Path, text: str) -> None:
    shares = re.findall(r"\[(?!global)(.+)\]", text)
    text = text.replace("group = backup", "group = root")  # not every system has the other one
    path = tmp_path / "smb.conf"
    path.write_text(re.sub(r"(\[(?!global).+\])", r"\1\n    path = /srv", text))
    registry = RegistryClient(str(path), private(tmp_path))
    try:
        read = read_configuration(registry)
        found = [registry.share(name) for name in shares]
    finally:
        registry.close()
    assert (read.problems(), read.refused) == ((), {})
    assert shares
    assert None not in found


def test_the_pages_show_something() -> None:
    shown = {where.partition(":")[0] for where, _ in blocks()}
    assert {"docs/kept-copies.md", "docs/vfs.md", "fsrvpd/ctl/snap.py"} <= shown
