"""What a run works with: the requestor, its writers, and its mounts."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Optional

from fsrvpd.requestor.closing import Closing
from fsrvpd.requestor.ctl.left_mounts import clean_job
from fsrvpd.requestor.ctl.opening import (
    names_of,
    open_connector,
    open_mounts,
    open_requestor,
    open_store,
    who_logs_in,
)
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.ctl.run_events import RunEvents
from fsrvpd.requestor.ctl.settings import Settings
from fsrvpd.requestor.ctl.shared_trees import SharedTrees
from fsrvpd.requestor.ctl.thawing import thaw_before
from fsrvpd.requestor.ctl.writers import Surroundings, make_writers
from fsrvpd.requestor.events import Report
from fsrvpd.requestor.mount.mounts import Mounts
from fsrvpd.requestor.mount.places import component
from fsrvpd.requestor.sets.requestor import Requestor
from fsrvpd.requestor.sets.shadow_copy_set import ShadowCopySet
from fsrvpd.requestor.state.frozen import FrozenFiles
from fsrvpd.requestor.writers.group import WriterGroup
from fsrvpd.requestor.writers.keeping import KeeperProcess
from fsrvpd.requestor.writers.results import PREFIX


class RunParts(Closing):
    """A context manager, which closes writers, not mounts. `writers` and `mounts` are None where a
    run has none."""

    def __init__(self, settings: Settings, job: str, output: Output, events: RunEvents) -> None:
        """May ask for a password. Raises: RequestorError."""
        self._stack = ExitStack()
        who = who_logs_in(settings)
        connector = open_connector(settings, who)
        self.requestor: Requestor = open_requestor(
            settings, output, events.note, connector=connector
        )
        names = names_of(settings, connector)
        self._trees = SharedTrees(connector, names, settings.shares)
        self._stack.callback(self._trees.close)
        self.mounts: Optional[Mounts] = None
        if settings.mount:
            store = open_mounts(output)
            clean_job(job, store, self.requestor, output)
            self.mounts = Mounts(store, who, encrypt=settings.encrypt, by_cifs=settings.cifs)
        self.writers: Optional[WriterGroup] = None
        if settings.writers:
            self.writers = self._group(settings, job, output, events.of_writers)
            self._stack.enter_context(self.writers)

    def _group(self, settings: Settings, job: str, output: Output, report: Report) -> WriterGroup:
        thaw_before(output)
        results = partial(self._results, job, output)
        run = Surroundings(self._trees.now, results, settings.mount, settings.window)
        writers = [writer for section in settings.writers for writer in make_writers(section, run)]
        keeper = KeeperProcess(FrozenFiles.of_user(output.warning), job)
        return WriterGroup(writers, window=settings.window, report=report, keeper=keeper)

    def _results(self, job: str, output: Output, writer: str) -> Path:
        """Where a writer puts what is to be restored beside the copies: COMMAND finds it there."""
        above = self.mounts.directory_of(job) if self.mounts else open_store(output).directory
        return above / component(f"{PREFIX}{writer}")

    def complete(self, created: ShadowCopySet) -> None:
        """Let writers add what the copies need. Raises: RequestorError."""
        if self.writers:
            self.writers.complete(self._trees.copies(created))

    def close(self) -> None:
        """What writers have put beside the copies goes with them. May be called twice. Raises:
        RequestorError if one is not known to be thawed."""
        self._stack.close()
