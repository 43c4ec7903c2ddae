"""From a share to the volume whose snapshots it can have, or to the reason why it has none.

A share's path may contain symbolic links. They are resolved once, here; from then on the
directory that they led to is what is snapshotted, whatever the links become.

A place that was found is remembered. It is believed again while the mount table is the
same, while the path still leads to the same directory, and while the provider, asked what
else could have changed, agrees: on btrfs that is the subvolumes inside, one system call.
A refusal is never remembered: what an admin has mended works at once.
"""

from __future__ import annotations

import os
import stat
from typing import (
    Callable,
    Container,
    Dict,
    Mapping,
    NamedTuple,
    Optional,
    Protocol,
    Sequence,
    Tuple,
)

from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import PeerError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.ports import Provider, Share, SharePlace

_NAME_MAX = 80  # of a share's name, in characters
_WITHOUT_A_DIRECTORY = ("ipc$", "homes", "global", "printers")
# Modules of Samba whose share's path is not looked for on this machine.
_ELSEWHERE = frozenset({"ceph", "ceph_new", "glusterfs"})
# Those that keep permissions in databases by device and inode, which a copy has others of.
_PERMISSIONS_ELSEWHERE = frozenset({"acl_tdb", "xattr_tdb", "posix_eadb"})
_FALSE = ("no", "false", "off", "0")  # what Samba's parser takes for a false boolean


class Choice(Protocol):
    @property
    def provider(self) -> Optional[Provider]: ...

    @property
    def refusals(self) -> Mapping[str, str]: ...


class Selection(Protocol):
    def choose(self, share: Share, directory: str) -> Choice: ...


class Verdict(NamedTuple):
    """All that is known of a share. `reason` is empty exactly when `place` is set."""

    share: Share
    directory: str  # the path with links resolved, "" when it leads nowhere
    place: Optional[SharePlace]
    result: HResult
    reason: str
    refusals: Mapping[str, str]  # provider -> why it cannot serve the share


class _Refusal(NamedTuple):
    result: HResult
    reason: str


class _Known(NamedTuple):
    place: SharePlace
    provider: Provider
    generation: int
    identity: Tuple[int, int]  # of the directory: st_dev, st_ino


class Volumes:
    """Its methods may be called from several threads; all block on the disk."""

    def __init__(self, selection: Selection, mounts: LiveMounts) -> None:
        self._selection = selection
        self._mounts = mounts
        self._known: Dict[Tuple[str, str], _Known] = {}

    def place(self, share: Share) -> SharePlace:
        """Where the share lies.

        Raises: PeerError FSRVP_E_NOT_SUPPORTED or FSRVP_E_OBJECT_NOT_FOUND with the reason
        for the log; StorageError when the disk does not answer.
        """
        place = self.known(share)
        if place is not None:
            return place
        verdict = self.explain(share)
        if verdict.place is None:
            raise PeerError(verdict.result, f"share {share.name}: {verdict.reason}")
        return verdict.place

    def known(self, share: Share) -> Optional[SharePlace]:
        """The place, if it is remembered and still true; nothing is written to find out.

        Raises: StorageError.
        """
        known = self._known.get(_key(share))
        if known is None or not self._holds(known, share):
            return None
        if known.place.share is share:
            return known.place  # whoever knows the shares hands one out until it changes
        return None if _definition(share) else known.place._replace(share=share)

    def explain(self, share: Share) -> Verdict:
        """What `place` says and why, all of it asked anew. Raises: StorageError."""
        self._known.pop(_key(share), None)
        refusal = _definition(share)
        if refusal is not None:
            return Verdict(share, "", None, *refusal, {})
        directory = os.path.realpath(share.path)
        refusal = _on_disk(share, directory)
        if refusal is not None:
            return Verdict(share, directory, None, *refusal, {})
        return self._choose(share, directory)

    def _choose(self, share: Share, directory: str) -> Verdict:
        generation, identity = self._mounts.generation(), _identity(directory)
        choice = self._selection.choose(share, directory)
        refusals, provider = choice.refusals, choice.provider
        if provider is None or identity is None:
            reason = "; ".join(f"{name}: {why}" for name, why in refusals.items())
            result = HResult.FSRVP_E_NOT_SUPPORTED
            return Verdict(share, directory, None, result, reason, refusals)
        located = provider.locate(directory)
        place = SharePlace(share, *located, provider.name, directory, provider.whole_volume)
        self._known[_key(share)] = _Known(place, provider, generation, identity)
        return Verdict(share, directory, place, HResult.ZERO, "", refusals)

    def _holds(self, known: _Known, share: Share) -> bool:
        directory = known.place.directory
        return (
            known.generation == self._mounts.generation()
            and known.identity == _identity(directory)
            and (share.path == directory or known.identity == _identity(share.path))
            and known.provider.recheck(directory) is None
        )


