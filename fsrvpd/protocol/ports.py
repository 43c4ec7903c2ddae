"""What the agent needs from storage, registry and store: Protocols that other layers fulfil.

Only plain values cross these interfaces, so that the side that reads the network and the side
that touches disks and Samba's registry can become two processes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import (
    Callable,
    Iterable,
    Mapping,
    NamedTuple,
    Optional,
    Protocol,
    Sequence,
    Tuple,
    runtime_checkable,
)

from fsrvpd.core.messages import Guid
from fsrvpd.errors import StoreError
from fsrvpd.options.share import ShareOptions

# What providers keep at the root of a volume has this name.
OWN_DIRECTORY = ".fsrvpd"


class Caller(NamedTuple):
    """Who calls, as reported by smbd in named_pipe_auth, not by the client."""

    address: str  # the client's IP address: ShadowCopyClientAddress
    account: str  # DOMAIN\\name, as smbd authenticated it, before any `username map` of a member
    user_sid: str
    sids: frozenset[str]  # every SID of the token, S-1-… form
    privileges: int  # SE_PRIV mask as Samba keeps it
    uid: int  # Unix uid of the token, -1 if smbd sent none
    anonymous: bool  # anonymous or guest session
    encrypted: bool = False  # the SMB session is encrypted

    @property
    def domain(self) -> str:
        return self.account.rpartition("\\")[0]

    @property
    def name(self) -> str:
        """Without the domain."""
        return self.account.rpartition("\\")[2]


@dataclass(frozen=True)
class Share:
    """A share as Samba's own parser reads it. `options` are those of `fsrvp:`, without prefix;
    `settings` are their values, which each call that names the share looks at."""

    name: str
    path: str
    from_registry: bool
    available: bool = True
    read_only: bool = True
    refusal: str = ""  # why Samba's configuration rules out shadow copies of it
    mistake: str = ""  # what in it is surely not as intended, so that there can be none either
    per_client: str = ""  # why its definition is another one for other clients, or a user's own
    vfs_objects: Sequence[str] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    shadow_copy_id: Optional[str] = None  # of a shadow copy share: it cannot be copied again
    veto_files: str = ""  # as Samba spells it: /one/other/

    settings: ShareOptions = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", ShareOptions.read(self.options))


class ShareLocation(NamedTuple):
    """The location of a share: what opnums 3, 8 and 9 need to know."""

    share: Share
    volume_name: str  # VolumeName: equal if and only if two shares lie on the same file store
    volume_root: str  # the directory at which the volume (subvolume, file system) begins
    provider: str
    directory: str  # the share's path with symbolic links resolved
    whole_volume: bool = False  # a snapshot holds everything below volume_root
    # st_dev and st_ino of the directory, 0 where inode numbers do not last. Not stored.
    identity: Optional[Tuple[int, int]] = None
    handle: str = ""  # the name of its handle, which lasts longer; "" if nothing does


class Snapshot(NamedTuple):
    """One snapshot on disk: enough to find, seal and delete it after a restart.

    `root` is the snapshot's own directory. `share_path` is the share's directory inside the
    snapshot. Only root reaches them; users reach a mount of the latter (see `exports`).
    """

    provider: str
    volume_name: str
    root: str
    share_path: str
    created: float  # Unix time of the snapshot, s


class SnapshotRequest(NamedTuple):
    """The snapshot that a provider is to take. Ids are in registry form, upper case."""

    shadow_copy_set_id: str
    shadow_copy_id: str
    location: ShareLocation
    writable: bool
    created: float  # Unix time of the client's request, s
    server: str = ""  # netbios name of this server, for the marker on disk
    keep: bool = False  # `fsrvp:keep`: the snapshot outlives its share and its set
    state: str = ""  # id of the store that knows the set, for the marker on disk
    mapped: Sequence[ShareLocation] = ()  # every share that the snapshot is to hold


class FoundSnapshot(NamedTuple):
    """A snapshot that a provider finds on disk by its marker."""

    snapshot: Snapshot
    shadow_copy_set_id: str
    shadow_copy_id: str
    share: str
    server: str
    keep: bool = False  # as in the request
    state: str = ""  # as in the request
    path: str = ""  # of the share's directory below the volume's root, "" for the root itself
    readable: bool = True  # False: another version of fsrvpd took it
    handle: str = ""  # of the live directory, as in ShareLocation


class LeftOut(NamedTuple):
    """What is below a share and in no copy of it, and why no backup needs it."""

    path: str
    why: str


class Progress(NamedTuple):
    """The progress of a snapshot that takes time."""

    files: int
    seconds: float  # since it began
    limit: float  # s after which the provider gives up


class Provider(Protocol):
    """A way of taking snapshots. Every method may block; any may raise StorageError.

    A provider never changes anything that does not carry fsrvpd's marker (`NotOurs`).
    """

    name: str
    whole_volume: bool
    """A snapshot holds the whole volume, not only the share's directory: `share_path` is the
    snapshot's image of `volume_root`, followed by the rest of the share's path. Other shares of
    the volume can then be mapped to the same snapshot."""

    auto_recovery: bool
    """A snapshot can be writable first and sealed later. If not, `prepare` and `plan` refuse a
    writable one with an error that names an alternative."""

    records_itself: bool
    """A snapshot that `create` has returned survives a power cut with its marker, and one that is
    incomplete never `exists`. So the outcome of a commit need not be stored by anybody else."""

    def supports(self, path: str, ignored: Sequence[str] = ()) -> Optional[str]:
        """None if snapshots of the directory can be taken, else the reason why not. `ignored` is
        `ShareOptions.ignore_subvolumes`."""

    def recheck(self, path: str, ignored: Sequence[str] = ()) -> Optional[str]:
        """What has appeared below a directory that was supported before, so that it would be
        missing in a snapshot; None without anything. It is asked for every call that names the
        share, and before and after `create`, while applications wait."""

    def locate(self, path: str) -> tuple[str, str]:
        """(volume_name, volume_root) of a directory."""

    def plan(self, request: SnapshotRequest) -> Snapshot:
        """Where `create` will put the snapshot; after `prepare`, if that is called. Nothing is
        changed yet, so that the intent can be made durable first. The time in the snapshot's name
        may be some seconds later than `created`: no two snapshots of a volume have the same."""

    def prepare(self, request: SnapshotRequest) -> None:
        """Do what shortens `create`: make directories, flush dirty pages, clone what may not change
        any more. After a failure nothing is left of it; what a success leaves is found by `find`,
        and removed by `delete`, without `create`, too."""

    def create(self, request: SnapshotRequest, planned: Snapshot) -> None:
        """Take the snapshot. After a failure nothing is left of it."""

    def seal(self, snapshot: Snapshot) -> None:
        """Make the snapshot read-only on disk. Idempotent."""

    def delete(self, snapshot: Snapshot) -> None:
        """Remove the snapshot. It is no error if it does not exist any more."""

    def exists(self, snapshot: Snapshot) -> bool:
        """Whether the snapshot is there. Raises: NotOurs, StorageError when that is not known."""

    def find(self, volume_roots: Iterable[str]) -> Iterable[FoundSnapshot]:
        """All snapshots on these volumes that carry fsrvpd's marker."""

    def open_share(self, snapshot: Snapshot, path: str) -> int:
        """A descriptor of a share's directory in a snapshot: at `path` below the volume's root,
        through no symbolic link. Raises: NotOurs, StorageError, also when it is not there."""


