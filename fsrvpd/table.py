"""Tables of text that fit the terminal; where there is none nothing is cut: ids are copied."""

from __future__ import annotations

import os
import sys
from typing import Optional, Sequence

from fsrvpd.terminal import columns, cut, one_line, padded, width

GAP = "  "


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Left-aligned columns; a line that does not fit the terminal is cut at its end."""
    every = [list(head), *([one_line(cell) for cell in row] for row in rows)]
    widths = [max(width(row[column]) for row in every) for column in range(len(head))]
    lines = [_line(row, widths) for row in every]
    limit = _limit()
    return "\n".join(lines if limit is None else [cut(line, limit) for line in lines])


def _limit() -> Optional[int]:
    """None where a program or a file reads it, as with `ps`, unless COLUMNS says otherwise."""
    return columns() if sys.stdout.isatty() or os.environ.get("COLUMNS") else None


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (padded(cell, wanted) for cell, wanted in zip(row, widths))
    return GAP.join(cells).rstrip()
