"""Tables of text that fit the terminal, or 80 columns where there is none."""

from __future__ import annotations

from typing import Sequence

from fsrvpd.ctl.terminal import columns, cut, padded, visible, width

GAP = "  "


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Left-aligned columns; what does not fit is cut off the last one."""
    every = [list(head), *([visible(cell) for cell in row] for row in rows)]
    widths = [max(width(row[column]) for row in every) for column in range(len(head))]
    limit = columns()
    return "\n".join(cut(_line(row, widths), limit) for row in every)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (padded(cell, wanted) for cell, wanted in zip(row, widths))
    return GAP.join(cells).rstrip()
