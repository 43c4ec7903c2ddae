"""The pictures of README.md and ARCHITECTURE.md, as SVG that needs no library to draw or show."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

INK, FRAME, PAPER = "#1f2328", "#8c959f", "#ffffff"
BLUE, GREEN, YELLOW, GREY = "#ddf4ff", "#dafbe1", "#fff8c5", "#f6f8fa"
LINE = 16  # pixels from one line of text to the next


class Box(NamedTuple):
    """Pixels from the top left corner; the first line of the text is bold."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    text: tuple[str, ...]


def overview() -> str:
    """From the backup program on a Windows host to the volume, and back to the copy."""
    boxes = [
        Box(10, 60, 190, 100, BLUE, ("Windows host", "backup program, Hyper-V,", "SQL Server")),
        Box(360, 60, 120, 100, GREY, ("smbd", "Samba's server")),
        Box(580, 60, 120, 100, GREEN, ("fsrvpd", "this daemon")),
        Box(800, 60, 130, 100, YELLOW, ("volume", "btrfs, ZFS, LVM,", "CephFS, XFS, …")),
    ]
    return drawing(
        945,
        200,
        [
            *frame(340, 20, 595, 165, "file server"),
            *(part for box in boxes for part in drawn(box)),
            *arrow(200, 85, 360, 85, r"1  snapshot of \\nas\data?"),
            *arrow(480, 85, 580, 85, "2  MS-FSRVP"),
            *arrow(700, 85, 800, 85, "3  snapshot"),
            *arrow(580, 135, 480, 135, "4  new share"),
            *arrow(200, 135, 360, 135, r"5  reads \\nas\data@{id}"),
        ],
    )


# From the top down; boxes of one row do not import each other.
LAYERS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (
        ("fsrvpd/ctl", "fsrvpctl and fsrvp-snap:", "messages, render, doctor, setup"),
        (
            "fsrvpd/requestor",
            "fsrvpshadow: protocol, state, smb, names, files,",
            "mount, copying, writers, sets, checks, ctl, shell",
        ),
    ),
    (("fsrvpd/daemon", "the daemon: event loop, log, agent, pipe, reconciliation, control"),),
    (("fsrvpd/config", "smb.conf read as one configuration; with it samba_command_line.py"),),
    (
        ("samba_hooks", "pipe, registry,", "accounts, messages"),
        ("fsrvpd/providers", "snapshots; with it", "shares: UNC to volume"),
        ("fsrvpd/store", "the sets,", "in SQLite"),
        ("fsrvpd/rpc", "DCE/RPC and its", "security, no I/O"),
    ),
    (
        (
            "fsrvpd/protocol",
            "MS-FSRVP without I/O: words of both sides; above them server/",
        ),
    ),
    (("fsrvpd/core, src/", "the C core: NDR, PDUs, mount table, ioctls"),),
    (
        (
            "fsrvpd/",
            "errors, options, run_command, unix_socket, ndr_reader, filetime, terminal",
        ),
    ),
)


def layers() -> str:
    """The order of the rows of tests/layers.py."""
    width, gap, y = 760.0, 8.0, 30.0
    parts = [label(10, 18, "A box imports only boxes of the rows below it.", "start")]
    for number, row in enumerate(LAYERS):
        height = 22.0 + LINE * len(row[0])
        each = (width - gap * (len(row) - 1)) / len(row)
        for place, text in enumerate(row):
            fill = (BLUE, BLUE, BLUE, YELLOW, GREEN, GREY, GREY)[number]
            parts += drawn(Box(10 + place * (each + gap), y, each, height, fill, text))
        y += height + gap
    return drawing(width + 20, y, parts)


def drawing(width: float, height: float, parts: list[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}"'
        f' font-family="sans-serif" font-size="13" fill="{INK}">\n'
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8"'
        f' markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" fill="{INK}"/></marker></defs>\n'
        f'<rect width="{width:g}" height="{height:g}" fill="{PAPER}"/>\n{body}\n</svg>\n'
    )


def drawn(box: Box) -> list[str]:
    middle = box.x + box.width / 2
    first = box.y + box.height / 2 - LINE * (len(box.text) - 1) / 2 + 4
    lines = [
        label(middle, first + number * LINE, text, bold=number == 0)
        for number, text in enumerate(box.text)
    ]
    return [rectangle(box.x, box.y, box.width, box.height, box.fill), *lines]


def frame(x: float, y: float, width: float, height: float, text: str) -> list[str]:
    return [
        rectangle(x, y, width, height, "none", dashes='stroke-dasharray="5 4" '),
        label(x + 12, y + 20, text, "start"),
    ]


def arrow(x1: float, y1: float, x2: float, y2: float, text: str) -> list[str]:
    """Horizontal, with its text above."""
    return [
        f'<path d="M{x1:g} {y1:g}H{x2:g}" stroke="{INK}" marker-end="url(#head)"/>',
        label((x1 + x2) / 2, min(y1, y2) - 6, text, size=11),
    ]


def rectangle(x: float, y: float, width: float, height: float, fill: str, dashes: str = "") -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6"'
        f' fill="{fill}" stroke="{FRAME}" {dashes}/>'
    )


def label(
    x: float, y: float, text: str, anchor: str = "middle", bold: bool = False, size: int = 13
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}"{weight}>'
        f"{escape(text)}</text>"
    )
