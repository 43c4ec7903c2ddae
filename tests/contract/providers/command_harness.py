"""An admin's own scripts, written for Samba's vfs_shell_snap and not for fsrvpd.

They take snapshots of a btrfs subvolume and choose the names themselves.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Callable, Dict, List, Optional

from fsrvpd.protocol.ports import Provider, RemountsSnapshots, Snapshot, SnapshotRequest
from tests.contract.providers.harness import Harness
from tests.contract.providers.private_mounts import run, unmount

STORE = ".taken by script"
CHECK = """\
#!/bin/sh
test -d "$1"
"""
CREATE = """\
#!/bin/sh
set -eu
taken=$(mktemp --dry-run --tmpdir={store})
btrfs -q subvolume snapshot {volume} "$taken"
rest=$(realpath --relative-to={volume} "$1")
echo "$taken/$rest" | sed 's:/\\.$::'
"""
DELETE = """\
#!/bin/sh
set -eu
below=$(realpath --relative-to={store} "$2")
btrfs -q subvolume delete {store}/"${{below%%/*}}"
"""


def write_scripts(directory: Path, volume: Path) -> Dict[str, str]:
    """Write the scripts. Returns the share's options; `directory` may contain spaces."""
    directory.mkdir(exist_ok=True)
    run("btrfs", "-q", "subvolume", "create", volume / STORE)
    words = {"volume": shlex.quote(str(volume)), "store": shlex.quote(str(volume / STORE))}
    options = {"provider": "command"}
    scripts = {"check path": CHECK, "create": CREATE, "delete": DELETE}
    for name, text in scripts.items():
        script = directory / f"{name}.sh"
        script.write_text(text.format(**words) if name != "check path" else text)
        script.chmod(0o755)
        options[f"{name} command"] = shlex.quote(str(script))
    return options


class CommandHarness(Harness):
    any_file_system = True

    def __init__(
        self,
        volume: Path,
        directory: Path,
        mount_root: Path,
        new_provider: Callable[[Callable[[str], Dict[str, str]], str], Provider],
    ) -> None:
        """`mount_root` is the directory in which the provider mounts snapshots."""
        self.reserved = str(mount_root)
        self._mount_root = mount_root
        self.options = write_scripts(directory / "admin's scripts", volume)
        folder = str(directory)
        super().__init__(lambda: new_provider(lambda share: self.options, folder), volume)

    def request(
        self,
        directory: Optional[Path] = None,
        *,
        writable: bool = False,
        created: Optional[float] = None,
        options: Optional[Dict[str, str]] = None,
    ) -> SnapshotRequest:
        return super().request(
            directory,
            writable=writable,
            created=created,
            options={**self.options, **(options or {})},
        )

    def left_over(self) -> List[str]:
        mounted = [str(path) for path in self._mount_root.glob("*/*")]
        return mounted + os.listdir(self.volume / STORE)

    def interrupt(self, snapshot: Snapshot) -> None:
        """Leave the state of a crash between the command's end and the mount."""
        unmount(Path(snapshot.root))
        Path(snapshot.root).rmdir()

    def cut_power(self) -> None:
        self._unmount_all()
        super().cut_power()
        assert isinstance(self.provider, RemountsSnapshots)
        for found in self.found():
            self.provider.bring_up(found.snapshot)

    def close(self) -> None:
        self._unmount_all()
        for directory in self._mount_root.glob("*"):
            directory.rmdir()

    def _unmount_all(self) -> None:
        for mounted in self._mount_root.glob("*/*"):
            if mounted.is_mount():
                unmount(mounted)
            mounted.rmdir()
