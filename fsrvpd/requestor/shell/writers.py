"""The writers of the configuration, as DISKSHADOW knows writers: by IDs, names and components."""

from __future__ import annotations

import uuid
from contextlib import ExitStack, contextmanager
from typing import Callable, Iterator, Mapping, Sequence

from fsrvpd.requestor.ctl.configuration import WriterSection
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.ctl.shared_trees import SharedTrees
from fsrvpd.requestor.ctl.thawing import thaw_before
from fsrvpd.requestor.ctl.writers import Surroundings, make_writers
from fsrvpd.requestor.ports import Resolver, ShareRoot
from fsrvpd.requestor.sets.shadow_copy_set import ShadowCopySet
from fsrvpd.requestor.shell.ports import FrozenWriters, Writer
from fsrvpd.requestor.smb.connector import SmbConnector
from fsrvpd.requestor.state.frozen import FrozenFiles
from fsrvpd.requestor.writers import guest_agent
from fsrvpd.requestor.writers.group import WriterGroup
from fsrvpd.requestor.writers.keeping import KeeperProcess
from fsrvpd.requestor.writers.ports import SharedTree

# What scripts verify on a host of virtual machines: the guests' writer answers to Hyper-V's ID.
HYPER_V_ID = "{66841cd4-6ded-4f4b-8f17-fd23f8ddc3de}"
HYPER_V_NAME = "Microsoft Hyper-V VSS Writer"
_IDS = uuid.UUID("0e5fd7de-5d62-4bd0-a1a7-4a8e6f2b3c17")  # with a name in it: always the same ID


def listed(sections: Sequence[WriterSection]) -> list[Writer]:
    """Guests are components of one writer; each other section is a writer of its own."""
    guests = tuple(each.name for each in sections if each.kind == guest_agent.KIND)
    others = [
        Writer(f"{{{uuid.uuid5(_IDS, each.name)}}}", each.name, (each.name,))
        for each in sections
        if each.kind != guest_agent.KIND
    ]
    return [Writer(HYPER_V_ID, HYPER_V_NAME, guests), *others] if guests else others


class SetWriters:
    """The writers of one set. `sections` are all of the configuration."""

    def __init__(
        self,
        sections: Mapping[str, WriterSection],
        window: float,
        connector: SmbConnector,
        names: Resolver,
        output: Output,
    ) -> None:
        self._sections = sections
        self._window = window
        self._connector = connector
        self._names = names
        self._output = output

    @contextmanager
    def open(self, roots: Sequence[ShareRoot], wanted: Mapping[str, bool]) -> Iterator[OpenWriters]:
        """Raises: RequestorError, also at the end if one is not known to be thawed."""
        with ExitStack() as stack:
            trees = SharedTrees(self._connector, self._names, [root.given for root in roots])
            stack.callback(trees.close)
            store = FrozenFiles.of_user(self._output.warning)
            thaw_before(self._output)
            run = Surroundings(trees.now, store.directory.joinpath, False, self._window)
            made = [
                writer
                for name, is_verified in wanted.items()
                for writer in make_writers(_required(self._sections[name], is_verified), run)
            ]
            group = WriterGroup(made, window=self._window, keeper=KeeperProcess(store))
            yield OpenWriters(stack.enter_context(group), trees.copies)


class OpenWriters:
    """A `WriterGroup` that knows how the copies of its set are read."""

    def __init__(
        self, group: WriterGroup, copies: Callable[[ShadowCopySet], Sequence[SharedTree]]
    ) -> None:
        self.prepare, self.freeze, self.thaw = group.prepare, group.freeze, group.thaw
        self._group = group
        self._copies = copies

    def complete(self, created: ShadowCopySet) -> None:
        """Raises: RequestorError; then nobody should use the set."""
        self._group.complete(self._copies(created))

    @property
    def outcome(self) -> FrozenWriters:
        left_out = [(name, str(failure)) for name, failure in self._group.left_out]
        return FrozenWriters(left_out, str(self._group.frozen or ""))


def _required(section: WriterSection, is_verified: bool) -> WriterSection:
    """A writer that was verified is required, whatever the configuration says."""
    return section._replace(keys={**section.keys, "required": True}) if is_verified else section
