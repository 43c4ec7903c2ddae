"""The Statuses of a shadow copy set and the methods between them, drawn from the agent's table."""

from __future__ import annotations

from typing import NamedTuple, Optional

from docs.pictures import BLUE, GREEN, GREY, INK, LINE, YELLOW, Box, drawing, drawn, label
from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import PUBLISHED, Status
from fsrvpd.protocol.server.method_rules import METHODS
from fsrvpd.protocol.server.state_machine import MethodRule, Removal

# Pixels. Boxes stand in one column, a step apart; `removed` is the last of them.
WIDTH, TOP = 800.0, 20.0
LEFT, BOX_WIDTH, HEIGHT, STEP = 330.0, 190.0, 44.0, 100.0
MIDDLE, RIGHT = LEFT + BOX_WIDTH / 2, LEFT + BOX_WIDTH
NO_SET, REMOVED = TOP, TOP + STEP * (len(Status) + 1)
# For each way of removing a set: x of its line, y of its ends within a box, what it says.
WAYS_OUT = {
    Removal.SET: (40.0, -6.0, ("{}", "or the timer expires")),
    Removal.MAPPING: (90.0, +8.0, ("{}", "of the last mapping")),
}
NOTES = (
    "(180 s), (1800 s): the Message Sequence Timer that starts when the method has succeeded.",
    "Yellow: a job takes the snapshots. Green: the set survives a restart of the daemon.",
    "The four methods at the top name no set and may be called at any time.",
)


class Edge(NamedTuple):
    """From one Status to another; `start` None: there was no set before."""

    start: Optional[Status]
    end: Status
    text: str


def picture() -> str:
    """docs/state-machine.svg"""
    parts = [*_box(NO_SET, "no set", GREY), *_box(REMOVED, "removed", GREY)]
    parts += _loop(NO_SET, [_text(each) for each in METHODS.items() if _names_no_set(each[1])])
    for status in Status:
        remaining = [_text(each) for each in METHODS.items() if _leaves(each[1], status)]
        parts += _box(_y(status), status.value, _fill(status))
        parts += _loop(_y(status), remaining)
    for edge in edges():
        parts += _arrow(edge)
    for removal in Removal:
        parts += _way_out(removal)
    left, top = WAYS_OUT[Removal.SET][0], REMOVED + HEIGHT + 2 * LINE
    parts += [label(left, top + n * LINE, note, "start") for n, note in enumerate(NOTES)]
    return drawing(WIDTH, top + LINE * len(NOTES), parts)


def edges() -> list[Edge]:
    """Every change of Status that the table knows."""
    found = []
    for opnum, rule in METHODS.items():
        if rule.next_status is None:
            continue
        running, name = rule.running_status, opnum.name + _timer(rule)
        if running:
            found.append(Edge(running, rule.next_status, f"its job succeeds{_timer(rule)}"))
            name = opnum.name
        if running and rule.wait_failed_status:
            failure = HResult.FSRVP_E_WAIT_FAILED.name
            found.append(Edge(running, rule.wait_failed_status, failure))
        end = running or rule.next_status
        starts = [status for status in Status if status in rule.permitted and status is not end]
        found += [Edge(start, end, name) for start in starts]
        if not rule.permitted:
            found.append(Edge(None, end, name))
    return found


def _names_no_set(rule: MethodRule) -> bool:
    return not rule.permitted and rule.next_status is None


def _leaves(rule: MethodRule, status: Status) -> bool:
    """Whether a method is permitted in a Status and leaves it as it is."""
    after = rule.running_status or rule.next_status or status
    return status in rule.permitted and after is status and rule.removes is not Removal.SET


def _text(method: tuple[Opnum, MethodRule]) -> str:
    opnum, rule = method
    return opnum.name if rule.running_status else opnum.name + _timer(rule)


def _timer(rule: MethodRule) -> str:
    return f" ({rule.timer} s)" if rule.timer else ""


def _y(status: Optional[Status]) -> float:
    return NO_SET if status is None else NO_SET + STEP * (1 + list(Status).index(status))


def _fill(status: Status) -> str:
    if status in PUBLISHED:
        return GREEN
    return YELLOW if any(rule.running_status is status for rule in METHODS.values()) else BLUE


def _box(y: float, text: str, fill: str) -> list[str]:
    return drawn(Box(LEFT, y, BOX_WIDTH, HEIGHT, fill, (text,)))


def _loop(y: float, texts: list[str]) -> list[str]:
    """Methods that leave a Status as it is."""
    if not texts:
        return []
    middle = y + HEIGHT / 2
    first = middle + 4 - LINE * (len(texts) - 1) / 2
    lines = [
        label(RIGHT + 36, first + number * LINE, text, "start", size=12)
        for number, text in enumerate(texts)
    ]
    return [_line(f"M{RIGHT:g} {middle - 9:g}c34 -10 34 28 0 18"), *lines]


def _arrow(edge: Edge) -> list[str]:
    """Straight down to the next box, or back around the left side."""
    start, end = _y(edge.start), _y(edge.end)
    if start < end:
        text = label(MIDDLE + 10, (start + HEIGHT + end) / 2 + 4, edge.text, "start", size=12)
        return [_line(f"M{MIDDLE:g} {start + HEIGHT:g}V{end:g}"), text]
    start, end = start + 6, end + HEIGHT - 10
    curve = f"M{LEFT:g} {start:g}C{LEFT - 36:g} {start:g} {LEFT - 36:g} {end:g} {LEFT:g} {end:g}"
    text = label(LEFT - 34, (start + end) / 2 + 4, edge.text, "end", size=12)
    return [_line(curve), text]


def _way_out(removal: Removal) -> list[str]:
    """From every Status in which such a method is permitted, along one line."""
    x, shift, texts = WAYS_OUT[removal]
    [(opnum, rule)] = [each for each in METHODS.items() if each[1].removes is removal]
    ends = [_y(s) + HEIGHT / 2 + shift for s in Status if s in rule.permitted]
    parts = [_line(f"M{LEFT:g} {y:g}H{x:g}", head=False) for y in ends]
    end = REMOVED + HEIGHT / 2 - shift
    parts.append(_line(f"M{x:g} {ends[0]:g}V{end:g}H{LEFT:g}"))
    for number, text in enumerate(texts):
        y = ends[0] + 26 + number * LINE
        parts.append(label(x + 8, y, text.format(opnum.name), "start", size=12))
    return parts


def _line(path: str, head: bool = True) -> str:
    end = ' marker-end="url(#head)"' if head else ""
    return f'<path d="{path}" fill="none" stroke="{INK}"{end}/>'