def _key(share: Share) -> Tuple[str, str]:
    return share.path, share.options.get("provider", "")


def _identity(path: str) -> Optional[Tuple[int, int]]:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _definition(share: Share) -> Optional[_Refusal]:
    """Why the definition of a share rules it out, whatever its path."""
    if not share.available:
        return _Refusal(HResult.FSRVP_E_OBJECT_NOT_FOUND, "it is not available (available = no)")
    for ruled_out, reason in _RULES:
        if ruled_out(share):
            return _Refusal(HResult.FSRVP_E_NOT_SUPPORTED, reason)
    return None


def _on_disk(share: Share, directory: str) -> Optional[_Refusal]:
    if "%" in directory:
        return _Refusal(
            HResult.FSRVP_E_NOT_SUPPORTED,
            f"its path leads to {directory}, in which smbd would replace what follows the %",
        )
    try:
        if stat.S_ISDIR(os.stat(directory).st_mode):
            return None
        reason = f"its path {share.path} is not a directory"
    except OSError as error:
        reason = f"its path {share.path} cannot be reached: {os.strerror(error.errno or 0)}"
    return _Refusal(HResult.FSRVP_E_OBJECT_NOT_FOUND, reason)


def _suffix(share: Share) -> int:
    """Length of what a copy's name ends with; that of a hidden share is hidden too."""
    return len("@{00000000-0000-0000-0000-000000000000}") + share.name.endswith("$")


def _switched_off(share: Share) -> bool:
    return share.options.get("enabled", "yes").strip().lower() in _FALSE


def _has_one_of(modules: Container[str], share: Share) -> bool:
    """Samba allows `name:instance` and a path to a module."""
    names = (module.partition(":")[0].rpartition("/")[2] for module in share.vfs_objects)
    return any(name.lower().partition(".so")[0] in modules for name in names)


_RULES: Sequence[Tuple[Callable[[Share], bool], str]] = (
    (lambda share: share.name.lower() in _WITHOUT_A_DIRECTORY, "it has no directory of its own"),
    (lambda share: share.printable, "it is a printer"),
    (lambda share: share.msdfs_root, "it is a DFS root, whose folders lie on other servers"),
    (lambda share: share.shadow_copy_id is not None, "it is a shadow copy itself"),
    (
        lambda share: _has_one_of(_ELSEWHERE, share),
        "one of its vfs objects finds its files elsewhere than in this machine's file systems;"
        " share a mounted directory instead",
    ),
    (
        lambda share: _has_one_of(_PERMISSIONS_ELSEWHERE, share),
        "one of its vfs objects keeps permissions in a database beside its files, so that a copy"
        " would be without them; use acl_xattr",
    ),
    (_switched_off, "shadow copies of it are switched off (fsrvp:enabled = no)"),
    (
        lambda share: len(share.name) + _suffix(share) > _NAME_MAX,
        f"its name is too long: with @{{GUID}} its copy's would pass {_NAME_MAX} characters",
    ),
    (lambda share: "%" in share.path, "its path has a macro (%), so it differs by user"),
    (lambda share: not share.path.startswith("/"), "it has no absolute path"),
)
