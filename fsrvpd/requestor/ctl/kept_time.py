"""How long a server has kept the sets of a job, where one was gone before its run had ended.

The protocol cannot ask for it: fsrvpd removes a set after a day, unless its admin says otherwise,
other servers when they restart. A server that has removed one will most likely do so again: the
next run says so before it begins.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Optional

_FOLDER = "kept"
_MOST = 4096  # bytes


class KeptTime:
    """Of one job, in the directory of the state. What cannot be read or written is not known: a
    warning is missing then."""

    def __init__(self, state: Path, job: str) -> None:
        name = hashlib.sha256(job.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self._path = state / _FOLDER / f"{name}.json"

    def seconds(self) -> Optional[float]:
        """How long COMMAND took in the last run whose set was gone before its end; None if there
        was none."""
        try:
            with open(self._path, "rb") as file:
                seconds = json.loads(file.read(_MOST))["seconds"]
            return float(seconds)
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None

    def was_gone_after(self, seconds: float) -> None:
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = self._path.with_suffix(".new")
            new.write_text(json.dumps({"seconds": seconds}))
            os.replace(new, self._path)

    def was_kept_for(self, seconds: float) -> None:
        """A set that was kept for as long proves that this has changed."""
        known = self.seconds()
        if known is not None and seconds >= known:
            with suppress(OSError):
                self._path.unlink()