@runtime_checkable
class GroupSnapshots(Protocol):
    """Optional ability of a provider: snapshots of several volumes at one moment."""

    def create_together(self, requests: Sequence[tuple[SnapshotRequest, Snapshot]]) -> None:
        """`create` for all of them. After a failure nothing is left of any."""


@runtime_checkable
class PerShareSupport(Protocol):
    """Optional ability of a provider: support depends on the options of a share."""

    def supports_share(self, share: Share, path: str) -> Optional[str]:
        """`supports`, for this share."""


@runtime_checkable
class WarnsOfVolumes(Protocol):
    """Optional ability of a provider that keeps something on the volume itself."""

    def warnings(self, volume_root: str) -> Sequence[str]:
        """What an admin should change about a volume that is supported."""


@runtime_checkable
class LooksForMany(Protocol):
    """Optional ability of a provider whose storage lists snapshots at once, and slowly."""

    def missing(self, snapshots: Sequence[Snapshot]) -> Sequence[Snapshot]:
        """Those that `exists` would say are not there. One that it could say nothing of is
        logged."""


@runtime_checkable
class LeavesOut(Protocol):
    """Optional ability of a provider: what lacks in a snapshot and is no data is passed over."""

    def left_out(self, path: str, ignored: Sequence[str] = ()) -> Sequence[LeftOut]:
        """What a snapshot of a directory that is supported would lack."""


@runtime_checkable
class ReportsProgress(Protocol):
    """Optional ability of a provider whose snapshots take time."""

    def progress(self, shadow_copy_id: str) -> Optional[Progress]:
        """The progress of a snapshot that is being taken, or None."""


@runtime_checkable
class KnowsSizes(Protocol):
    """Optional ability of a provider whose storage counts what a snapshot alone holds."""

    def sizes(self, snapshots: Sequence[Snapshot]) -> Mapping[Snapshot, int]:
        """The bytes that the deletion of each of these snapshots of one volume would free; of
        those alone for which they are counted."""


