"""Where the data directory of a running MariaDB is: one file is in every data directory, and the
log of InnoDB tells the server's own from older copies of it, and from those of other servers.

In the log is the position (LSN) of the last checkpoint, which the server says as well. Source: the
format of the log since MariaDB 10.8; a log of another format is not looked into.
"""

from __future__ import annotations

import os.path
import time
from typing import Callable, NamedTuple, Optional, Sequence

from fsrvpd.requestor.writers.mariadb_client import MariadbClient
from fsrvpd.requestor.writers.place import Place, below, entry, find_place
from fsrvpd.requestor.writers.ports import SharedTree, Tree, WriterFailed

CONSTANT = "aria_log_control"  # in every data directory, and never made anew

_ANSWER = 10.0  # s for what waits for nobody
# Directories that InnoDB may have beside the data directory.
_DIRECTORIES = ("innodb_data_home_dir", "innodb_log_group_home_dir", "innodb_undo_directory")
_LOG = "ib_logfile0"
_FORMAT, _ENCRYPTED = 0x50687973, 1 << 31
_CHECKPOINTS = (4096, 8192)  # offsets of the two that are written in turn
_HEADER = 12288  # bytes
_TRIES, _PAUSE = 20, 0.1  # s: a checkpoint is in the log before the server says so


class Directory(NamedTuple):
    """As the server knows it."""

    path: str
    log: str  # the log's path in it, with `\\`


def ask(writer: str, session: MariadbClient) -> Directory:
    """Raises: WriterFailed, also if InnoDB has files outside of it: no copy of it would start."""
    names = ", ".join(f"@@{name}" for name in ("datadir", *_DIRECTORIES))
    ((data, *others),) = session.rows(f"SELECT {names}", _ANSWER)
    above, paths = os.path.normpath(data), {}
    for name, value in zip(_DIRECTORIES, others):
        path = os.path.normpath(os.path.join(data, "" if value == "NULL" else value))
        if os.path.commonpath([above, path]) != above:
            cause = f"{name} is {value}, outside of the data directory {data}"
            raise WriterFailed(writer, cause, "move it into the data directory")
        paths[name] = os.path.relpath(os.path.join(path, _LOG), above)
    return Directory(data, paths["innodb_log_group_home_dir"].replace("/", "\\"))


def last_checkpoint(session: MariadbClient) -> Optional[int]:
    """None where the server does not say it, as before 10.5. Raises: WriterFailed."""
    rows = session.rows("SHOW GLOBAL STATUS LIKE 'Innodb_lsn_last_checkpoint'", _ANSWER)
    return int(rows[0][1]) if rows else None


def find(
    writer: str, directory: Directory, session: MariadbClient, trees: Sequence[SharedTree]
) -> Place:
    """Raises: WriterFailed if it is in none of the shares, or may be in several."""

    def is_it(tree: Tree, path: str) -> bool:
        is_any = entry(tree, below(path, CONSTANT)) is not None
        return is_any and _is_of(session, tree, below(path, directory.log))

    return find_place(writer, "data directory", directory.path, trees, is_it)


def is_older(place: Place, directory: Directory, since: Optional[int]) -> bool:
    """Whether what is there, such as what a mounted file system had covered, lacks a checkpoint."""
    found = _logged(place.shared.tree, below(place.path, directory.log))
    return since is not None and found is not None and found < since


def _is_of(
    session: MariadbClient,
    tree: Tree,
    log: str,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Whether the server writes this log."""
    for _ in range(_TRIES):
        before = last_checkpoint(session)
        found = _logged(tree, log)
        after = last_checkpoint(session)
        if before is None or after is None or found is None:
            return True  # nobody can say
        if found <= after:
            return found >= before
        sleep(_PAUSE)
    return False


def _logged(tree: Tree, log: str) -> Optional[int]:
    """The position of the last checkpoint in a log; None for one of another format."""
    if entry(tree, log) is None:
        return None
    with tree.open(log) as file:
        header = file.read(0, _HEADER)
    if len(header) < _HEADER or int.from_bytes(header[:4], "big") & ~_ENCRYPTED != _FORMAT:
        return None
    return max(int.from_bytes(header[at : at + 8], "big") for at in _CHECKPOINTS)
