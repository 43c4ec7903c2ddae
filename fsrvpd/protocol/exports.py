"""Where users reach a shadow copy: at a mount of the share's directory in its snapshot.

/run/fsrvpd/shares/<key>/copies/fsrvp-{ID}_GMT-…, where the key is that of the share and its
directory, so that the copies of one share are beside each other and shadow_copy2 lists them.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple, Optional, Tuple

from fsrvpd.core.mounts import MOUNT_ROOT
from fsrvpd.protocol.ports import ShareLocation, Snapshot
from fsrvpd.protocol.unc import normal_share

ROOT = f"{MOUNT_ROOT}/shares"
COPIES = "copies"


class Export(NamedTuple):
    """A share's directory in a snapshot, as users reach it."""

    share: str  # the share's name
    directory: str  # the live share's, with symbolic links resolved; "" if it is not known
    path: str  # of that directory below its volume's root, "" for the root itself
    snapshot: Snapshot
    writable: bool = False
    # Of `directory` when the snapshot was taken, as in ShareLocation. Without both of them nobody
    # knows whether that directory is still there.
    identity: Optional[Tuple[int, int]] = None  # None after a restart
    handle: str = ""

    @property
    def key(self) -> str:
        return key_of(self.snapshot.volume_name, self.path, self.share)

    @property
    def name(self) -> str:
        """The name of the snapshot's own directory."""
        return name_of(self.snapshot)

    @property
    def mount_point(self) -> str:
        return f"{ROOT}/{self.key}/{COPIES}/{self.name}"


def key_of(volume_name: str, path: str, share: str) -> str:
    """A name for a share and its directory: two shares of one directory have different ones,
    because the ways to them differ. As for Samba, case does not count, but ß is not ss."""
    text = f"{volume_name}\0{path}\0{normal_share(share)}"
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def name_of(snapshot: Snapshot) -> str:
    return snapshot.root.rpartition("/")[2]


def below(directory: str, root: str) -> str:
    """The rest of a path below a root, without slashes at its ends."""
    return directory[len(root.rstrip("/")) :].strip("/")


def key_for(location: ShareLocation) -> str:
    path = below(location.directory, location.volume_root)
    return key_of(location.volume_name, path, location.share.name)


def key_in(mount_point: str) -> str:
    """The key in the path of an export; "" for another path."""
    rest = mount_point[len(ROOT) + 1 :] if mount_point.startswith(f"{ROOT}/") else ""
    return rest.partition("/")[0]


def directory_of_copies(location: ShareLocation) -> str:
    """The directory in which the copies of a share are: `shadow:snapdir`."""
    return f"{ROOT}/{key_for(location)}/{COPIES}"
