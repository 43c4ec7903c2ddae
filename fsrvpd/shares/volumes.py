"""Finds the volume of a share, or the reason why the share cannot have shadow copies.

A share's path may contain symbolic links. They are resolved once, here; from then on the
directory that they led to is what is snapshotted, even if the links change.

A location that was found is remembered. It stays valid while the mount table and the directory
that the path leads to are the same and the provider agrees, which checks whatever else can
change: on btrfs the subvolumes inside, with one system call. A refusal is never remembered, so
that a repair takes effect at once.
"""

from __future__ import annotations

import logging
import os
import stat
from typing import (
    Callable,
    Dict,
    Mapping,
    NamedTuple,
    Optional,
    Protocol,
    Sequence,
    Set,
    Tuple,
)

from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import PeerError, StorageError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.ports import (
    LeavesOut,
    LeftOut,
    Provider,
    Share,
    ShareLocation,
    WarnsOfVolumes,
)
from fsrvpd.protocol.unc import normal_share
from fsrvpd.shares.changes import change_of, identity_and_handle_of

log = logging.getLogger(__name__)

_MAX_NAME = 80  # characters of a share's name
WITHOUT_A_DIRECTORY = ("ipc$", "homes", "global", "printers")


class ProviderChoice(Protocol):
    @property
    def provider(self) -> Optional[Provider]: ...

    @property
    def refusals(self) -> Mapping[str, str]: ...


class ProviderSelection(Protocol):
    def choose(self, share: Share, directory: str) -> ProviderChoice: ...


class ShareSupport(NamedTuple):
    """Whether a share can have shadow copies, and how. `reason` is empty exactly when
    `location` is set."""

    share: Share
    directory: str  # the path with links resolved, "" if it was not looked at
    location: Optional[ShareLocation]
    result: HResult
    reason: str
    refusals: Mapping[str, str]  # provider -> why it cannot serve the share
    warnings: Sequence[str] = ()  # what an admin should change all the same
    left_out: Sequence[LeftOut] = ()


class _Refusal(NamedTuple):
    result: HResult
    reason: str


class _Remembered(NamedTuple):
    location: ShareLocation
    provider: Provider
    generation: int


class Volumes:
    """Every method may be called from any thread and may block on the disk.

    One location is kept for each path ever found, without a limit: only an admin adds shares.
    """

    def __init__(self, selection: ProviderSelection, mounts: LiveMounts) -> None:
        self._selection = selection
        self._mounts = mounts
        self._remembered: Dict[Tuple[str, str], _Remembered] = {}
        self._leaving_out: Dict[str, Optional[LeavesOut]] = {}  # by the name of the provider
        self._said: Dict[Tuple[str, str], Set[str]] = {}  # why something is left out

    def locate(self, share: Share) -> ShareLocation:
        """The location of a share.

        Raises: PeerError FSRVP_E_NOT_SUPPORTED or FSRVP_E_OBJECT_NOT_FOUND, its text the
        reason for the log; StorageError if the disk does not answer.
        """
        location = self._known(share)
        if location is not None:
            return location
        support = self._look_up(share)
        if support.location is None:
            raise PeerError(support.result, f"share {share.name}: {support.reason}")
        return support.location

    def storage_of(self, share: Share) -> str:
        """A name of the file system on which a share lies, as the mount table shows it: what
        waits for one file system has the same name. Asks no storage.

        A path that was not looked at yet may lead elsewhere by a link: what waits for such paths
        has a name of its own, and holds up no share whose location is known."""
        known = self._remembered.get(_key(share))
        path = share.path if known is None else known.location.directory
        try:
            name = "device {}:{}".format(*self._mounts.lookup(path).device)
        except StorageError:
            return path
        return name if known is not None else f"links on {name}"

    def explain(self, share: Share) -> ShareSupport:
        """Look up the location, or why there is none, again, and what an admin should know of it.
        Raises: StorageError."""
        support = self._look_up(share)
        known = self._remembered.get(_key(share))
        if known is None or not isinstance(known.provider, WarnsOfVolumes):
            return support
        return support._replace(warnings=known.provider.warnings(known.location.volume_root))

    def _look_up(self, share: Share) -> ShareSupport:
        self._remembered.pop(_key(share), None)
        refusal = _refused_by_definition(share)
        if refusal is not None:
            return ShareSupport(share, "", None, *refusal, {})
        directory = os.path.realpath(share.path)
        refusal = _refused_by_disk(share, directory)
        if refusal is not None:
            return ShareSupport(share, directory, None, *refusal, {})
        return self._choose(share, directory)

    def _known(self, share: Share) -> Optional[ShareLocation]:
        """The location, if it is remembered and still valid. Raises: StorageError."""
        known = self._remembered.get(_key(share))
        if known is None:
            return None
        if known.location.share is not share:  # the same object until the share changes
            if _refused_by_definition(share):
                return None
            known = known._replace(location=known.location._replace(share=share))
        return known.location if self._is_valid(known, share) else None

    def _choose(self, share: Share, directory: str) -> ShareSupport:
        generation = self._mounts.generation()
        identity, handle = identity_and_handle_of(directory)
        choice = self._selection.choose(share, directory)
        refusals, provider = choice.refusals, choice.provider
        if provider is None or identity is None:
            reason = "; ".join(f"{name}: {why}" for name, why in refusals.items())
            result = HResult.FSRVP_E_NOT_SUPPORTED
            return ShareSupport(share, directory, None, result, reason, refusals)
        located = provider.locate(directory)
        if self._mounts.lookup(directory).fs_type.startswith("fuse"):
            # Some number their files anew whenever they are looked up.
            identity, handle = (identity[0], 0), ""
        location = ShareLocation(
            share, *located, provider.name, directory, provider.whole_volume, identity, handle
        )
        self._remembered[_key(share)] = _Remembered(location, provider, generation)
        left_out = self._left_out(location, provider)
        return ShareSupport(
            share, directory, location, HResult.ZERO, "", refusals, left_out=left_out
        )

    def _left_out(self, location: ShareLocation, provider: Provider) -> Sequence[LeftOut]:
        """What a copy of the share does not contain. The log has it once, whatever is added
        later for the same reason."""
        if provider.name not in self._leaving_out:  # to ask for each share would take as long again
            can = provider if isinstance(provider, LeavesOut) else None
            self._leaving_out[provider.name] = can
        leaving_out = self._leaving_out[provider.name]
        if leaving_out is None:
            return ()
        share = location.share
        found = leaving_out.left_out(location.directory, share.settings.ignore_subvolumes)
        said = self._said.setdefault(_key(share), set())
        for each in found:
            if each.why not in said:
                log.warning(
                    "copies of share %s do not contain %s: %s", share.name, each.path, each.why
                )
                said.add(each.why)
        return found

    def _is_valid(self, known: _Remembered, share: Share) -> bool:
        return (
            known.generation == self._mounts.generation()
            and change_of(known.location, share.path, known.provider) is None
        )


