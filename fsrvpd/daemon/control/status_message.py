"""`status`: everything that says whether all is well."""

from __future__ import annotations

import os
import time
from typing import Any, Iterator, Optional, Sequence

from fsrvpd import JSON_VERSION, __version__
from fsrvpd.core.messages import format_guid
from fsrvpd.daemon.agent.driver import AgentDriver
from fsrvpd.daemon.control.admin_actions import AdminActions
from fsrvpd.daemon.control.history_messages import refusal_to_json
from fsrvpd.daemon.control.socket_server import ControlRequest
from fsrvpd.daemon.history.recorder import History, Page
from fsrvpd.daemon.pipe.server import PipeServer
from fsrvpd.daemon.status import problems
from fsrvpd.daemon.status.problems import Past, Problem
from fsrvpd.daemon.status.shares import Overview, ShareState, ShareStates
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.unc import normal_share
from fsrvpd.store.history import Query
from fsrvpd.store.history_records import Backup, SetRecord

AFTER = "--after="
PAGE = 500  # shares; a reply is so small that no client of the pipe waits for it
LAST_SETS = 250
MOST_PROBLEMS = 100
MOST_CALLERS = 20


class StatusMessage:
    """Belongs to the loop's thread."""

    def __init__(
        self,
        driver: AgentDriver,
        server: PipeServer,
        states: ShareStates,
        history: History,
        actions: AdminActions,
        samba_version: str,
        why_no_provider: str,
    ) -> None:
        self._driver = driver
        self._view = driver.view
        self._server = server
        self._states = states
        self._history = history
        self._actions = actions
        self._samba_version = samba_version
        self._why_no_provider = why_no_provider
        self._max_backup_age = 0
        self._started = time.monotonic()
        self._shares: list[Any] = []  # of the last reply, for its further pages

    def configure(self, max_backup_age: int) -> None:
        """`max_backup_age`: days; 0: none."""
        self._max_backup_age = max_backup_age

    def status(self, parameters: Sequence[str], request: ControlRequest) -> None:
        place = _place(parameters)
        if place:
            request.finish(self._page(place))
            return
        found: list[Any] = []

        def take(part: Any) -> None:
            found.append(part)
            if len(found) == 2:
                page, overview = sorted(found, key=lambda each: isinstance(each, Overview))
                request.guard(lambda: request.finish(self._reply(page, overview)))

        self._history.read(Query(limit=LAST_SETS), take)
        self._states.find(take)

    def _page(self, place: int) -> dict[str, Any]:
        end = place + PAGE
        more = str(end) if end < len(self._shares) else None
        return {"shares": self._shares[place:end], "more": more}

    def _reply(self, page: Page, overview: Overview) -> dict[str, Any]:
        now = time.time()
        sets = [] if isinstance(page, FsrvpdError) else page.sets
        history = self._history
        past = Past(sets, history.last_sets, history.backups, history.refusals)
        found = list(self._problems(page, past, overview, now))
        self._shares = [_share_to_json(each, past) for each in overview.shares]
        return {
            **self._now(),
            "running": True,
            "well": not found,
            "problems": [each._asdict() for each in found[:MOST_PROBLEMS]],
            "problems_left_out": max(0, len(found) - MOST_PROBLEMS),
            "callers": _callers(sets),
            "volumes": [_volume_to_json(each) for each in overview.volumes],
            "refusals": [refusal_to_json(each) for each in reversed(past.refusals)],
            **self._page(0),
        }

    def _now(self) -> dict[str, Any]:
        by_status = self._view.count_by_status()
        return {
            "version": __version__,
            "json_version": JSON_VERSION,
            "pid": os.getpid(),
            "samba_version": self._samba_version,
            "uptime_seconds": int(time.monotonic() - self._started),
            "dialect": self._view.settings.dialect.name,
            "debug_level": self._actions.debug_level,
            "pipe": {
                "path": self._server.path,
                "ours": self._server.owns_pipe(),
                "retaken": self._server.retaken,
                "connections": self._server.number_of_connections,
            },
            "sets": {status.value: number for status, number in by_status.items()},
            "sets_removing": len(self._view.removing),
            "sets_with_jobs": self._view.running_jobs,
            "calls": dict(self._driver.calls),
            "failures": dict(self._driver.failures),
        }

    def _problems(
        self, page: Page, past: Past, overview: Overview, now: float
    ) -> Iterator[Problem]:
        yield from self._problems_of_daemon()
        if isinstance(page, FsrvpdError) or self._history.failure:
            why = self._history.failure or str(page)
            yield Problem("history-not-written", "", f"the history: {why}", "df; dmesg | tail")
        yield from problems.of_configuration(overview)
        yield from problems.of_backups(past, now)
        yield from problems.of_ages(overview, past, self._max_backup_age, now)
        yield from problems.of_shares(overview, past, now)
        yield from problems.of_volumes(overview)
        yield from problems.of_callers(past, now)

    def _problems_of_daemon(self) -> Iterator[Problem]:
        server = self._server
        if server.path and not server.owns_pipe():
            text = f"{server.path} belongs to another program: clients do not reach fsrvpd"
            yield Problem("pipe-hijacked", server.path, text, "fsrvpctl setup")
        if self._why_no_provider:
            yield Problem("no-provider", "", self._why_no_provider, "fsrvpctl doctor")
        if self._driver.store_failure:
            text = f"calls are refused: {self._driver.store_failure}"
            yield Problem("state-not-written", "", text, "df; journalctl -u fsrvpd -n 50")
        for key in self._view.retrying:
            name = format_guid(key)
            text = f"a part of set {name} cannot be removed; fsrvpd tries again each minute"
            step = f"journalctl -u fsrvpd FSRVPD_EVENT=removal-failed FSRVPD_SET={name}"
            yield Problem("removal-failed", name, text, step)
        for key in self._view.unconcluded:
            name = format_guid(key)
            text = (
                f"storage does not tell whether set {name} was committed before the restart;"
                " fsrvpd asks again each minute"
            )
            step = f"journalctl -u fsrvpd FSRVPD_EVENT=step-unknown FSRVPD_SET={name}"
            yield Problem("step-unknown", name, text, step)
        for key in self._view.unreadable:
            name = format_guid(key)
            text = f"the document of set {name} cannot be read; it is left as it is"
            step = "journalctl -u fsrvpd FSRVPD_EVENT=set-unreadable"
            yield Problem("set-unreadable", name, text, step)


