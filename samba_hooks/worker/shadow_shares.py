"""The shadow copy shares in Samba's registry: made, sealed, removed, listed.

Security descriptors live in a database of their own, outside the registry's transaction.
So they are set before the share can be seen and removed after it is gone: a share without
its descriptor is never open to anybody.
"""

from __future__ import annotations

import contextlib
from typing import Callable, Iterable, Iterator, Sequence

from fsrvpd.errors import RegistryError
from fsrvpd.protocol.ports import ShadowShare
from samba_hooks import dump
from samba_hooks.freshness import NOWHERE, ConfigVersion
from samba_hooks.inheritance import parameters_of
from samba_hooks.share_definition import COPY_MARK
from samba_hooks.worker.definitions import Definitions
from samba_hooks.worker.libsmbconf import Events, Library
from samba_hooks.worker.messages import Smbd


class ShadowShares:
    """One connection to the registry. Every method may raise RegistryError."""

    def __init__(
        self,
        library: Library,
        definitions: Definitions,
        events: Events,
        is_wanted: Callable[[], bool],
    ) -> None:
        """`is_wanted` says whether the daemon that asks is still there."""
        self._is_wanted = is_wanted
        self._library = library
        self._definitions = definitions
        self._smbd = Smbd(library, definitions, events)
        self._marked: tuple[ConfigVersion, dict[str, str]] = NOWHERE, {}
        definitions.refresh()
        self._registry = library.open("registry:")

    def expose(self, shares: Sequence[ShadowShare]) -> None:
        """All of them or none. One of the same name and copy, left by an earlier try, is
        replaced; any other share of that name is an error.

        smbd is not told: it looks a share that it does not know up in the registry.
        """
        planned = [(share, self._parameters(share)) for share in shares]
        if not self._library.registry_shares_enabled():
            raise RegistryError(
                "smb.conf has `registry shares = no`, so that no share can be added: "
                "set `registry shares = yes` in [global]"
            )
        try:
            with self._transaction():
                for share, parameters in planned:
                    self._create(share, parameters)
                    self._library.copy_descriptor(share.base, share.name)
        except RegistryError:
            # Those of shares that were there before, ours or not, belong to them.
            names = [share.name for share in shares]
            self._delete_descriptors(name for name in names if not self._registry.exists(name))
            raise

    def seal(self, names: Sequence[str]) -> None:
        """Those that are closed to writers already are left alone. Missing ones are an error."""
        writable = [name for name in names if self._is_writable(name)]
        if not writable:
            return
        with self._transaction():
            for name in writable:
                self._registry.set(name, "read only", "Yes")
                if self._registry.get(name, "write list"):
                    self._registry.set(name, "write list", "")
        # In this order, for who comes back at once must find the share closed already.
        self._smbd.configuration_changed()
        self._disconnect(writable)

    def unexpose(self, names: Sequence[str]) -> None:
        """Shares, descriptors and open connections. What is gone already is no error."""
        with self._transaction():
            # Inside, so that a worker of an earlier daemon has either done its part or will
            # not do it any more.
            for name in [name for name in names if self._is_ours(name)]:
                self._registry.delete(name)
                self._definitions.forget(name)
        self._delete_descriptors(names)
        # smbd forgets only shares that are not in use; the second time is for who came
        # back before it did.
        self._disconnect(names)
        self._smbd.configuration_changed()
        self._disconnect(names)

    def marked(self) -> dict[str, str]:
        """Name -> id of its shadow copy, of every share that carries our mark. To find out
        costs a look at each share of the registry, so that is done once a change."""
        self._definitions.refresh()
        version, marked = self._marked
        if version != self._definitions.version or not version.registry:
            marks = {name: self._registry.get(name, COPY_MARK) for name in self.names()}
            marked = {name: mark for name, mark in marks.items() if mark}
            self._marked = self._definitions.version, marked
        return dict(marked)

    def names(self) -> list[str]:
        """All shares of the registry."""
        return [name for name in self._registry.names() if name and name != "global"]

    def close(self) -> None:
        self._registry.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """To begin may mean to wait for others; the daemon may have died meanwhile, and
        another one may be undoing what it had wanted: then this process ends."""
        self._registry.begin()
        if not self._is_wanted():
            self._registry.cancel()
            raise SystemExit("the daemon that asked for it has gone")
        before = self._registry.sequence()
        try:
            yield
            after = self._registry.sequence()
        except BaseException:
            self._registry.cancel()
            raise
        self._registry.commit()
        self._definitions.own_change(before, after)

    def _parameters(self, share: ShadowShare) -> list[tuple[str, str]]:
        base = self._definitions.find(share.base)
        if base is None:
            raise RegistryError(f"share {share.base}: gone from Samba's configuration")
        chosen = parameters_of(base, share)
        refused = [name for name, _ in chosen if not self._library.registry_takes(name)]
        if refused:
            raise RegistryError(
                f"share {share.base}: Samba's registry does not take {', '.join(refused)}"
            )
        return chosen

    def _create(self, share: ShadowShare, parameters: Sequence[tuple[str, str]]) -> None:
        if self._registry.exists(share.name):
            if self._registry.get(share.name, COPY_MARK) != share.shadow_copy_id:
                raise RegistryError(f"share {share.name}: exists and is not this shadow copy")
            self._registry.delete(share.name)
        self._registry.create(share.name, parameters)
        self._definitions.forget(share.name)

    def _delete_descriptors(self, names: Iterable[str]) -> None:
        for name in names:
            self._library.delete_descriptor(name)

    def _is_writable(self, name: str) -> bool:
        if not self._is_ours(name):
            raise RegistryError(f"share {name}: gone from Samba's registry")
        read_only = self._registry.get(name, "read only")
        if read_only is None:
            self._definitions.refresh()
            read_only = self._definitions.defaults["read only"]
        return not dump.is_yes(read_only) or bool(self._registry.get(name, "write list"))

    def _is_ours(self, name: str) -> bool:
        """Raises: RegistryError when a share of that name does not carry our mark."""
        if not self._registry.exists(name):
            return False
        if not self._registry.get(name, COPY_MARK):
            raise RegistryError(f"share {name}: no shadow copy of ours, left alone")
        return True

    def _disconnect(self, names: Sequence[str]) -> None:
        for name in names:
            self._smbd.disconnect(name)
