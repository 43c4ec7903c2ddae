"""The log in Samba's levels: 0 errors, refusals and the fate of sets, 1 notices, 3 every call,
10 all.

Keys, passwords and security blobs are never passed to a logger.
"""

from __future__ import annotations

import logging
import os
import sys
from logging.handlers import WatchedFileHandler
from typing import Optional

from fsrvpd.daemon.log.journal import SOCKET, JournalHandler
from fsrvpd.daemon.log.notice_limit import NoticeLimit
from fsrvpd.daemon.log.record_text import LineFormatter
from fsrvpd.samba_command_line import HIGHEST_DEBUG_LEVEL

ALWAYS = 28  # debug level 0, as for errors: what an admin wants to find in any log
REFUSED = 27  # debug level 0, too; a client could fill the log with it, so it is limited
NOTICE = 25  # debug level 1; limited likewise
CALLS = logging.INFO  # debug level 3
HIGHEST = HIGHEST_DEBUG_LEVEL
_MOST_DIGITS = 9  # as in an int of C, which Samba reads it into

_LEVELS = ((0, REFUSED), (1, NOTICE), (3, CALLS), (5, 15), (10, logging.DEBUG))


def python_level(debug_level: int) -> int:
    """The threshold in `logging`'s numbers for one of Samba's debug levels."""
    threshold = REFUSED
    for samba, python in _LEVELS:
        if debug_level >= samba:
            threshold = python
    return threshold


def samba_level(level: int) -> int:
    """The debug level from which on something is logged."""
    return min(samba for samba, python in _LEVELS if level >= python)


def set_up(debug_level: int, path: Optional[str]) -> None:
    """Log to the file at `path`, or to standard error when `path` is None; in either case to the
    journal instead, when standard error leads there or, with a path, when a journal runs."""
    for level in (ALWAYS, REFUSED, NOTICE):
        logging.addLevelName(level, "NOTICE")
    handler = _handler(path)
    handler.setFormatter(LineFormatter())
    handler.addFilter(NoticeLimit((REFUSED, NOTICE), CALLS))
    logging.getLogger().handlers = [handler]
    logging.logProcesses = False  # no format names the process, and asking costs a system call
    set_level(debug_level)


def set_level(debug_level: int) -> None:
    logging.getLogger().setLevel(python_level(debug_level))


def first_level(levels: str) -> Optional[int]:
    """The general level in smb.conf's `log level`, or in what `smbcontrol debug` sends; levels
    of classes may follow. None when the text does not begin with a level."""
    word = (levels.split() or ["0"])[0].rpartition(":")[2].partition("@")[0]
    return int(word) if word.isdecimal() and len(word) <= _MOST_DIGITS else None


def _handler(path: Optional[str]) -> logging.Handler:
    if path is None:
        journal = os.environ.get("JOURNAL_STREAM", "") == _identity(sys.stderr.fileno())
        return JournalHandler() if journal else logging.StreamHandler(sys.stderr)
    return (
        JournalHandler() if os.path.exists(SOCKET) else WatchedFileHandler(path, encoding="utf-8")
    )


def _identity(file: int) -> str:
    """A file as systemd names it in $JOURNAL_STREAM."""
    found = os.fstat(file)
    return f"{found.st_dev}:{found.st_ino}"
