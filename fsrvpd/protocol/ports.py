"""What the agent needs from the world, as Protocols that the layers beside it fulfil.

Only plain values cross these seams, so that the side that reads the network and the
side that touches disks and Samba's registry can become two processes.
"""

from __future__ import annotations

from typing import Iterable, Mapping, NamedTuple, Optional, Protocol, Sequence, runtime_checkable

from fsrvpd.core.messages import Guid


class Caller(NamedTuple):
    """Who is at the other end of the pipe, as smbd says (named_pipe_auth, not the client)."""

    address: str  # the client's IP address: ShadowCopyClientAddress
    account: str  # DOMAIN\\name, for logs
    user_sid: str
    sids: frozenset[str]  # every SID of the token, S-1-… form
    privileges: int  # SE_PRIV mask as Samba keeps it
    uid: int  # unix uid of the token, -1 when smbd sent none
    anonymous: bool  # anonymous or guest session
    encrypted: bool = False  # the SMB session is encrypted


class Share(NamedTuple):
    """A share as Samba's own parser reads it. Parameters of `fsrvp:` come without prefix."""

    name: str
    path: str
    from_registry: bool
    available: bool = True
    printable: bool = False
    read_only: bool = True
    msdfs_root: bool = False
    vfs_objects: Sequence[str] = ()
    options: Mapping[str, str] = {}
    shadow_copy_id: Optional[str] = None  # set on shares that we made: no copy of a copy
    veto_files: str = ""  # as Samba spells it: /one/other/


class SharePlace(NamedTuple):
    """Where a share lies: the facts that opnums 3, 8 and 9 need."""

    share: Share
    volume_name: str  # VolumeName: equal for two shares exactly when they share a file store
    volume_root: str  # directory at which the volume (subvolume, file system) begins
    provider: str
    directory: str  # the share's path with symbolic links resolved: what is snapshotted
    whole_volume: bool = False  # as the provider says: its snapshots hold all below volume_root


class Snapshot(NamedTuple):
    """One snapshot on disk, enough to find, seal and delete it after a restart.

    `root` is the snapshot's own directory, `share_path` the base share's directory as it
    stands inside the snapshot: what the shadow copy share exports.
    """

    provider: str
    volume_name: str
    root: str
    share_path: str
    created: float  # Unix time of the snapshot itself


class SnapshotRequest(NamedTuple):
    """What a provider is to create. Ids are in registry form, upper case."""

    shadow_copy_set_id: str
    shadow_copy_id: str
    place: SharePlace
    writable: bool
    created: float  # Unix time, s: when the client asked for it
    server: str = ""  # netbios name of this server, for the mark on disk
    keep: bool = False  # `fsrvp:keep`: it outlives its share and its set
    state: str = ""  # id of the store that knows the set, for the mark on disk


class Found(NamedTuple):
    """A snapshot that a provider finds on disk by our mark."""

    snapshot: Snapshot
    shadow_copy_set_id: str
    shadow_copy_id: str
    share: str
    server: str
    keep: bool = False  # as the request said
    state: str = ""  # as the request said


class PreviousVersions(NamedTuple):
    """What Samba's shadow_copy2 must be told of a share: absolute paths."""

    snapdir: str  # holds the snapshots, one directory each
    basedir: str  # the directory of which they are snapshots


class Progress(NamedTuple):
    """How far a snapshot is that does not come at once."""

    files: int
    seconds: float  # since it began
    limit: float  # s after which it is given up


class Provider(Protocol):
    """A way of taking snapshots. Every method may block; any may raise StorageError.

    A provider never touches what does not carry fsrvpd's mark (`NotOurs`).
    """

    name: str
    whole_volume: bool
    """A snapshot holds the whole volume, not only the share's directory: `share_path` is
    the snapshot's image of `volume_root` and what follows it in the share's directory. Then
    other shares of the volume can be mapped to it."""

    auto_recovery: bool
    """A snapshot can be made writable, and sealed later. Without that, `prepare` and
    `plan` refuse a writable one, and say what else could be done."""

    def supports(self, path: str) -> Optional[str]:
        """None when snapshots of the directory can be taken, else the reason why not."""

    def recheck(self, path: str) -> Optional[str]:
        """`supports` again, for a directory that was supported and with the mount table
        unchanged since: only what else may have changed is looked at."""

    def locate(self, path: str) -> tuple[str, str]:
        """(volume_name, volume_root) of a directory."""

    def plan(self, request: SnapshotRequest) -> Snapshot:
        """Where `create` will put it, decided before anything is touched, so that the
        intent can be made durable. The time label in its name may be seconds later than
        `created`, so that no two snapshots of a volume share one."""

    def prepare(self, request: SnapshotRequest) -> None:
        """Whatever shortens `create`: directories made, dirty pages flushed."""

    def create(self, request: SnapshotRequest, planned: Snapshot) -> None:
        """Take the snapshot; on failure nothing is left of it."""

    def seal(self, snapshot: Snapshot) -> None:
        """Make it read-only on disk. Idempotent."""

    def delete(self, snapshot: Snapshot) -> None:
        """Remove it. A snapshot that is not there any more is no error."""

    def find(self, volume_roots: Iterable[str]) -> Iterable[Found]:
        """All snapshots of ours on these volumes."""

    def previous_versions(self, place: SharePlace) -> PreviousVersions:
        """Where the snapshots of a share stand for shadow_copy2."""


