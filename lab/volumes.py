"""File systems in sparse files, mounted through loop devices inside a lab.

The loop devices are detached when the mounts end, which is with the lab at the latest.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Sequence

if TYPE_CHECKING:
    from lab.namespaces import Lab

MAKERS = {
    "btrfs": ["mkfs.btrfs", "--quiet"],
    "xfs": ["mkfs.xfs", "-q"],
    "ext4": ["mkfs.ext4", "-q"],
}


def make(lab: Lab, kind: str, name: str, size: int, options: Sequence[str]) -> Path:
    """Make a volume of `size` bytes and mount it at `<lab>/<name>`, open to all users.

    `options` are passed to mkfs.
    """
    image = lab.directory / f"{name}.img"
    mount_point = lab.directory / name
    with image.open("xb") as sparse:
        sparse.truncate(size)
    lab.run([*MAKERS[kind], *options, image])
    mount_point.mkdir()
    lab.run(["mount", "-o", "loop", image, mount_point])
    lab.run(["chmod", "0777", mount_point])
    return mount_point