@runtime_checkable
class FreesVolume(Protocol):
    """Optional ability of a provider whose storage gives a deleted snapshot's space back to the
    volume of its share, be it after a while: `statvfs` of the share shows it."""

    frees_volume: bool  # True


@runtime_checkable
class RemountsSnapshots(Protocol):
    """Optional ability of a provider whose snapshots have to be mounted again after a reboot."""

    def bring_up(self, snapshot: Snapshot) -> None:
        """Mount the snapshot at its place; do nothing if it is mounted."""


@runtime_checkable
class ReplacesWhenSealed(Protocol):
    """Optional ability of a provider whose `seal` puts a read-only snapshot in place of the
    writable one, which is kept while users have it mounted."""

    def discard_unsealed(self, snapshot: Snapshot) -> None:
        """Delete what the snapshot was. It is no error if that is gone."""


class ShadowShare(NamedTuple):
    """A shadow copy share to be created: a clone of `base` that exports `path`. `directory` is
    where `base` led, links resolved, when the snapshot was taken."""

    name: str
    base: str
    directory: str
    path: str
    comment: str
    read_only: bool
    shadow_copy_set_id: str
    shadow_copy_id: str
    hidden: str = ""  # a name that the copy does not show


class ShareRegistry(Protocol):
    """Samba's shares. Every method but `known` may block; any may raise RegistryError."""

    def known(self, name: str) -> Optional[Share]:
        """What `share` would return, from memory; None if it would have to ask Samba."""

    def share(self, name: str) -> Optional[Share]:
        """The definition of a share by name, ignoring case, or None."""

    def expose(self, shares: Sequence[ShadowShare]) -> None:
        """Create the shares in one transaction, all or none, with cloned security descriptors."""

    def seal(self, names: Sequence[str]) -> None:
        """Make the shares read-only and disconnect clients that could still write."""

    def disconnect(self, names: Sequence[str]) -> None:
        """Disconnect the clients of shares, who may connect again."""

    def unexpose(self, names: Sequence[str]) -> None:
        """Remove the shares with their security descriptors, and close open connections. It is
        no error if a share does not exist any more."""

    def shadow_shares(self) -> Mapping[str, str]:
        """All shadow copy shares: name -> shadow copy id in registry form."""


class StateStore(Protocol):
    """The implementation-specific configuration store of 3.1.4: one document a set."""

    confirms_answers: bool
    """Every answer needs a transaction before it, also where a restart would find the outcome on
    the disks: on a cluster it is what keeps an agent that others have replaced from answering."""

    def submit(
        self,
        changes: Sequence[tuple[Guid, Optional[str]]],
        *,
        durable: bool,
        done: Callable[[Optional[StoreError]], None],
    ) -> None:
        """Write documents, or delete them (None), all or none. Afterwards they survive a power
        cut if `durable`, else the end of this process. `done` is called once, in the thread that
        submits: before `submit` returns, or later. None is submitted before it was called."""

    def load(self) -> Mapping[Guid, str]:
        """All documents. Raises: StoreError."""

    def close(self) -> None:
        """Close the file. Nothing is lost if a process ends without doing so."""


class NtlmResponse(NamedTuple):
    """A client's answer to an NTLM challenge of this server: enough to verify it where the
    account's key is known. The client's strings are checked for NULs, and for nothing else."""

    challenge: bytes  # 8 bytes
    account: str
    domain: str
    workstation: str
    nt_response: bytes  # NTLMv2_RESPONSE, never NTLMv1's
    lm_response: bytes

    def __repr__(self) -> str:  # nothing that could be cracked belongs in a log
        return f"NtlmResponse({self.domain}\\{self.account} at {self.workstation})"


class VerifiedAccount(NamedTuple):
    """The account that a response proved. `session_base_key`: 16 bytes, MS-NLMP 3.3.2."""

    account: str  # DOMAIN\\name, for logs
    user_sid: str
    session_base_key: bytes

    def __repr__(self) -> str:
        return f"VerifiedAccount({self.account}, {self.user_sid})"


class AccountVerifier(Protocol):
    """Verifies responses by the keys of this server's accounts, or asks somebody who has them.
    `verify` may block for as long as a domain controller takes, so it runs in a thread."""

    likely_cause: str  # of a look-up that takes too long, for the log

    def open(self) -> None:
        """Prepare for the first look-up, and log what is missing. May block."""

    def close(self) -> None:
        """End without waiting for look-ups."""

    def verify(self, response: NtlmResponse, caller: Caller) -> VerifiedAccount:
        """`caller` is the user of the SMB session, and no other account is even tried: passwords
        could be guessed there, or an account be locked out. Raises: AuthenticationError, whose
        text is not sent to the client."""
