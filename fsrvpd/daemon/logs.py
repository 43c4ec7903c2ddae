"""The log in Samba's levels: 0 errors, 1 what an admin should see, 3 every call, 10 all.

Keys, passwords and security blobs are never handed to a logger.
"""

from __future__ import annotations

import logging
import sys
from typing import Optional

NOTICE = 25  # debug level 1
CALLS = logging.INFO  # debug level 3

_LEVELS = ((0, logging.ERROR), (1, NOTICE), (3, CALLS), (5, 15), (10, logging.DEBUG))


def python_level(debug_level: int) -> int:
    """The threshold in `logging`'s numbers for one of Samba's debug levels."""
    threshold = logging.ERROR
    for samba, python in _LEVELS:
        if debug_level >= samba:
            threshold = python
    return threshold


def set_up(debug_level: int, path: Optional[str]) -> None:
    """Log to a file, or to standard error when there is none."""
    logging.addLevelName(NOTICE, "NOTICE")
    handler = logging.StreamHandler(sys.stderr) if path is None else logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(python_level(debug_level))


def first_level(log_level: str) -> int:
    """The general level in smb.conf's `log level`, which may go on with classes."""
    word = (log_level.split() or ["0"])[0].rpartition(":")[2].partition("@")[0]
    return int(word) if word.isdecimal() else 0
