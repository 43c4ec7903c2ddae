"""The abstract data model of the server. Spec: MS-FSRVP 3.1.1."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Optional

from fsrvpd.core.messages import NULL_GUID, Guid, format_guid
from fsrvpd.protocol.context import is_writable
from fsrvpd.protocol.exports import Export, below
from fsrvpd.protocol.ports import ShareLocation, Snapshot
from fsrvpd.protocol.unc import normal_share

NO_SET = format_guid(NULL_GUID)  # the set id of snapshots that were taken for Samba's own agent


class Status(Enum):
    """ShadowCopySet.Status (3.1.1.2), in the order in which a set passes through them."""

    STARTED = "Started"
    ADDED = "Added"
    CREATION_IN_PROGRESS = "CreationInProgress"
    COMMITTED = "Committed"
    EXPOSED = "Exposed"
    RECOVERED = "Recovered"


LOCAL = "local"  # instead of an address: this server's own admin
SELF_TEST = "self-test"  # and the copy that doctor makes and deletes, which is no backup

# A client was told of the snapshots: such a set survives a restart, and counts in 3.1.4.10.
PUBLISHED = frozenset({Status.COMMITTED, Status.EXPOSED, Status.RECOVERED})


def local_address(creation: str, *, self_test: bool = False) -> str:
    """The address of one creation by this server's admin. Each has its own, so that several can
    run at the same time; `creation` has been used by no other."""
    return f"{LOCAL}/{SELF_TEST}-{creation}" if self_test else f"{LOCAL}/{creation}"


def shown_client(address: str) -> str:
    """For people: an address of a creation means nothing to them."""
    return SELF_TEST if address.startswith(f"{LOCAL}/{SELF_TEST}-") else client_of(address)


def client_of(address: str) -> str:
    """Whose sets those of an address are, for limits: all of the admin's are one client's."""
    return LOCAL if is_local(address) else address


def is_local(address: str) -> bool:
    """No address of a network has this form."""
    return address.startswith(f"{LOCAL}/")


@dataclass
class MappedShare:
    """A share mapped to a shadow copy (3.1.1.4). `share_name` is the UNC as it was added."""

    share_name: str
    share: str  # the share's name in Samba's spelling
    directory: str  # the share's path, resolved
    shadow_copy_share_name: str = ""
    is_exposed: bool = False
    deleting: bool = False  # DeleteShareMapping has begun, and is finished after a crash
    handle: str = ""  # of the share's directory when it was added, as in ShareLocation
    location: Optional[ShareLocation] = field(default=None, compare=False)  # not durable


@dataclass
class ShadowCopy:
    """A shadow copy of one file store (3.1.1.3)."""

    shadow_copy_id: Guid
    location: ShareLocation
    created: float  # Unix time, s: CreationTimestamp
    share_mapping_list: list[MappedShare] = field(default_factory=list)
    snapshot: Optional[Snapshot] = None
    keep: bool = False  # `fsrvp:keep` of its share: the snapshot outlives it

    @property
    def volume_name(self) -> str:
        return self.location.volume_name

    @property
    def deleting(self) -> bool:
        """Whether DeleteShareMapping runs, or waits for another try, and what it takes is decided:
        whoever wants to keep the copy is too late."""
        return any(mapped.deleting for mapped in self.share_mapping_list)

    def mapped_share(self, share: str) -> Optional[MappedShare]:
        """The mapping of a share by name, ignoring case."""
        name = normal_share(share)
        for mapped in self.share_mapping_list:
            if normal_share(mapped.share) == name:
                return mapped
        return None

    def can_hold(self, location: ShareLocation) -> bool:
        """Whether the snapshot can serve another share of the volume too."""
        both = (self.location, location)
        return (
            all(each.whole_volume for each in both)
            and all(_is_below(each.directory, each.volume_root) for each in both)
            and len({(each.provider, each.volume_root) for each in both}) == 1
            and self.mapped_share(location.share.name) is None
        )

    def export(self, mapped: MappedShare, *, writable: bool = False) -> Optional[Export]:
        """Where users reach a share's directory in the snapshot; None before there is one."""
        if self.snapshot is None:
            return None
        path = below(mapped.directory, self.location.volume_root)
        identity = mapped.location.identity if mapped.location else None
        return Export(
            mapped.share,
            mapped.directory,
            path,
            self.snapshot,
            writable,
            identity,
            mapped.handle,
        )

    def stays_exported(self, mapped: MappedShare) -> bool:
        """Whether users still reach a kept snapshot after its mapping is deleted: as a previous
        version of the share that its marker names."""
        return self.keep and normal_share(mapped.share) == normal_share(self.location.share.name)