def _share_to_json(state: ShareState, past: Past) -> dict[str, Any]:
    backup = past.backups.get(normal_share(state.share))
    return {
        "share": state.share,
        "state": state.state,
        "reason": state.reason,
        "provider": state.provider or None,
        "volume": state.volume or None,
        "last_backup": _backup_to_json(backup),
    }


def _backup_to_json(backup: Optional[Backup]) -> Optional[dict[str, Any]]:
    if backup is None:
        return None
    return {"set": backup.set, "committed": backup.committed, "completed": backup.completed}


def _volume_to_json(volume: Any) -> dict[str, Any]:
    return {
        "volume": volume.volume,
        "free_bytes": volume.free,
        "size_bytes": volume.size,
        "snapshots": volume.snapshots,
        "kept": volume.kept,
        "oldest_kept": volume.oldest_kept,
    }


def _callers(sets: Sequence[SetRecord]) -> list[dict[str, Any]]:
    """Who has made the last sets, the latest first."""
    found: dict[tuple[str, str], float] = {}
    for record in sets:
        found.setdefault((record.account, record.client), record.started)
    latest = list(found.items())[:MOST_CALLERS]
    return [{"account": who[0], "client": who[1], "last": when} for who, when in latest]


def _place(parameters: Sequence[str]) -> int:
    """Raises: FsrvpdError."""
    if not parameters:
        return 0
    word, *others = parameters
    number = word[len(AFTER) :]
    if others or not word.startswith(AFTER) or not number.isdecimal():
        raise FsrvpdError("usage: status")
    return int(number[:9])
