"""Chooses the provider of a share: the first that can serve it, unless the share names one."""

from __future__ import annotations

from typing import Dict, Iterable, Mapping, NamedTuple, Optional, Sequence

from fsrvpd import capabilities
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import StorageError
from fsrvpd.options.share import ANY_PROVIDER
from fsrvpd.protocol.ports import PerShareSupport, Provider, Share
from fsrvpd.providers.btrfs.provider import Btrfs
from fsrvpd.providers.cephfs import CephFs
from fsrvpd.providers.command.hooks import OptionsOf
from fsrvpd.providers.command.provider import Command
from fsrvpd.providers.lvm.provider import Lvm
from fsrvpd.providers.reflink.provider import Reflink
from fsrvpd.providers.zfs.provider import Zfs


class Choice(NamedTuple):
    """`refusals`: the reason of every provider that was asked and cannot."""

    provider: Optional[Provider]
    refusals: Mapping[str, str]


class Selection:
    """The providers by name. Immutable, so that any thread may use it."""

    def __init__(self, providers: Sequence[Provider], why_none: str = "") -> None:
        """`why_none`: why this process can use none of them, if so."""
        self._providers = {provider.name: provider for provider in providers}
        # Asked here, because to ask of each of 10,000 shares takes two seconds.
        self._per_share = {
            each.name: each for each in providers if isinstance(each, PerShareSupport)
        }
        self.why_none = why_none

    def choose(self, share: Share, directory: str) -> Choice:
        """The provider of a share whose path resolves to `directory`. Raises: StorageError."""
        refusals: Dict[str, str] = {}
        if self.why_none:
            return Choice(None, {"any provider": self.why_none})
        for name in self._order(share):
            reason = self._why_not(name, share, directory)
            if reason is None:
                return Choice(self._providers[name], refusals)
            refusals[name] = reason
        return Choice(None, refusals)

    def provider(self, name: str) -> Provider:
        """The provider that made a snapshot, by name. Raises: StorageError when there is none."""
        if name not in self._providers:
            raise StorageError(name, self._unknown(name))
        return self._providers[name]

    def all(self) -> Sequence[Provider]:
        return list(self._providers.values())

    def _why_not(self, name: str, share: Share, directory: str) -> Optional[str]:
        provider = self._providers.get(name)
        if provider is None:
            return self._unknown(name)
        if name in self._per_share:
            return self._per_share[name].supports_share(share, directory)
        return provider.supports(directory, share.settings.ignore_subvolumes)

    def _order(self, share: Share) -> Sequence[str]:
        """The names of the providers to ask: those that need no options of the share, unless
        it names one."""
        forced = share.settings.provider
        if forced != ANY_PROVIDER:
            return [forced]
        return [name for name in self._providers if name not in self._per_share]

    def _unknown(self, name: str) -> str:
        return unknown(name, self._providers)


NAMES = tuple(each.name for each in (Btrfs, Zfs, Lvm, CephFs, Reflink, Command))


def unknown(name: str, providers: Iterable[str]) -> str:
    """What to say of a name that no provider has."""
    known = ", ".join([ANY_PROVIDER, *providers])
    return f"there is no provider {name}; fsrvp:provider can be {known}"


def standard(mounts: LiveMounts, options_of: OptionsOf, folder: str) -> Selection:
    """All providers. reflink comes last, because a snapshot is better than a clone where both
    are possible. For `options_of` and `folder` see `Command`."""
    command = Command(mounts, options_of, folder)
    return Selection(
        [Btrfs(mounts), Zfs(mounts), Lvm(mounts), CephFs(mounts), Reflink(mounts), command],
        capabilities.why_insufficient(),
    )