def _is_below(directory: str, root: str) -> bool:
    return directory == root or directory.startswith(root.rstrip("/") + "/")


@dataclass
class ShadowCopySet:
    """A shadow copy set (3.1.1.2)."""

    shadow_copy_set_id: Guid
    context: int
    client_address: str
    account: str
    started: float  # Unix time, s
    status: Status = Status.STARTED
    shadow_copy_list: list[ShadowCopy] = field(default_factory=list)
    removing: bool = False  # no longer in the table, kept until nothing is left of it
    recovered_at: float = 0.0  # Unix time of RecoveryComplete, 0 before
    # A commit may take, or has left, snapshots that `shadow_copy_list` does not have.
    may_have_unrecorded_snapshots: bool = False
    prepare_began: bool = False  # so Prepare may have left something; not durable
    snapshot_skew: float = 0.0  # s between its first snapshot and its last
    boot: str = ""  # the server's boot id when the set was started
    life: str = ""  # the cluster's life then, "" without one
    clock: float = 0.0  # the monotonic clock when the set was started, s
    overdue_since: Optional[float] = None  # by the wall clock alone; monotonic, s; not durable
    # The stored document has a restart undo the step that is under way; not durable.
    undo_recorded: bool = False
    revision: int = 0  # how often it was saved since the daemon started; not durable

    def copy(self, shadow_copy_id: Guid) -> Optional[ShadowCopy]:
        for copy in self.shadow_copy_list:
            if copy.shadow_copy_id == shadow_copy_id:
                return copy
        return None

    def copy_of_volume(self, volume_name: str) -> Optional[ShadowCopy]:
        for copy in self.shadow_copy_list:
            if copy.volume_name == volume_name:
                return copy
        return None

    @property
    def is_writable(self) -> bool:
        """Whether a requestor may write to the copies now."""
        return is_writable(self.context) and self.status is not Status.RECOVERED

    def exports(self, *, writable: bool = False) -> list[Export]:
        """Where users reach the copies, one for each mapping of a snapshot."""
        every = (
            copy.export(mapped, writable=writable)
            for copy in self.shadow_copy_list
            for mapped in copy.share_mapping_list
        )
        return [export for export in every if export is not None]

    @property
    def outliving(self) -> list[ShadowCopy]:
        """The copies whose snapshots stay when the set ends, however it does: those to keep, of a
        backup that was completed."""
        complete = self.status is Status.RECOVERED
        return [copy for copy in self.shadow_copy_list if copy.keep and complete]

    @property
    def exposed_names(self) -> list[str]:
        """Every shadow copy share that exists or may exist."""
        return [
            mapped.shadow_copy_share_name
            for copy in self.shadow_copy_list
            for mapped in copy.share_mapping_list
            if mapped.shadow_copy_share_name
        ]


def shadow_copy_share_name(share: str, shadow_copy_id: Guid) -> str:
    """`share@{ID}`; a hidden share stays hidden: `share$@{ID}$`.

    Spec: MS-FSRVP 3.1.4.6 and note 9.
    """
    hidden = "$" if share.endswith("$") else ""
    return f"{share}@{format_guid(shadow_copy_id)}{hidden}"
