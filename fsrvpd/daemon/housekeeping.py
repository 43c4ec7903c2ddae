"""What the daemon does for its sets without being called: it compares the state with
disks and registry, at its start and when an admin asks, and lets old sets go.

The survey and the removal of strays block, so they have a thread of their own; everything
that concerns a set is decided in the loop's, and done by the agent.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Iterable, Mapping, NamedTuple, Optional, Union

from fsrvpd.core.messages import Guid, format_guid
from fsrvpd.daemon.comparison import (
    DROP,
    KEEP,
    REMOVE,
    REPUBLISH,
    Doubt,
    Finding,
    Known,
    losses,
    strays,
    volume_of,
)
from fsrvpd.daemon.events import report
from fsrvpd.daemon.loop import Loop
from fsrvpd.daemon.service import Service
from fsrvpd.daemon.survey import Survey, Surveyor, Volume
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.ports import ShareRegistry, Snapshot
from fsrvpd.providers.selection import Selection

log = logging.getLogger("fsrvpd.housekeeping")

EXPIRY = 600.0  # s between two looks at the ages of sets

Done = Callable[[Union[list[Finding], FsrvpdError]], None]


class Wish(NamedTuple):
    """`dry_run`: say, do nothing. `everything`: what another state file knew goes as well."""

    dry_run: bool = False
    everything: bool = False


class Housekeeping:
    """Belongs to the loop's thread. `state` is the id of the state file."""

    def __init__(
        self,
        loop: Loop,
        service: Service,
        surveyor: Surveyor,
        selection: Selection,
        registry: ShareRegistry,
        state: str,
    ) -> None:
        self._loop = loop
        self._service = service
        self._agent = service.agent
        self._surveyor = surveyor
        self._selection = selection
        self._registry = registry
        self._state = state
        # Ids of copies that were just taken for Samba's own agent, which may not share them yet.
        self.fresh: Callable[[], frozenset[str]] = frozenset
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="housekeeping")
        self._next_expiry = time.monotonic()

    def close(self) -> None:
        """What is under way is not waited for: it can be repeated."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    # Age.

    def deadline(self) -> float:
        return self._next_expiry

    def look_at_ages(self) -> None:
        """At the next turn of the loop."""
        self._next_expiry = time.monotonic()
        self._loop.turn_by(self._next_expiry)

    def expire_when_due(self) -> None:
        now = time.monotonic()
        if now >= self._next_expiry:
            self._next_expiry = now + EXPIRY
            self._service.keep_up(self._agent.expire)

    # The three truths.

    def look(self, done: Callable[[Union[Survey, FsrvpdError]], None]) -> None:
        """Survey, and do nothing."""
        volumes, snapshots = self._places(self._agent.settled())

        def attempt() -> None:
            found: Union[Survey, FsrvpdError]
            try:
                found = self._surveyor.look(volumes, snapshots)
            except FsrvpdError as error:
                found = error
            self._loop.ring(lambda: done(found))

        self._thread.submit(_said, attempt)

    def compare(self, wish: Wish, done: Done) -> None:
        """Survey, compare, and do what follows; `done` gets the findings, or the failure."""
        before, settled = self._known(), self._agent.settled()
        volumes, snapshots = self._places(settled)

        def look() -> None:
            try:
                seen = self._surveyor.look(volumes, snapshots)
            except FsrvpdError as error:
                failure = error
                self._loop.ring(lambda: _give_up(failure, done))
            else:
                self._loop.ring(lambda: self._judge(wish, before, settled, seen, done))

        self._thread.submit(_said, look)

    def _known(self) -> Known:
        sets = (*self._agent.table, *self._agent.leaving.values())
        known = Known.of(sets, self._agent.unreadable)
        return known._replace(copies=known.copies | self.fresh())

    def _places(self, settled: Iterable[Guid]) -> tuple[set[Volume], list[Snapshot]]:
        sets = [of for of in map(self._agent.table.get, settled) if of is not None]
        copies = [copy for of in sets for copy in of.shadow_copy_list]
        volumes = {volume_of(copy) for copy in copies}
        return volumes, [copy.snapshot for copy in copies if copy.snapshot is not None]

    def _judge(
        self, wish: Wish, before: Known, settled: Mapping[Guid, int], seen: Survey, done: Done
    ) -> None:
        """Only what held before the survey and holds now can be concluded."""
        server = self._agent.settings.owner_machine_name
        doubt = Doubt(server, self._state, wish.everything)
        known = before.with_those_of(self._known())
        now = (self._agent.still_settled(*each) for each in settled.items())
        resting = [of for of in now if of is not None]
        findings = [*strays(seen, known, doubt), *losses(seen, resting)]
        if wish.dry_run:
            done(findings)
        else:
            self._act(findings, done)

    def _act(self, findings: list[Finding], done: Done) -> None:
        for finding in findings:
            _say(finding)
            self._mend(finding)

        def clean() -> None:
            results = [self._cleaned(finding) for finding in findings]
            self._loop.ring(lambda: done(results))

        self._thread.submit(_said, clean)

    def _mend(self, finding: Finding) -> None:
        key = finding.shadow_copy_set_id
        if key is None:
            return
        agent, copy_id, names = self._agent, finding.shadow_copy_id, finding.names
        if finding.action == DROP and copy_id is not None:
            self._service.keep_up(lambda now: agent.snapshot_gone(key, copy_id, now))
        elif finding.action == REPUBLISH:
            self._service.keep_up(lambda now: agent.share_gone(key, names, now))

    def _cleaned(self, finding: Finding) -> Finding:
        """A stray removed, and the finding, or why it could not be. In the thread."""
        if finding.shadow_copy_set_id is not None or finding.action != REMOVE:
            return finding
        try:
            if finding.names:
                self._registry.unexpose(finding.names)
            if finding.snapshot is not None:
                self._selection.provider(finding.snapshot.provider).delete(finding.snapshot)
        except FsrvpdError as error:
            report(log, "stray-kept", f"{finding.what} {finding.object}: not removed: {error}")
            return finding._replace(action=KEEP, reason=f"it could not be removed: {error}")
        report(log, "stray-removed", f"{finding.object} is gone", set="-")
        return finding


def as_json(finding: Finding) -> dict[str, Any]:
    key: Optional[Guid] = finding.shadow_copy_set_id
    return {
        "what": finding.what,
        "object": finding.object,
        "set": format_guid(key) if key else None,
        "action": finding.action,
        "reason": finding.reason,
    }


def _say(finding: Finding) -> None:
    key = finding.shadow_copy_set_id
    name = finding.what.replace(" ", "-")
    text = f"{finding.object}: {finding.reason} ({finding.action})"
    report(log, name, text, set=format_guid(key) if key else "-")


def _give_up(failure: FsrvpdError, done: Done) -> None:
    report(log, "comparison-failed", str(failure))
    done(failure)


def _said(work: Callable[[], None]) -> None:
    """A thread's failure is seen by nobody unless it is logged."""
    try:
        work()
    except Exception:
        log.exception("the housekeeping failed; please report this")