def _key(share: Share) -> Tuple[str, str]:
    return share.path, share.settings.provider


def _refused_by_definition(share: Share) -> Optional[_Refusal]:
    """Why the definition of a share rules it out, whatever is at its path."""
    if share.mistake:
        served = share.available
        result = HResult.FSRVP_E_NOT_SUPPORTED if served else HResult.FSRVP_E_OBJECT_NOT_FOUND
        return _Refusal(result, share.mistake)
    if not share.available:
        return _Refusal(HResult.FSRVP_E_OBJECT_NOT_FOUND, "it is not available (available = no)")
    reasons = [reason for ruled_out, reason in _RULES if ruled_out(share)]
    reasons += [share.refusal] if share.refusal else []
    reasons += [reason for ruled_out, reason in _OF_THE_PATH if ruled_out(share)]
    return _Refusal(HResult.FSRVP_E_NOT_SUPPORTED, reasons[0]) if reasons else None


def _refused_by_disk(share: Share, directory: str) -> Optional[_Refusal]:
    if "%" in directory:
        return _Refusal(
            HResult.FSRVP_E_NOT_SUPPORTED,
            f"its path leads to {directory}, in which smbd would expand the macro after the %",
        )
    try:
        if stat.S_ISDIR(os.stat(directory).st_mode):
            return None
        reason = f"its path {share.path} is not a directory"
    except OSError as error:
        reason = f"its path {share.path} cannot be reached: {os.strerror(error.errno or 0)}"
    return _Refusal(HResult.FSRVP_E_OBJECT_NOT_FOUND, reason)


def _suffix(share: Share) -> int:
    """Length of what is appended for a copy's name; the copy of a hidden share is hidden too."""
    return len("@{00000000-0000-0000-0000-000000000000}") + share.name.endswith("$")


def _is_disabled(share: Share) -> bool:
    return not share.settings.enabled


_RULES: Sequence[Tuple[Callable[[Share], bool], str]] = (
    (
        lambda share: normal_share(share.name) in WITHOUT_A_DIRECTORY,
        "it has no directory of its own",
    ),
    (lambda share: share.shadow_copy_id is not None, "it is a shadow copy itself"),
    (_is_disabled, "shadow copies of it are disabled (fsrvp:enabled = no)"),
    (
        lambda share: len(share.name) + _suffix(share) > _MAX_NAME,
        f"its name is too long: with @{{GUID}} the copy's name exceeds {_MAX_NAME} characters",
    ),
)
_OF_THE_PATH: Sequence[Tuple[Callable[[Share], bool], str]] = (
    (lambda share: "%" in share.path, "its path contains a macro (%), so it depends on the user"),
    (lambda share: not share.path.startswith("/"), "its path is not absolute"),
)
