"""Creates, seals, removes and lists the shadow copy shares in Samba's registry.

Security descriptors are in a database of their own, outside the registry's transaction. So a
descriptor is set before its share becomes visible and deleted after the share is removed: nobody
can ever use a share without its descriptor.
"""

from __future__ import annotations

import contextlib
from types import MappingProxyType
from typing import Callable, Iterable, Iterator, Mapping, Optional, Sequence

from fsrvpd.errors import RegistryError
from fsrvpd.options.option import is_yes
from fsrvpd.protocol.cluster import Warrant
from fsrvpd.protocol.ports import ShadowShare
from samba_hooks.registry.config_version import NOWHERE, ConfigVersion
from samba_hooks.registry.inheritance import parameters_of
from samba_hooks.registry.share_definition import COPY_MARKER, IN_NAMES_OF_COPIES, SEALED_ADMINS
from samba_hooks.registry.worker import warrant
from samba_hooks.registry.worker.events import Events
from samba_hooks.registry.worker.libsmbconf import Library
from samba_hooks.registry.worker.loaded_shares import LoadedShares
from samba_hooks.registry.worker.smbd import Smbd


class ShadowShares:
    """One connection to the registry. Every method may raise RegistryError."""

    def __init__(
        self,
        library: Library,
        shares: LoadedShares,
        events: Events,
        daemon_is_connected: Callable[[], bool],
    ) -> None:
        """`daemon_is_connected` returns whether the daemon that sent the request still runs."""
        self.warrant: Optional[Warrant] = None  # of the daemon, if it is one of a cluster
        self._daemon_is_connected = daemon_is_connected
        self._library = library
        self._shares = shares
        self._smbd = Smbd(library, shares, events)
        self._with_marker: tuple[ConfigVersion, dict[str, str]] = NOWHERE, {}
        shares.refresh()
        self._registry = shares.registry()

    def barrier(self) -> None:
        """Wait for whatever has the registry. Whoever comes later sees who leads the cluster."""
        with self._transaction():
            pass

    def expose(self, shares: Sequence[ShadowShare]) -> None:
        """Create all of them or none. A share of the same name and copy, left by an earlier
        attempt, is replaced; any other share of that name is an error.

        smbd is not notified: it looks up unknown shares in the registry.
        """
        planned = [(share, self._parameters(share)) for share in shares]
        if not self._library.registry_shares_enabled():
            raise RegistryError(
                "no share can be added, because smb.conf has `registry shares = no`; type"
                " `fsrvpctl setup`"
            )
        try:
            with self._transaction(created={each.name: each.shadow_copy_id for each in shares}):
                for share, parameters in planned:
                    self._create(share, parameters)
                    self._library.copy_descriptor(share.base, share.name)
        except RegistryError:
            # Shares that existed before keep their descriptors.
            names = [share.name for share in shares]
            self._delete_descriptors(name for name in names if not self._registry.exists(name))
            raise

    def seal(self, names: Sequence[str]) -> None:
        """Make them read-only, unless they are. A missing share is an error."""
        unsealed = [name for name in names if self._is_unsealed(name)]
        if not unsealed:
            return
        with self._transaction():
            for name in unsealed:
                self._registry.set(name, "read only", "Yes")
                if self._registry.get(name, "write list"):
                    self._registry.set(name, "write list", "")
                admins = self._registry.get(name, SEALED_ADMINS)
                if admins:
                    self._registry.set(name, "admin users", admins)
                    self._registry.set(name, SEALED_ADMINS, "")
        # In this order: a client that reconnects at once must find the share read-only.
        self._smbd.configuration_changed()
        self.disconnect(unsealed)

    def disconnect(self, names: Sequence[str]) -> None:
        for name in names:
            self._smbd.disconnect(name)

    def unexpose(self, names: Sequence[str]) -> None:
        """Remove shares, descriptors and open connections, if they exist."""
        with self._transaction(removed=names):
            # Inside the transaction: a worker of an earlier daemon has either committed, or
            # will notice that its daemon has ended.
            for name in [name for name in names if self._is_ours(name)]:
                self._registry.delete(name)
                self._shares.forget(name)
        self._delete_descriptors(names)
        # smbd forgets only shares that are not in use; the second time is for clients that
        # reconnected before it did.
        self.disconnect(names)
        self._smbd.configuration_changed()
        self.disconnect(names)

    def with_marker(self) -> dict[str, str]:
        """Name -> id of the shadow copy, for every share with our marker. This reads every share
        of the registry that is named like a copy, so the result is kept until somebody else
        changes the configuration."""
        self._shares.refresh()
        if not self._knows_markers():
            named = [name for name in self.names() if IN_NAMES_OF_COPIES in name]
            markers = {name: self._registry.get(name, COPY_MARKER) for name in named}
            with_marker = {name: marker for name, marker in markers.items() if marker}
            self._with_marker = self._shares.version, with_marker
        return dict(self._with_marker[1])

    def names(self) -> list[str]:
        """All shares of the registry."""
        return [name for name in self._registry.names() if name and name != "global"]

    @contextlib.contextmanager
    def _transaction(
        self, created: Mapping[str, str] = MappingProxyType({}), removed: Sequence[str] = ()
    ) -> Iterator[None]:
        """The start may have to wait for other transactions. If the daemon has died meanwhile,
        another one may be undoing its work: then this process ends.

        Nobody else can change the registry between `before` and the commit. So it is only our
        change that takes its counter from `before` to `after`: with `before`, what is known stays
        true; with any other number somebody has changed something, and all is read anew.
        """
        self._registry.begin()
        if not self._daemon_is_connected():
            self._registry.cancel()
            raise SystemExit("the daemon that sent the request has ended")
        before = self._registry.sequence()
        try:
            if self.warrant is not None:
                warrant.require(self.warrant)
            yield
            after = self._registry.sequence()
        except BaseException:
            self._registry.cancel()
            raise
        self._registry.commit()
        knows_markers = self._knows_markers()
        if self._shares.registry_changed_by_us(before, after) and knows_markers:
            known = {
                name: copy for name, copy in self._with_marker[1].items() if name not in removed
            }
            self._with_marker = self._shares.version, {**known, **created}

    def _knows_markers(self) -> bool:
        version = self._shares.version
        return self._with_marker[0] == version and bool(version.registry)

    def _parameters(self, share: ShadowShare) -> list[tuple[str, str]]:
        base = self._shares.find(share.base)
        if base is None:
            raise RegistryError(f"share {share.base} no longer exists in Samba's configuration")
        chosen = parameters_of(base, share)
        refused = [name for name, _ in chosen if not self._library.registry_takes(name)]
        if refused:
            raise RegistryError(
                f"share {share.base}: Samba's registry does not take {', '.join(refused)}"
            )
        return chosen

    def _create(self, share: ShadowShare, parameters: Sequence[tuple[str, str]]) -> None:
        if self._registry.exists(share.name):
            if self._registry.get(share.name, COPY_MARKER) != share.shadow_copy_id:
                raise RegistryError(f"share {share.name} exists, but is not this shadow copy")
            self._registry.delete(share.name)
        self._registry.create(share.name, parameters)
        self._shares.forget(share.name)

    def _delete_descriptors(self, names: Iterable[str]) -> None:
        for name in names:
            self._library.delete_descriptor(name)

    def _is_unsealed(self, name: str) -> bool:
        if not self._is_ours(name):
            raise RegistryError(f"share {name} no longer exists in Samba's registry")
        read_only = self._registry.get(name, "read only")
        if read_only is None:
            self._shares.refresh()
            read_only = self._shares.defaults["read only"]
        changing = ("write list", SEALED_ADMINS)
        return not is_yes(read_only) or any(self._registry.get(name, each) for each in changing)

    def _is_ours(self, name: str) -> bool:
        """Raises: RegistryError if the share exists without our marker."""
        if not self._registry.exists(name):
            return False
        if not self._registry.get(name, COPY_MARKER):
            raise RegistryError(f"share {name} was not created by fsrvpd; it is left alone")
        return True
