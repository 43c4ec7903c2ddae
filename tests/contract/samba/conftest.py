"""A lab with a real smbd, and a registry client that runs inside it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Optional

import pytest

from fsrvpd.protocol.ports import ShadowShare
from lab import Lab, LabProcess, Samba, Share, User
from lab.namespaces import wait_until

DRIVER = Path(__file__).with_name("driver.py")
SET_ID = "{11111111-2222-3333-4444-555555555555}"


class RemoteRegistry:
    """The methods of driver.Driver and RegistryClient, run in the lab. Errors are raised here."""

    def __init__(self, lab: Lab, name: str) -> None:
        address = lab.directory / name
        self.log = lab.directory / f"log.{name}"
        self.process: LabProcess = lab.popen([sys.executable, DRIVER, address], output=self.log)
        self._connection: Any = None
        wait_until("the driver listens", lambda: self._connects(str(address)))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self._connection.send((name, arguments, options))
            done, result = self._connection.recv()
            if not done:
                raise result
            return result

        return call

    def _connects(self, address: str) -> bool:
        try:
            self._connection = Client(address)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    def hang_up(self) -> None:
        self._connection.close()


class Nas:
    """One smbd and one registry client. `root` contains the shared directories."""

    def __init__(self, lab: Lab, kind: str) -> None:
        self.lab = lab
        self.root = lab.directory / "shares"
        self.root.mkdir()
        self.samba = Samba(lab, [self.share("data")])
        self.samba.start()
        self.alice: User = self.samba.add_user("alice")
        self.bob: User = self.samba.add_user("bob")
        self.registry = self.new_registry("registry", kind)

    def share(self, name: str, options: Optional[Mapping[str, str]] = None) -> Share:
        return Share(name, self.directory(name), options or {})

    def directory(self, name: str) -> Path:
        """Make a directory that everybody may write to, with one file in it."""
        path = self.root / name.replace("$", "_")
        if not path.exists():
            path.mkdir()
            path.chmod(0o777)
            (path / "file").write_text(f"in {name}")
        return path

    def new_registry(self, name: str, kind: str = "library", **options: Any) -> RemoteRegistry:
        """Start a registry client. `kind` is one of driver.KINDS."""
        registry = RemoteRegistry(self.lab, name)
        registry.start(kind, str(self.samba.conf), **options)
        return registry

    def registry_share(self, name: str, **options: str) -> None:
        """Add a share to the registry only, with Samba's own tool."""
        self.samba.net("conf", "addshare", name, str(self.directory(name)))
        for option, value in options.items():
            self.samba.net("conf", "setparm", name, option.replace("_", " "), value)

    def shadow(self, base: str, number: int = 1, **changes: Any) -> ShadowShare:
        copy_id = f"{{{number:08X}-0000-0000-0000-00000000000C}}"
        hidden = "$" if base.endswith("$") else ""
        share = ShadowShare(
            name=f"{base}@{copy_id}{hidden}",
            base=base,
            directory=str(self.directory(base)),
            path=str(self.directory(f"copy of {base}")),
            comment=f"Shadow copy of {base}",
            read_only=True,
            shadow_copy_set_id=SET_ID,
            shadow_copy_id=copy_id,
        )
        return share._replace(**changes)

    def shown(self, name: str) -> str:
        """Return a registry share as Samba's own tool prints it."""
        return self.samba.net("conf", "showshare", name).stdout

    def registry_names(self) -> list[str]:
        return self.samba.net("conf", "listshares").stdout.split("\n")[:-1]


@contextmanager
def open_nas(kind: str) -> Iterator[Nas]:
    with Lab() as lab:
        nas = Nas(lab, kind)
        yield nas
        nas.registry.hang_up()


@pytest.fixture(scope="module")
def nas() -> Iterator[Nas]:
    with open_nas("library") as nas:
        yield nas
