"""What other modules may ask the agent. Nothing here changes it."""

from __future__ import annotations

from collections import Counter
from typing import Optional

from fsrvpd.core.messages import Guid
from fsrvpd.protocol.exports import Export
from fsrvpd.protocol.model import PUBLISHED, ShadowCopySet, Status
from fsrvpd.protocol.server.creation_session import LONG_TIMER
from fsrvpd.protocol.server.state_machine import AgentState, Purpose
from fsrvpd.protocol.settings import AgentSettings


class AgentView:
    """Questions to the agent, in the thread in which it runs.

    The sets are the agent's own objects: read what is needed at once, and change nothing.
    """

    def __init__(self, state: AgentState) -> None:
        self._state = state

    @property
    def settings(self) -> AgentSettings:
        """The settings in force."""
        return self._state.settings

    @property
    def kept_ended(self) -> int:
        """How many kept copies have outlived their sets since the start."""
        return self._state.kept_ended

    def is_freezing(self, volume_name: str) -> bool:
        """Whether a client's applications may be frozen for a snapshot of a volume: between the
        answers of Prepare and Commit."""
        return any(
            each.may_have_unrecorded_snapshots and each.copy_of_volume(volume_name) is not None
            for each in self._state.table
        )

    @property
    def completion_timeout(self) -> int:
        """Seconds for which an exposed set waits for RecoveryComplete."""
        return self._state.settings.sequence_timeout or LONG_TIMER

    @property
    def sets(self) -> list[ShadowCopySet]:
        """The sets that clients can name."""
        return list(self._state.table)

    @property
    def removing(self) -> list[ShadowCopySet]:
        """The sets that are being removed: no client can name them any more."""
        return list(self._state.removing.values())

    @property
    def all_sets(self) -> list[ShadowCopySet]:
        """`sets`, then `removing`."""
        return self.sets + self.removing

    @property
    def unreadable(self) -> frozenset[Guid]:
        """Ids of sets in the store whose documents cannot be read."""
        return frozenset(self._state.unreadable)

    @property
    def retrying(self) -> frozenset[Guid]:
        """Sets of which something could not be removed yet."""
        return frozenset(self._state.retries) - self.unconcluded

    @property
    def unconcluded(self) -> frozenset[Guid]:
        """Sets of which a restart could not find out yet how far they had come."""
        jobs = self._state.jobs
        return frozenset(
            key
            for key in self._state.retries
            if key in jobs and jobs[key].purpose is Purpose.CONCLUDE
        )

    @property
    def running_jobs(self) -> int:
        """How many sets have a job running."""
        return len(self._state.jobs)

    def get(self, shadow_copy_set_id: Guid) -> Optional[ShadowCopySet]:
        """A set that clients can name, or None."""
        return self._state.table.get(shadow_copy_set_id)

    def find(self, shadow_copy_set_id: Guid) -> Optional[ShadowCopySet]:
        """A set of `all_sets`, or None."""
        return self.get(shadow_copy_set_id) or self._state.removing.get(shadow_copy_set_id)

    def exports(self) -> list[Export]:
        """Where users reach the copies of all sets that are exposed, as it is to be now."""
        exposed = [each for each in self._state.table if each.exposed_names]
        return [export for each in exposed for export in each.exports(writable=each.is_writable)]

    def count_by_status(self) -> dict[Status, int]:
        """How many of `sets` have each Status, 0 included."""
        counts = Counter(each.status for each in self._state.table)
        return {status: counts[status] for status in Status}

    def stable_revisions(self) -> dict[Guid, int]:
        """The revisions of those published sets for which no job runs."""
        return {
            each.shadow_copy_set_id: each.revision
            for each in self._state.table
            if each.status in PUBLISHED and each.shadow_copy_set_id not in self._state.jobs
        }

    def unchanged_since(self, shadow_copy_set_id: Guid, revision: int) -> Optional[ShadowCopySet]:
        """A set, if its revision is still this one and no job runs for it, else None."""
        found = self.get(shadow_copy_set_id)
        if found is None or found.revision != revision:
            return None
        return None if shadow_copy_set_id in self._state.jobs else found
