"""The volume under a snapshot: opened, and known to be the one that is meant.

A volume that is not mounted leaves an empty directory, and a snapshot on it looks as if
it had been deleted. So nobody concludes anything from a path alone.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Callable, Iterator, List, Optional

from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import Found, SharePlace, Snapshot, SnapshotRequest
from fsrvpd.providers import home
from fsrvpd.providers.failures import reported
from fsrvpd.providers.home import NAME, Home, Marked
from fsrvpd.providers.labels import Labels
from fsrvpd.providers.mark import Mark, SnapshotName, parse_name

_WALK = home.DIRECTORY | os.O_NOATIME


class directory:
    """An open directory. Raises: StorageError."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> int:
        with reported("open the directory", self._path):
            self._fd = os.open(self._path, home.DIRECTORY)
        return self._fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def open_below(directory: int, path: str) -> int:
    """A directory below an open one, reached name by name and through no symbolic link: a
    path may be of any length, and what users do to it meanwhile leads nowhere else."""
    fd = os.open(".", _WALK, dir_fd=directory)
    for name in filter(None, path.split("/")):
        outer = fd
        try:
            fd = os.open(name, _WALK, dir_fd=outer)
        finally:
            os.close(outer)
    return fd


@contextmanager
def opened(root: str, volume_name: str, name_of: Callable[[int], str]) -> Iterator[int]:
    """A descriptor of a volume's root. Raises: StorageError unless `volume_name` is there."""
    with directory(root) as fd:
        with reported("identify the volume", root):
            found = name_of(fd)
        if found != volume_name:
            raise StorageError(
                root, f"volume {volume_name} is not here but {found} is; mount it and try again"
            )
        yield fd


def free_second(labels: Labels, request: SnapshotRequest, root: int) -> int:
    """The second that labels the requested snapshot of the volume open as `root`."""
    place, second = request.place, int(request.created)
    with reported("look for snapshots", place.volume_root):
        our = home.find(root, place.volume_root)
        if our is None:
            return labels.reserve(place.volume_name, second, lambda second: False)
        with our:
            return labels.reserve(place.volume_name, second, our.has_label)


def _nothing() -> None:
    pass


@contextmanager
def recorded(
    our: Home, planned: Snapshot, mark: Mark, undo: Callable[[], None] = _nothing
) -> Iterator[None]:
    """The mark put down, for the time in which the snapshot is taken.

    On failure `undo` is called and the mark goes; when that fails too, the mark stays, so
    that what is left is known to be ours.
    """
    label = parsed(planned).label
    our.put_mark(label, mark)
    try:
        with reported("take the snapshot", planned.root):
            yield
    except BaseException:
        undo()
        our.drop_mark(label)
        raise


def mark_of(request: SnapshotRequest) -> Mark:
    return Mark(
        request.place.provider,
        request.shadow_copy_set_id,
        request.shadow_copy_id,
        request.place.share.name,
        request.server,
        request.created,
        below(request.place),
        request.keep,
        state=request.state,
    )


def below(place: SharePlace) -> str:
    """The share's directory as seen from the volume's root, which itself is empty."""
    path = os.path.relpath(place.directory, place.volume_root)
    if path == ".." or path.startswith("../"):
        raise StorageError(place.directory, f"is not inside its volume {place.volume_root}")
    return "" if path == "." else path


def marked(path: str, provider: str) -> List[Marked]:
    """The marks of a provider on the volume at `path`; none where there is no such place."""
    try:
        root = os.open(path, home.DIRECTORY)
    except FileNotFoundError:
        return []
    try:
        with reported("look for snapshots", path):
            return _marked(home.find(root, path), provider)
    finally:
        os.close(root)


def _marked(our: Optional[Home], provider: str) -> List[Marked]:
    if our is None:
        return []
    with our:
        return [found for found in our.marked() if found.mark.provider == provider]


def found(snapshot: Snapshot, mark: Mark) -> Found:
    ids = mark.shadow_copy_set_id, mark.shadow_copy_id
    return Found(snapshot, *ids, mark.share, mark.server, mark.keep, mark.state)


def found_on(
    path: str,
    provider: str,
    name_of: Callable[[int], str],
    snapshot_of: Callable[[str, str, SnapshotName, Mark], Snapshot],
) -> Iterator[Found]:
    """The snapshots of which a provider's marks tell, on the volume at `path`; which volume
    that is `name_of` its open root, and where they are `snapshot_of` that path, the volume's
    name, their own and their mark."""
    listed = marked(path, provider)
    if not listed:
        return
    with directory(path) as root, reported("identify the volume", path):
        volume_name = name_of(root)
    for label, mark in listed:
        name = SnapshotName(mark.shadow_copy_id, label)
        yield found(snapshot_of(path, volume_name, name, mark), mark)


def parsed(snapshot: Snapshot) -> SnapshotName:
    """The name of a snapshot's directory. Raises: NotOurs when it is none of ours."""
    name = parse_name(os.path.basename(snapshot.root))
    if name is None or "/.." in snapshot.root:
        raise NotOurs(snapshot.root, "is not named like a snapshot that fsrvpd made")
    return name


def volume_root(snapshot: Snapshot, depth: int) -> str:
    """The directory that holds `.fsrvpd`, in which the snapshot is `depth` levels deep."""
    parts = snapshot.root.rsplit("/", depth + 1)
    if len(parts) != depth + 2 or parts[1] != NAME:
        raise NotOurs(snapshot.root, f"is not in the {NAME} of a volume")
    return parts[0] or "/"


def present(our: Home, name: SnapshotName, provider: str, below: str = "") -> Optional[Mark]:
    """The mark of a snapshot, None when there is nothing of it any more.

    `below` is the directory inside `our` that holds it. Raises: NotOurs when the
    directory is there and no mark says that it is ours.
    """
    where = os.path.join(below, str(name))
    with reported("look for the snapshot", os.path.join(our.path, where)):
        mark = our.mark(name.label)
        if mark is not None and _belongs(mark, name, provider):
            return mark
        if _exists(where, our.fd):
            raise NotOurs(os.path.join(our.path, where), "does not carry the mark of fsrvpd")
        return None


def _belongs(mark: Mark, name: SnapshotName, provider: str) -> bool:
    return mark.shadow_copy_id == name.shadow_copy_id and mark.provider == provider


def _exists(name: str, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
