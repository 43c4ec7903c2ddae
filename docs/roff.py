"""Manual pages in man(7)'s language, from paragraphs with `literal` and *emphasis*."""

from __future__ import annotations

import re

_LITERAL = re.compile(r"`([^`]+)`|\*([^*]+)\*")


def escaped(text: str) -> str:
    """Text that roff takes as it stands, with typewriter quotes and dashes."""
    for plain, special in (("\\", "\\e"), ("-", "\\-"), ("'", "\\(aq"), ("~", "\\(ti")):
        text = text.replace(plain, special)
    return "\\&" + text if text.startswith(".") else text


def marked(text: str) -> str:
    """`literal` in bold, *emphasis* in italics."""
    parts: list[str] = []
    rest = 0
    for found in _LITERAL.finditer(text):
        parts.append(escaped(text[rest : found.start()]))
        font, inner = ("B", found[1]) if found[1] else ("I", found[2])
        parts.append(f"\\f{font}{escaped(inner)}\\fR")
        rest = found.end()
    return "".join([*parts, escaped(text[rest:])])


class Page:
    """One page; methods append to it."""

    def __init__(self, name: str, section: int, what: str) -> None:
        self._lines = [
            '.\\" Written by docs/manual.py from the options and commands themselves.',
            f'.TH {name.upper()} {section} "" "fsrvpd" "File Server Remote VSS for Samba"',
        ]
        self.section("NAME")
        self._lines.append(f"{escaped(name)} \\- {escaped(what)}")

    def section(self, title: str) -> None:
        self._lines.append(f'.SH "{title}"')

    def part(self, title: str) -> None:
        self._lines.append(f'.SS "{escaped(title)}"')

    def paragraph(self, text: str) -> None:
        self._lines += [".PP", marked(text)]

    def item(self, tag: str, text: str) -> None:
        self._lines += [".TP", f"\\fB{escaped(tag)}\\fR", marked(text)]

    def more(self, text: str) -> None:
        """Another paragraph of the last item."""
        self._lines += [".IP", marked(text)]

    def synopsis(self, command: str, rest: str) -> None:
        self._lines += [f"\\fB{escaped(command)}\\fR {marked(rest)}", ".br"]

    def example(self, text: str) -> None:
        lines = [escaped(line) or "\\&" for line in text.strip("\n").splitlines()]
        self._lines += [".PP", ".nf", ".RS 4", *lines, ".RE", ".fi"]

    def text(self) -> str:
        return "\n".join(self._lines) + "\n"
