"""An SVG of the create time over the number of sets, made without a library."""

from __future__ import annotations

from html import escape
from math import log10
from typing import Mapping, Sequence

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 30, 60
COLOURS = ("#1f6feb", "#d1242f")
Point = tuple[float, float]  # sets, milliseconds


class Axis:
    """A logarithmic axis from `low` to `high`, drawn from pixel `first` to `last`."""

    def __init__(self, low: float, high: float, first: float, last: float) -> None:
        self.low, self.high = low, high
        self._first, self._last = first, last

    def at(self, value: float) -> float:
        part = log10(value / self.low) / log10(self.high / self.low)
        return round(self._first + part * (self._last - self._first), 1)


def svg(curves: Mapping[str, Sequence[Point]], title: str) -> str:
    """Draw the curves. Zero sets, which have no logarithm, are drawn at the left edge."""
    points = [point for curve in curves.values() for point in curve]
    highest = max(milliseconds for _, milliseconds in points)
    x = Axis(30, 10_000, LEFT, WIDTH - RIGHT)
    y = Axis(1, 10 ** (int(log10(highest)) + 1), HEIGHT - BOTTOM, TOP)
    parts = [_text(LEFT, 18, title, "start"), *_grid(x, y)]
    for colour, (name, curve) in zip(COLOURS, curves.items()):
        parts += _curve(x, y, name, curve, colour)
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' font-family="sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{body}\n</svg>\n'
    )


def _grid(x: Axis, y: Axis) -> list[str]:
    parts = []
    for sets in (0, 100, 300, 1000, 2000, 5000):
        location = x.at(max(sets, x.low))
        parts.append(_line(location, HEIGHT - BOTTOM, location, TOP))
        parts.append(_text(location, HEIGHT - BOTTOM + 18, str(sets), "middle"))
    value = y.low
    while value <= y.high:
        parts.append(_line(LEFT, y.at(value), WIDTH - RIGHT, y.at(value)))
        parts.append(_text(LEFT - 8, y.at(value) + 4, f"{value:g} ms", "end"))
        value *= 10
    return [*parts, _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, "sets that exist", "middle")]


def _curve(x: Axis, y: Axis, name: str, curve: Sequence[Point], colour: str) -> list[str]:
    places = [(x.at(max(sets, x.low)), y.at(max(value, y.low))) for sets, value in curve]
    path = " ".join(f"{across},{down}" for across, down in places)
    dots = [f'<circle cx="{across}" cy="{down}" r="3" fill="{colour}"/>' for across, down in places]
    across, down = places[-1]
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *dots,
        _text(across + 8, down + 4, name, "start", colour),
    ]


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#d8dee4"/>'


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#24292f") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
