"""What functions of the C core return: a size or a number, or an error code.

Codec functions return a negative `enum fsrvp_error`, storage functions -errno.
"""

from __future__ import annotations

import os
from typing import Any, Union

from fsrvpd.core.native import ffi, lib

Name = Union[str, bytes]


def reason(error: int) -> str:
    """An error of the codec as a clause that completes "malformed: "."""
    text: bytes = ffi.string(lib.fsrvp_error_text(error))
    return text.decode()


def written(buffer: Any, size: int) -> bytes:
    """The bytes that a codec function wrote into a buffer, by what it returned.

    Raises: ValueError for a value that cannot be sent.
    """
    if size < 0:
        raise ValueError(f"cannot be sent: {reason(size)}")
    data: bytes = ffi.buffer(buffer, size)[:]
    return data


def check(returned: int, file: int, name: Name = b"") -> int:
    """What a storage function returned, unless that is an error.

    Raises: OSError with the path of the open `file`, or of `name` below it.
    """
    if returned >= 0:
        return returned
    raise OSError(-returned, os.strerror(-returned), _path(file, name))


def _path(file: int, name: Name) -> str:
    try:
        path = os.readlink(f"/proc/self/fd/{file}")
    except OSError:
        path = f"descriptor {file}"
    return os.path.join(path, os.fsdecode(name)) if name else path
