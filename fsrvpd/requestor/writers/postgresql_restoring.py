"""What has to be restored beside the copies of a cluster, and the words that say how.

RESTORE.txt      what to do, step by step
backup_label     where recovery begins
tablespace_map   where tablespaces lie, if there are any; PostgreSQL makes the links from it
pg_wal/          every WAL file from the first snapshot's time to the last one's
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Callable

from fsrvpd.requestor.writers.postgresql_backup import Ended
from fsrvpd.requestor.writers.postgresql_cluster import Cluster
from fsrvpd.requestor.writers.postgresql_place import Places

TEXT = "RESTORE.txt"


def write_backup(
    directory: Path,
    cluster: Cluster,
    places: Places,
    ended: Ended,
    write_wal: Callable[[int, Path], None],
) -> None:
    """Raises: OSError, and what `write_wal` raises."""
    wal = directory / "pg_wal"
    wal.mkdir(mode=0o700)
    write_wal(ended.stop, wal)
    _write(directory / "backup_label", ended.label)
    if ended.tablespace_map:
        _write(directory / "tablespace_map", ended.tablespace_map)
    _write(directory / TEXT, _backup_text(cluster, places))


def write_links(directory: Path, cluster: Cluster, places: Places) -> None:
    """For a cluster in one copy, which lacks only the links to its tablespaces. Raises: OSError."""
    _write(directory / TEXT, _links_text(cluster, places))


def _backup_text(cluster: Cluster, places: Places) -> str:
    return f"""\
{_head(cluster, places)}
The copies are not of one moment. PostgreSQL recovers to one with the files beside this one; without
them it does not start, or its data are damaged.

1. Restore each directory above, with its empty directories.
2. In the restored data directory remove postmaster.pid and all that is in pg_wal. If pg_wal is a
   link, or is not there, make it a directory.
3. Copy backup_label, tablespace_map (if there is one) and all of pg_wal from here into it.
4. If a tablespace was restored to another place, correct its line in tablespace_map.
5. All must belong to the user that runs PostgreSQL, and the data directory have mode 0700. Start
   PostgreSQL {cluster.major}.
"""


def _links_text(cluster: Cluster, places: Places) -> str:
    links = "\n".join(
        f"   ln -s {shlex.quote(space.location)} pg_tblspc/{space.oid}"
        for space, _ in places.tablespaces
    )
    return f"""\
{_head(cluster, places)}
The copy is of one moment, and lacks only the links to its tablespaces, which SMB does not show.

1. Restore each directory above, with its empty directories.
2. In the restored data directory remove postmaster.pid, and make the links to where the tablespaces
   are now:
{links}
3. All must belong to the user that runs PostgreSQL, and the data directory have mode 0700. Start
   PostgreSQL {cluster.major}.
"""


def _head(cluster: Cluster, places: Places) -> str:
    lines = [f"data directory  {cluster.data_directory}  in  {places.data.unc}"]
    lines += [
        f"tablespace {space.name}  {space.location}  in  {place.unc}"
        for space, place in places.tablespaces
    ]
    text = "\n".join(lines)
    return f"A PostgreSQL {cluster.major} cluster, backed up by fsrvpshadow.\n\n{text}\n"


def _write(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
