"""How the storage functions of the C core report failure, in one place."""

from __future__ import annotations

import os
from typing import Union

Name = Union[str, bytes]


def check(returned: int, file: int, name: Name = b"") -> int:
    """What a function returned, unless it is -errno.

    Raises: OSError with the path of the open `file`, or of `name` below it.
    """
    if returned >= 0:
        return returned
    raise OSError(-returned, os.strerror(-returned), _path(file, name))


def _path(file: int, name: Name) -> str:
    try:
        place = os.readlink(f"/proc/self/fd/{file}")
    except OSError:
        place = f"descriptor {file}"
    return os.path.join(place, os.fsdecode(name)) if name else place
