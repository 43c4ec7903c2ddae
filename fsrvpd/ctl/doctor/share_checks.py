"""Which shares can be copied: each by itself, or by what they have in common if there are many."""

from __future__ import annotations

from collections import Counter
from typing import Any, Iterator, Sequence

from fsrvpd.config.load import by_reason
from fsrvpd.ctl.client import NotRunning
from fsrvpd.ctl.doctor.environment import Environment
from fsrvpd.ctl.doctor.result import Finding, Severity
from fsrvpd.errors import FsrvpdError

MOST_LISTED = 100
MOST_REASONS = 20
_NEXT_STEP = "fsrvpctl fsrvpd check-path SHARE"


def shares(environment: Environment) -> Iterator[Finding]:
    """Those without a mistake, which the check `options` has reported."""
    mistakes = environment.configuration.mistakes
    names = [share.name for share in environment.registry.shares() if share.name not in mistakes]
    try:
        yield from (_each if len(names) <= MOST_LISTED else _all)(environment, names)
    except NotRunning:
        return  # the check `daemon` has reported it


def _each(environment: Environment, names: Sequence[str]) -> Iterator[Finding]:
    for name in names:
        try:
            yield from _one(name, environment.ask("check-path", name))
        except NotRunning:
            raise
        except FsrvpdError as error:
            yield Finding(Severity.NOTE, f"share {name}", str(error))


def _one(name: str, answer: Any) -> Iterator[Finding]:
    topic = f"share {name}"
    if not answer["supported"]:
        yield Finding(Severity.NOTE, topic, f"no shadow copies: {answer['reason']}")
        return
    yield Finding(Severity.OK, topic, f"{answer['directory']} (provider {answer['provider']})")
    for warning in answer["warnings"]:
        yield Finding(Severity.WARN, topic, warning, f"ls -ld {answer['volume_root']}")
    for left in answer["left_out"][:1]:
        more = len(answer["left_out"]) - 1
        text = f"its copies do not contain {left['path']}: {left['why']}"
        text += f"; and {more} more: fsrvpctl fsrvpd check-path {name}" if more else ""
        yield Finding(Severity.OK, topic, text)


def _all(environment: Environment, names: Sequence[str]) -> Iterator[Finding]:
    """The daemon looks at them by itself: to ask it about each of 10,000 takes half a minute."""
    wanted = set(names)
    states = [each for each in _states(environment) if each["share"] in wanted]
    ready = [each for each in states if each["provider"]]
    providers = Counter(each["provider"] for each in ready)
    counted = ", ".join(f"{number:,} by {name}" for name, number in providers.items()) or "none"
    text = f"{len(ready):,} of {len(names):,} can be copied: {counted}"
    yield Finding(Severity.OK, "shares", text)
    reasons = {
        each["share"]: each["reason"] or each["state"] for each in states if not each["provider"]
    }
    grouped = list(by_reason(reasons))
    for topic, why in grouped[:MOST_REASONS]:
        yield Finding(Severity.NOTE, topic, f"no shadow copies: {why}", _NEXT_STEP)
    if len(grouped) > MOST_REASONS:
        text = f"{len(grouped) - MOST_REASONS:,} more reasons why shares have no copies"
        yield Finding(Severity.NOTE, "shares", text, "fsrvpctl fsrvpd status --json")
    for one in {each["volume"]: each for each in ready}.values():
        answer = environment.ask("check-path", one["share"])
        for warning in answer["warnings"]:
            topic = f"volume {one['volume']}"
            yield Finding(Severity.WARN, topic, warning, f"ls -ld {one['volume']}")


def _states(environment: Environment) -> Iterator[Any]:
    """What `status` says of each share, page by page."""
    reply = environment.ask("status")
    yield from reply["shares"]
    while reply["more"]:
        reply = environment.ask("status", f"--after={reply['more']}")
        yield from reply["shares"]


CHECKS = (shares,)
