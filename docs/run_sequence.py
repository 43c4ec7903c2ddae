"""The picture of what `fsrvpshadow run` does, from the first writer to the end of the set."""

from __future__ import annotations

from typing import NamedTuple

from docs.pictures import BLUE, FRAME, GREEN, GREY, INK, YELLOW, drawing, label, rectangle

ROWS = ("applications", "fsrvpshadow", "file server", "COMMAND")
LEFT, TOP, ROW, COLUMN = 120.0, 64.0, 62.0, 100.0  # pixels
WINDOW = (2, 5)  # the columns in which writers are frozen: from, to


class Step(NamedTuple):
    row: int
    column: float
    columns: float  # how many it lasts
    fill: str
    text: tuple[str, ...]


STEPS = (
    Step(0, 0, 1, BLUE, ("get ready", "CHECKPOINT")),
    Step(0, 2, 3, YELLOW, ("frozen", "writes wait")),
    Step(0, 5, 5, BLUE, ("work as usual",)),
    Step(1, 0, 1, GREY, ("writers", "prepare")),
    Step(1, 2, 1, GREY, ("freeze",)),
    Step(1, 4, 1, GREY, ("thaw,", "verify")),
    Step(1, 6, 1, GREY, ("mount",)),
    Step(1, 8, 1, GREY, ("unmount",)),
    Step(2, 1, 1, GREEN, ("Prepare-", "ShadowCopySet")),
    Step(2, 3, 1, GREEN, ("Commit-", "ShadowCopySet")),
    Step(2, 5, 1, GREEN, ("Expose-", "ShadowCopySet")),
    Step(2, 9, 1, GREEN, ("Delete-", "ShareMapping")),
    Step(3, 7, 1, BLUE, ("restic", "backup .")),
)
COLUMNS = 10


def picture() -> str:
    width, height = LEFT + COLUMNS * COLUMN + 12, TOP + len(ROWS) * ROW + 30
    first, last = (LEFT + column * COLUMN for column in WINDOW)
    parts = [
        rectangle(first, 26, last - first, height - 56, "#fffdf2"),
        label((first + last) / 2, 44, "the window: 10 s at most", bold=True),
        label((first + last) / 2, TOP - 6, "at its end all work again, whatever happens", size=11),
    ]
    for number, row in enumerate(ROWS):
        middle = TOP + number * ROW + ROW / 2
        parts += [
            label(10, middle + 4, row, "start", bold=True),
            f'<path d="M{LEFT:g} {middle:g}H{width - 12:g}" stroke="{FRAME}"/>',
        ]
    for step in STEPS:
        parts += _drawn(step)
    parts += [
        f'<path d="M{LEFT:g} {height - 20:g}H{width - 12:g}" stroke="{INK}"'
        ' marker-end="url(#head)"/>',
        label(LEFT - 10, height - 16, "time", "end", size=11),
    ]
    return drawing(width, height, parts)


def _drawn(step: Step) -> list[str]:
    x = LEFT + step.column * COLUMN + 3
    y = TOP + step.row * ROW + 9
    width, height = step.columns * COLUMN - 6, ROW - 18
    first = y + height / 2 - 8 * (len(step.text) - 1) + 4
    lines = [
        label(x + width / 2, first + number * 16, text, size=11)
        for number, text in enumerate(step.text)
    ]
    return [rectangle(x, y, width, height, step.fill), *lines]
