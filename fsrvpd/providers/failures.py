"""How a failed system call becomes a StorageError, in one place."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Iterator

from fsrvpd.errors import StorageError


@contextmanager
def reported(doing: str, path: str) -> Iterator[None]:
    """Raises: StorageError for an OSError inside, naming `path` and what was being done."""
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        where = f" ({os.fsdecode(error.filename)})" if error.filename else ""
        cause = f"cannot {doing}: {os.strerror(number) if number else error}{where}"
        raise StorageError(path, cause, error_number=number) from error
