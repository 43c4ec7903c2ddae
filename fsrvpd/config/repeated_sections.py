"""Sections that smb.conf has twice: of the first one Samba drops every option with a colon, such as
`fsrvp:keep`, and keeps the others.

Samba: source3/param/loadparm.c, lp_do_section.
"""

from __future__ import annotations

from collections import Counter
from typing import Iterator

from samba_hooks.registry.smb_conf_lines import GLOBAL, joined_lines, key, parse_some

_MOST_NAMES = 3  # in one sentence


def repeated_sections(config_file: str) -> list[str]:
    """A sentence for each that loses options by it. Files that this one includes are not read."""
    try:
        with open(config_file, encoding="utf-8", errors="surrogateescape", newline="") as file:
            text = file.read()
    except OSError:
        return []  # whoever asked Samba has said so
    sections = Counter(line.name for line in parse_some(text, "path") if line.is_section)
    twice = {name for name, number in sections.items() if number > 1} - set(GLOBAL)
    return list(_sentences(text, twice)) if twice else []


def _sentences(text: str, twice: set[str]) -> Iterator[str]:
    options: dict[str, dict[str, str]] = {}  # by section; by the option's key, as it is written
    losses: dict[str, tuple[int, str, dict[str, str]]] = {}
    section = ""
    for number, line in joined_lines(text):
        name, equals, _ = line.partition("=")
        if line.startswith("["):
            written = line[1:].partition("]")[0]
            section = key(written)
            lost = losses[section][2] if section in losses else {}
            lost = {**lost, **options.pop(section, {})}
            if section in twice and lost:
                losses[section] = (number, written, lost)
        elif equals and ":" in name and section in twice:
            options.setdefault(section, {})[key(name)] = name.strip()
    for section, (number, written, lost) in losses.items():
        names = [name for one, name in lost.items() if one not in options.get(section, {})]
        if names:
            more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
            yield (
                f"line {number}: [{written}] is there a second time, and Samba drops"
                f" {', '.join(names[:_MOST_NAMES])}{more} of the first: move these lines into that"
            )
