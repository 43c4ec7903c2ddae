"""Which provider serves a share: the first in order that can, unless the share names one."""

from __future__ import annotations

from typing import Dict, Mapping, NamedTuple, Optional, Sequence

from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import StorageError
from fsrvpd.protocol.ports import AsksTheShare, Provider, Share
from fsrvpd.providers.btrfs import Btrfs
from fsrvpd.providers.cephfs import CephFs
from fsrvpd.providers.command import Command
from fsrvpd.providers.lvm import Lvm
from fsrvpd.providers.options import ANY, forced_provider
from fsrvpd.providers.reflink import Reflink
from fsrvpd.providers.scripts import OptionsOf
from fsrvpd.providers.zfs import Zfs


class Choice(NamedTuple):
    """`refusals` says of every provider that was asked and cannot why not."""

    provider: Optional[Provider]
    refusals: Mapping[str, str]


class Selection:
    def __init__(self, providers: Sequence[Provider]) -> None:
        self._providers = {provider.name: provider for provider in providers}

    def choose(self, share: Share, directory: str) -> Choice:
        """Who serves a share whose path resolves to `directory`. Raises: StorageError."""
        refusals: Dict[str, str] = {}
        for name in self._order(share):
            reason = self._why_not(name, share, directory)
            if reason is None:
                return Choice(self._providers[name], refusals)
            refusals[name] = reason
        return Choice(None, refusals)

    def provider(self, name: str) -> Provider:
        """The one that made a snapshot. Raises: StorageError when there is none such now."""
        if name not in self._providers:
            raise StorageError(name, self._unknown(name))
        return self._providers[name]

    def all(self) -> Sequence[Provider]:
        return list(self._providers.values())

    def _why_not(self, name: str, share: Share, directory: str) -> Optional[str]:
        provider = self._providers.get(name)
        if provider is None:
            return self._unknown(name)
        if isinstance(provider, AsksTheShare):
            return provider.supports_share(share, directory)
        return provider.supports(directory)

    def _order(self, share: Share) -> Sequence[str]:
        """Where any will do, only those that need nothing from the share."""
        forced = forced_provider(share)
        if forced != ANY:
            return [forced]
        every = self._providers.items()
        return [name for name, each in every if not isinstance(each, AsksTheShare)]

    def _unknown(self, name: str) -> str:
        known = ", ".join([ANY, *self._providers])
        return f"there is no provider {name}; fsrvp:provider can be {known}"


def standard(mounts: LiveMounts, options_of: OptionsOf, folder: str) -> Selection:
    """reflink last: where another could serve too, a snapshot is better than a clone. For
    `options_of` and `folder` see `Command`."""
    command = Command(mounts, options_of, folder)
    return Selection(
        [Btrfs(mounts), Zfs(mounts), Lvm(mounts), CephFs(mounts), Reflink(mounts), command]
    )
