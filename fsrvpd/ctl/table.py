"""Tables of text that fit the terminal, or 80 columns where there is none."""

from __future__ import annotations

import shutil
from typing import Sequence

FALLBACK = (80, 24)
GAP = "  "


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Left-aligned columns; what does not fit is cut off the last one."""
    every = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in every) for column in range(len(head))]
    limit = shutil.get_terminal_size(FALLBACK).columns
    return "\n".join(cut(_line(row, widths), limit) for row in every)


def cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (cell.ljust(width) for cell, width in zip(row, widths))
    return GAP.join(cells).rstrip()
