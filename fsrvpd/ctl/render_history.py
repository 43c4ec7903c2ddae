"""The reply to `history` for people."""

from __future__ import annotations

import time
from typing import Any, Iterator, Optional

from fsrvpd.table import table
from fsrvpd.terminal import wrapped

HEAD = ["STARTED", "OUTCOME", "FREEZE", "CLIENT", "SHARES"]


def history(answer: Any) -> str:
    if not answer["sets"] and not answer["refusals"]:
        return "nothing happened in that time"
    return "\n".join([*_sets(answer["sets"]), *_refusals(answer["refusals"])])


def _sets(records: Any) -> Iterator[str]:
    if not records:
        yield "no shadow copy sets"
        return
    rows = [
        [
            moment(one["started"]),
            one["outcome"],
            freeze(one["freeze_ms"]),
            one["client"],
            ", ".join(one["shares"]),
        ]
        for one in records
    ]
    head, *lines = table(HEAD, rows).splitlines()
    yield head
    for line, one in zip(lines, records):
        yield line
        why = ": ".join(filter(None, (one["result"], one["reason"]))) if one["reason"] else ""
        if why:
            yield wrapped(why, "  ")


def _refusals(records: Any) -> Iterator[str]:
    if records:
        yield ""
        yield "LAST REFUSALS"
    for one in records:
        yield from refusal(one)


def refusal(one: Any) -> Iterator[str]:
    """Who, what, why, next step."""
    what = " ".join(filter(None, (one["method"], one["share"], one["result"]))) or one["event"]
    often = f", {one['times']} times" if one["times"] > 1 else ""
    yield f"{moment(one['last'])}  {one['account']} at {one['client']}: {what}{often}"
    yield wrapped(one["reason"], "  ")
    if one["next_step"]:
        yield wrapped(f"next: {one['next_step']}", "  ")


def moment(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(when))


def freeze(milliseconds: Optional[float]) -> str:
    if milliseconds is None:
        return "-"
    return f"{milliseconds:.1f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"