@runtime_checkable
class TakesTogether(Protocol):
    """What a provider can besides whose snapshots of several volumes share one moment."""

    def create_together(self, wanted: Sequence[tuple[SnapshotRequest, Snapshot]]) -> None:
        """`create` for all of them; on failure nothing is left of any."""


@runtime_checkable
class AsksTheShare(Protocol):
    """What a provider can besides that serves by what the section of a share says."""

    def supports_share(self, share: Share, path: str) -> Optional[str]:
        """`supports`, for this share."""


@runtime_checkable
class TakesTime(Protocol):
    """What a provider can besides whose snapshots do not come at once."""

    def progress(self, shadow_copy_id: str) -> Optional[Progress]:
        """Of a snapshot that is being taken, None when that is not so."""


@runtime_checkable
class BringsUp(Protocol):
    """What a provider can besides whose snapshots are mounted: after a reboot they are not."""

    def bring_up(self, snapshot: Snapshot) -> None:
        """Make the snapshot readable at its place; nothing happens when it is."""


class ShadowShare(NamedTuple):
    """A shadow copy share to be made: a clone of `base` that exports `path`."""

    name: str
    base: str
    path: str
    comment: str
    read_only: bool
    shadow_copy_set_id: str
    shadow_copy_id: str


class ShareRegistry(Protocol):
    """Samba's shares. Every method but `known` may block; any may raise RegistryError."""

    def known(self, name: str) -> Optional[Share]:
        """What `share` would say, from memory; None when it would have to ask."""

    def share(self, name: str) -> Optional[Share]:
        """The definition of a share by name, whatever its case, or None."""

    def expose(self, shares: Sequence[ShadowShare]) -> None:
        """Make them in one transaction, security descriptors cloned; all or none."""

    def seal(self, names: Sequence[str]) -> None:
        """Set them read-only; writers that are still connected are disconnected."""

    def unexpose(self, names: Sequence[str]) -> None:
        """Remove them with their security descriptors and close open connections.
        A share that is not there any more is no error."""

    def shadow_shares(self) -> Mapping[str, str]:
        """All shares that we made: name -> shadow copy id in registry form."""


class StateStore(Protocol):
    """The implementation-specific configuration store of 3.1.4: one document a set."""

    def apply(self, changes: Sequence[tuple[Guid, Optional[str]]], *, durable: bool = True) -> None:
        """Write documents, or forget them (None), all or none of them. When it returns they
        survive a power cut if `durable`, else the end of this process. Raises: StoreError."""

    def load(self) -> Mapping[Guid, str]:
        """All documents. Raises: StoreError."""

    def close(self) -> None:
        """Let the file go; nothing is lost by dying without it."""


class NtlmResponse(NamedTuple):
    """What a client answered to an NTLM challenge of ours: enough to judge it where the
    account's key is known. The strings are the client's own, unchecked but for NULs."""

    challenge: bytes  # 8 bytes
    account: str
    domain: str
    workstation: str
    nt_response: bytes  # NTLMv2_RESPONSE, never NTLMv1's
    lm_response: bytes

    def __repr__(self) -> str:  # what could be cracked stays out of logs
        return f"NtlmResponse({self.domain}\\{self.account} at {self.workstation})"


class VerifiedAccount(NamedTuple):
    """Whom a response proved. `session_base_key`: 16 bytes, MS-NLMP 3.3.2."""

    account: str  # DOMAIN\\name, for logs
    user_sid: str
    session_base_key: bytes

    def __repr__(self) -> str:
        return f"VerifiedAccount({self.account}, {self.user_sid})"


class AccountVerifier(Protocol):
    """Knows, or can ask, the keys of this server's accounts. Lives beside the event loop:
    `verify` may block for as long as a domain controller takes."""

    def verify(self, response: NtlmResponse, user_sid: str) -> VerifiedAccount:
        """`user_sid` is the SMB session's, and no other account will do: whoever keeps
        the keys here does not even try another's, lest passwords be guessed where no
        lockout counts. Raises: AuthenticationError, whose text never reaches the client."""
