"""What becomes of sets without a client's call: they grow old, and the world under them
changes. The housekeeping brings what it saw; here it is decided what follows.

Age. A set that began since the last boot is aged by the monotonic clock, which nobody can
set. After a reboot there is only the wall clock: a set that it calls overdue is said, and
goes when it still is an hour later, in which nobody has set the clock.
"""

from __future__ import annotations

from typing import Collection, Optional

from fsrvpd.core.messages import Guid, format_guid
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import Action, Failed, Outcome, Republish
from fsrvpd.protocol.exposure import Exposure, shadow_shares
from fsrvpd.protocol.machine import Call
from fsrvpd.protocol.model import PUBLISHED, ShadowCopySet

CONFIRMATION = 3600.0  # s for which the wall clock must call a set overdue
JUMP = 60.0  # s by which the wall clock leaves the monotonic one when somebody sets it


class Upkeep(Exposure):
    """Everything that the housekeeping asks for."""

    _clocks_apart: Optional[float] = None  # s, the wall clock less the monotonic one

    def expire(self, now: float) -> list[Action]:
        """Let sets go that have outlived their limit."""
        self._now = now
        self._compare_clocks()
        for shadow_copy_set in list(self.table):
            why = self._overdue(shadow_copy_set)
            if why:
                self._doom(shadow_copy_set, why)
        return self._taken()

    def settled(self) -> dict[Guid, int]:
        """Revisions of the sets that have promised something and are not at work."""
        return {
            each.shadow_copy_set_id: each.revision
            for each in self.table
            if each.status in PUBLISHED and each.shadow_copy_set_id not in self._work
        }

    def still_settled(self, key: Guid, revision: int) -> Optional[ShadowCopySet]:
        """A set, if it is at rest and as it was."""
        of = self.table.get(key)
        resting = of is not None and key not in self._work and of.revision == revision
        return of if resting else None

    def snapshot_gone(self, key: Guid, shadow_copy_id: Guid, now: float) -> list[Action]:
        """Somebody else removed a snapshot. A set that is complete goes on without that
        copy; one that is still being created cannot be answered for any more."""
        self._now = now
        of = self.table.get(key)
        copy = of.copy(shadow_copy_id) if of else None
        if of is None or copy is None:
            return []
        if not self._is_finished(of):
            self._doom(of, f"the snapshot of {format_guid(shadow_copy_id)} was removed")
        elif key not in self._work:
            for mapped in copy.share_mapping_list:
                mapped.deleting = True
            self._resume_deletion(of)
        return self._taken()

    def share_gone(self, key: Guid, names: Collection[str], now: float) -> list[Action]:
        """Somebody else removed shares of an exposed set: they are made again."""
        self._now = now
        of = self.table.get(key)
        if of is None or key in self._work:
            return []
        shares = [share for share in shadow_shares(of) if share.name in names]

        def then(outcome: Outcome, waits: list[Call]) -> None:
            if isinstance(outcome, Failed):
                text = f"not made again: {outcome.reason}; fsrvpctl fsrvpd prune tries once more"
                self._event("share-not-restored", key, text)
            else:
                self._event("share-restored", key, f"{', '.join(names)} made again")

        self._start(of, Republish(key, shares), [], then)
        return self._taken()

    def _compare_clocks(self) -> None:
        """Notice that the wall clock was set, and begin to believe it anew."""
        apart = self._wall_clock() - self._now
        jump = 0.0 if self._clocks_apart is None else apart - self._clocks_apart
        self._clocks_apart = apart
        if abs(jump) < JUMP:
            return
        for each in self.table:
            each.overdue_since = None
        way = "forward" if jump > 0 else "back"
        text = f"the clock went {abs(jump):.0f} s {way}: it was set, or the server had slept"
        self._event("clock-jumped", None, f"{text}. No set goes for that; see that it is right")

    def _overdue(self, of: ShadowCopySet) -> Optional[str]:
        persistent = context.is_persistent(of.context)
        name = "persistent max age" if persistent else "auto release max age"
        settings = self.settings
        limit = settings.persistent_max_age if persistent else settings.auto_release_max_age
        same_boot = of.boot == settings.boot_id
        age = self._now - of.clock if same_boot else self._wall_clock() - of.started
        if not limit or age <= limit:
            of.overdue_since = None
            return None
        why = f"it is {age:.0f} s old, and fsrvpd:{name} = {limit}"
        return why if same_boot or self._is_confirmed(of, why) else None

    def _is_confirmed(self, of: ShadowCopySet, why: str) -> bool:
        if of.overdue_since is None:
            of.overdue_since = self._now
            key = of.shadow_copy_set_id
            text = f"{format_guid(key)} goes in an hour: {why}. If the clock is wrong, set it"
            self._event("set-overdue", key, text)
        return self._now - of.overdue_since >= CONFIRMATION
