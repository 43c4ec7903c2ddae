"""The log in Samba's levels: 0 errors and what became of sets, 1 refusals, 3 every call, 10 all.

Keys, passwords and security blobs are never handed to a logger.
"""

from __future__ import annotations

import logging
import os
import sys
from logging.handlers import WatchedFileHandler
from typing import Optional

from fsrvpd.daemon.journal import SOCKET, JournalHandler

ALWAYS = 28  # debug level 0, as errors: what an admin wants to find in any log
NOTICE = 25  # debug level 1: what a client could fill a log with
CALLS = logging.INFO  # debug level 3

_LEVELS = ((0, ALWAYS), (1, NOTICE), (3, CALLS), (5, 15), (10, logging.DEBUG))
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def python_level(debug_level: int) -> int:
    """The threshold in `logging`'s numbers for one of Samba's debug levels."""
    threshold = ALWAYS
    for samba, python in _LEVELS:
        if debug_level >= samba:
            threshold = python
    return threshold


def samba_level(level: int) -> int:
    """The debug level from which on something is logged."""
    return min(samba for samba, python in _LEVELS if level >= python)


def set_up(debug_level: int, path: Optional[str]) -> None:
    """To the journal where standard error leads there, or where there is no standard error
    and a journal runs; else to standard error (`path` None) or to the file."""
    for level in (ALWAYS, NOTICE):
        logging.addLevelName(level, "NOTICE")
    handler = _handler(path)
    handler.setFormatter(logging.Formatter(_FORMAT))
    logging.getLogger().handlers = [handler]
    set_level(debug_level)


def set_level(debug_level: int) -> None:
    logging.getLogger().setLevel(python_level(debug_level))


def first_level(levels: str) -> Optional[int]:
    """The general level in smb.conf's `log level`, or in what `smbcontrol debug` sends:
    both may go on with classes. None when it does not begin with a level."""
    word = (levels.split() or ["0"])[0].rpartition(":")[2].partition("@")[0]
    return int(word) if word.isdecimal() else None


def _handler(path: Optional[str]) -> logging.Handler:
    if path is None:
        journal = os.environ.get("JOURNAL_STREAM", "") == _identity(sys.stderr.fileno())
        return JournalHandler() if journal else logging.StreamHandler(sys.stderr)
    return JournalHandler() if os.path.exists(SOCKET) else WatchedFileHandler(path)


def _identity(file: int) -> str:
    """How systemd names a stream of the journal."""
    found = os.fstat(file)
    return f"{found.st_dev}:{found.st_ino}"
