"""The reply to `status` on one screen: what is wrong comes last, where the eye is."""

from __future__ import annotations

import time
from typing import Any, Iterator, Sequence

from fsrvpd.ctl.render import duration
from fsrvpd.ctl.render_history import moment
from fsrvpd.terminal import columns, cut, wrapped

MOST = 3  # of what there may be many
MOST_PROBLEMS = 3
MOST_OF_TEXT = 150  # columns of a problem, which are two lines
_NAMES = 10  # columns for the names of lines
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def status(answer: Any) -> str:
    if not answer["running"]:
        return "\n".join([answer["problems"][0]["text"], f"next: {_first_step(answer)}"])
    lines = [
        f"fsrvpd {answer['version']} (pid {answer['pid']}) beside Samba {answer['samba_version']}",
        *_agent(answer),
        _line("callers", _listed([_caller(each) for each in answer["callers"]], "none yet")),
        *_shares(answer["shares"]),
        _line("sets", _sets(answer)),
        *_volumes(answer["volumes"]),
        _line("backups", _backups(answer["shares"])),
        _line("calls", f"{sum(answer['calls'].values())} answered, {_refused(answer)} refused"),
        *_refusals(answer["refusals"]),
    ]
    limit = columns()
    return "\n".join([*(cut(each, limit) for each in lines), "", *_problems(answer)])


def _first_step(answer: Any) -> str:
    return str(answer["problems"][0]["next_step"])


def _line(name: str, text: str) -> str:
    return f"{name:<{_NAMES}} {text}"


def _agent(answer: Any) -> Iterator[str]:
    up = duration(answer["uptime_seconds"])
    yield _line("agent", f"up for {up}, dialect {answer['dialect']}")
    pipe = answer["pipe"]
    if not pipe["path"]:
        yield _line("pipe", "served by Samba's own agent (fsrvpd:serve pipe = no)")
        return
    owner = "fsrvpd" if pipe["ours"] else "ANOTHER PROGRAM (see fsrvpctl setup)"
    taken = f", taken back {counted(pipe['retaken'], 'time')}" if pipe["retaken"] else ""
    connections = counted(pipe["connections"], "connection")
    yield _line("pipe", f"served by {owner}, {connections}{taken}")


def _caller(one: Any) -> str:
    return f"{one['account']} at {one['client']} ({ago(one['last'])})"


def _shares(shares: Any) -> Iterator[str]:
    """How many are ready, and the first of those that are not, with the reason."""
    words = {
        "ready": "ready",
        "not-ready": "not",
        "silent": "whose storage does not answer",
        "pending": "not looked at yet",
        "off": "switched off",
    }
    numbers = {state: sum(each["state"] == state for each in shares) for state in words}
    parts = [f"{number} {words[state]}" for state, number in numbers.items() if number]
    yield _line("shares", ", ".join(parts) or "none")
    wrong = [each for each in shares if each["state"] in ("silent", "not-ready")]
    for each in wrong[:MOST]:
        yield _line("", f"{each['share']}: {each['reason']}")
    if len(wrong) > MOST:
        yield _line("", f"and {len(wrong) - MOST} more (--json has all)")


def _sets(answer: Any) -> str:
    parts = [f"{number} {name}" for name, number in answer["sets"].items() if number]
    removing = answer["sets_removing"]
    return ", ".join([*parts, *([f"{removing} being removed"] if removing else [])]) or "none"


def _volumes(volumes: Any) -> Iterator[str]:
    """Kept copies, and the space of the fullest volumes."""
    kept = sum(each["kept"] for each in volumes)
    oldest = min((each["oldest_kept"] for each in volumes if each["kept"]), default=None)
    since = f", the oldest {ago(oldest)}" if oldest is not None else ""
    yield _line("kept", f"{counted(kept, 'copy', 'copies')}{since}")
    fullest = sorted(volumes, key=lambda each: each["free_bytes"] / (each["size_bytes"] or 1))
    for place, each in enumerate(fullest[:MOST]):
        share = each["free_bytes"] / (each["size_bytes"] or 1)
        space = f"{size(each['free_bytes'])} of {size(each['size_bytes'])} free ({share:.0%})"
        text = f"{each['volume']}: {space}, {counted(each['snapshots'], 'snapshot')}"
        yield _line("" if place else "space", text)
    if len(fullest) > MOST:
        yield _line("", f"and {len(fullest) - MOST} more with more space")


def _backups(shares: Any) -> str:
    """Those whose last backup is the oldest, since they are the ones to look at."""
    backed_up = [each for each in shares if each["last_backup"]]
    backed_up.sort(key=lambda each: each["last_backup"]["committed"])
    shown = [f"{each['share']} {ago(each['last_backup']['committed'])}" for each in backed_up]
    never = sum(each["state"] == "ready" and not each["last_backup"] for each in shares)
    parts = [_listed(shown, "none yet")]
    return "; ".join([*parts, *([f"never: {counted(never, 'share')}"] if never else [])])


def _refusals(refusals: Any) -> Iterator[str]:
    for place, one in enumerate(refusals[:MOST]):
        what = " ".join(filter(None, (one["method"], one["share"], one["result"]))) or one["reason"]
        often = f", {one['times']} times" if one["times"] > 1 else ""
        text = f"{moment(one['last'])} {one['account']} at {one['client']}: {what}{often}"
        yield _line("" if place else "refused", text)


def _refused(answer: Any) -> int:
    return sum(answer["failures"].values())


def _problems(answer: Any) -> Iterator[str]:
    problems = answer["problems"]
    if answer["well"]:
        yield "all is well"
        return
    number = len(problems) + answer["problems_left_out"]
    yield f"{counted(number, 'problem')}:"
    for each in problems[:MOST_PROBLEMS]:
        yield wrapped(cut(each["text"], MOST_OF_TEXT), "  ")
        yield wrapped(f"next: {each['next_step']}", "    ")
    if number > MOST_PROBLEMS:
        yield f"  and {number - MOST_PROBLEMS} more (--json has all)"


def _listed(words: Sequence[str], none: str) -> str:
    left_out = len(words) - MOST
    more = [f"and {left_out} more"] if left_out > 0 else []
    return ", ".join([*words[:MOST], *more]) or none


def counted(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def ago(when: float) -> str:
    minutes = max(0, int(time.time() - when)) // 60
    hours, days = minutes // 60, minutes // 1440
    return (f"{days} d" if days else f"{hours} h" if hours else f"{minutes} min") + " ago"


def size(number: float) -> str:
    unit = 0
    while number >= 1000 and unit < len(_UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.3g} {_UNITS[unit]}"
