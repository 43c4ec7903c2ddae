"""What the shell prints, with names, IDs and times masked, and what it should print."""

from __future__ import annotations

import re

from fsrvpd.requestor.shell.texts import PROVIDER_ID
from tests.paths import TESTS

SESSIONS = TESTS / "vectors" / "diskshadow"
_MASKS = (
    (rf"(?!{re.escape(PROVIDER_ID)})\{{[0-9A-Fa-f]{{8}}(?:-[0-9A-Fa-f]{{4,12}}){{4}}\}}", "{ID}"),
    (r"\b\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d\d:\d\d [AP]M", "TIME"),
    (r"\\\\[^\\\s]+\\[^\\@\s]+", r"\\\\SERVER\\SHARE"),
    (r"(Originating machine: |Service machine: ).+", r"\1NAME"),
)


def masked(printed: str) -> str:
    """Without the three lines of the banner."""
    text = printed.partition("\n\n")[2]
    for pattern, mask in _MASKS:
        text = re.sub(pattern, mask, text)
    return text


def script(name: str, share: str) -> bytes:
    r"""A session of Microsoft's description with another share than \\smbsofs\vm."""
    return (SESSIONS / f"{name}.dsh").read_bytes().replace(rb"\\smbsofs\vm", share.encode())


def expected(name: str) -> str:
    return (SESSIONS / f"{name}.txt").read_text()
