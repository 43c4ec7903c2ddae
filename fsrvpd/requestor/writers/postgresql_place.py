r"""Where a cluster lies in the shares of a set, and whether a copy of it is one that starts.

What is found is known by its pg_control. The identifier is that of the cluster, of all copies and
of all standbys; but no older copy has a checkpoint that the server has just made, and a standby is
in another state.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Optional, Sequence, Tuple

from fsrvpd.requestor.writers.place import Place, below, copy_of, entry, find_place, is_clone
from fsrvpd.requestor.writers.ports import SharedTree, Tree, WriterFailed
from fsrvpd.requestor.writers.postgresql_cluster import Checkpoint, Cluster, Tablespace

_CONSTANT = "PG_VERSION"  # which nobody writes again
_CONTROL = "global\\pg_control"
# PostgreSQL's ControlFileData: identifier, versions, state, time, the last checkpoint's position,
# and of its record the redo position and the timeline.
_FIELDS = struct.Struct("<Q8xI4x8xQQI")
_IN_ARCHIVE_RECOVERY, _IN_PRODUCTION = 5, 6  # DBState


class Control(NamedTuple):
    """Of pg_control: whose it is, and where recovery begins."""

    identifier: int
    state: int
    checkpoint: int
    redo: int
    timeline: int


class Places(NamedTuple):
    since: Checkpoint  # what is found has this one, or a later one
    data: Place
    tablespaces: Tuple[Tuple[Tablespace, Place], ...]
    has_wal: bool  # in the data directory, as its share shows it

    @property
    def are_in_one(self) -> bool:
        share = self.data.shared.root.unc
        return self.has_wal and all(place.shared.root.unc == share for _, place in self.tablespaces)


def find(writer: str, cluster: Cluster, since: Checkpoint, trees: Sequence[SharedTree]) -> Places:
    """`since`: a checkpoint that the server has made. Raises: WriterFailed if the data directory or
    a tablespace is in none of the shares, or may be in several."""
    data = find_place(
        writer,
        "data directory",
        cluster.data_directory,
        trees,
        lambda tree, path: _is_data(cluster, since, tree, path),
    )
    return Places(
        since,
        data,
        tuple((each, _find_space(writer, cluster, each, trees)) for each in cluster.tablespaces),
        _has_wal(cluster, data),
    )


def _find_space(
    writer: str, cluster: Cluster, space: Tablespace, trees: Sequence[SharedTree]
) -> Place:
    return find_place(
        writer,
        f"tablespace {space.name}",
        space.location,
        trees,
        lambda tree, path: _is_tablespace(cluster, space, tree, path),
    )


def check_copies(
    writer: str, cluster: Cluster, places: Places, copies: Sequence[SharedTree], *, alone: bool
) -> None:
    """Look whether all of the cluster is in the copies; `alone`: it has to start with nothing else,
    its own WAL and no other. Raises: WriterFailed if it is not sure to start."""
    data = copy_of(writer, places.data, copies)
    if not _is_data(cluster, places.since, data.shared.tree, data.path):
        raise _not_in_copy(writer, f"the data directory {cluster.data_directory}")
    for space, place in places.tablespaces:
        copy = copy_of(writer, place, copies)
        if not _is_tablespace(cluster, space, copy.shared.tree, copy.path):
            raise _not_in_copy(writer, f"the tablespace {space.name} {space.location}")
    if alone:
        if not _has_wal(cluster, data):
            raise _not_in_copy(writer, "pg_wal, with the WAL from which it would recover,")
        if is_clone(places.data, data, _CONSTANT):
            cause = "the server has cloned it file by file, not all files at one moment"
            raise WriterFailed(writer, cause, 'set mode = "backup"')


def _not_in_copy(writer: str, what: str) -> WriterFailed:
    cause = f"{what} is not in the copy: it is a link, or on another file system than its share"
    return WriterFailed(writer, cause, 'add a share of its own for it, or set mode = "backup"')


def read_control(tree: Tree, directory: str) -> Optional[Control]:
    """None where there is no pg_control."""
    path = below(directory, _CONTROL)
    if entry(tree, path) is None:
        return None
    with tree.open(path) as file:
        data = file.read(0, _FIELDS.size)
    return Control(*_FIELDS.unpack(data)) if len(data) == _FIELDS.size else None


def _is_data(cluster: Cluster, since: Checkpoint, tree: Tree, path: str) -> bool:
    control = read_control(tree, path)
    return (
        control is not None
        and control.identifier == cluster.identifier
        and control.state == (_IN_ARCHIVE_RECOVERY if cluster.is_standby else _IN_PRODUCTION)
        and control.timeline == since.timeline
        and control.checkpoint >= since.location
    )


def _is_tablespace(cluster: Cluster, space: Tablespace, tree: Tree, path: str) -> bool:
    name = f"PG_{cluster.major}_{cluster.catalog_version}"
    inside = below(path, name)
    return entry(tree, inside) is not None and all(
        entry(tree, f"{inside}\\{database}") is not None for database in space.databases
    )


def _has_wal(cluster: Cluster, data: Place) -> bool:
    """Whether the WAL is there from which recovery would begin."""
    control = read_control(data.shared.tree, data.path)
    if control is None:
        return False
    segment = cluster.segment(control.timeline, control.redo)
    found = data.entry(f"pg_wal\\{segment}")
    return found is not None and found.size == cluster.segment_size
