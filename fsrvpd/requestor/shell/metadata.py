"""The file of SET METADATA and LOAD METADATA: a shadow copy set, described for its restore.

JSON with a format and a version, which fsrvpshadow-shell(1) describes. It is not the cabinet of
DISKSHADOW, which holds documents of Windows' writers; neither program reads the other's file.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from typing import Any, Mapping, NamedTuple, Sequence

from fsrvpd.core.messages import parse_guid
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.shell.texts import ListedCopy, shown_guid

FORMAT = "fsrvpshadow metadata"
VERSION = 1
_CABINET = b"MSCF"
_LARGEST = 4 << 20  # bytes; a set of 1,000 copies has 400 KiB
_LATEST = float(1 << 36)  # s since 1970, in the year 4147
_COPY: Mapping[str, type] = {
    "copy": str,
    "volume": str,
    "prefix": str,
    "device": str,
    "server": str,
    "created": float,
}
_SET: Mapping[str, type] = {
    "format": str,
    "version": int,
    "set": str,
    "context": int,
    "service_machine": str,
    "copies": list,
    "aliases": dict,
    "writers": list,
}


class Metadata(NamedTuple):
    set_id: str  # in `shown_guid`'s form
    context: int
    service_machine: str  # that created the set
    copies: Sequence[ListedCopy]
    aliases: Mapping[str, str]
    writers: Sequence[str] = ()  # that took part; a restore needs them


def write(path: str, metadata: Metadata) -> None:
    """Replaces the file, which is complete at every moment. Raises: RequestorError."""
    folder = os.path.dirname(os.path.abspath(path))
    try:
        handle, written = tempfile.mkstemp(prefix=".fsrvpshadow-", dir=folder)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(_document(metadata), file, indent=2)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(written, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(written)
            raise
    except OSError as error:
        raise _fault(path, error, "name another file with SET METADATA") from error


def check_writable(path: str) -> bool:
    """Whether the file exists, and will be overwritten. Raises: RequestorError if it is no file,
    or its directory takes none: before there is a set, not after it."""
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise RequestorError(path, "it is a directory", "name a file")
    if not os.path.isdir(folder):
        raise RequestorError(path, f"there is no directory {folder}", "create it")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RequestorError(path, f"{folder} is not writable", "name a file in another directory")
    return os.path.exists(path)


def read(path: str) -> Metadata:
    """Raises: RequestorError, which says what the file is instead, where that can be seen."""
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise _fault(path, error, "name the file that SET METADATA named") from error
    if data.startswith(_CABINET):
        raise RequestorError(
            path,
            "it is a cabinet that DISKSHADOW wrote on Windows; its documents of Windows' writers "
            "mean nothing here",
            "load a file that SET METADATA of fsrvpshadow wrote",
        )
    try:
        if len(data) > _LARGEST:
            raise ValueError("it is too long")
        return _metadata(json.loads(data))
    except (ValueError, RecursionError) as error:
        raise RequestorError(
            path,
            f"it is not metadata of fsrvpshadow: {error}",
            "load a file that SET METADATA of fsrvpshadow wrote",
        ) from None


def _fault(path: str, error: OSError, next_step: str) -> RequestorError:
    return RequestorError(path, error.strerror or str(error), next_step)


def _document(metadata: Metadata) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "set": metadata.set_id,
        "context": metadata.context,
        "service_machine": metadata.service_machine,
        "copies": [
            {
                "copy": copy.copy_id,
                "volume": copy.volume,
                "prefix": copy.prefix,
                "device": copy.device,
                "server": copy.server,
                "created": float(copy.created),
            }
            for copy in metadata.copies
        ],
        "aliases": {name: value for name, value in metadata.aliases.items() if is_id(value)},
        "writers": list(metadata.writers),
    }


def _metadata(document: Any) -> Metadata:
    """Raises: ValueError."""
    _check(document, {"format": str, "version": int})
    if document["format"] != FORMAT or document["version"] != VERSION:
        raise ValueError(f"its format is not {FORMAT!r}, version {VERSION}")
    _check(document, _SET)
    of_set = {**document, "set": shown_guid(parse_guid(document["set"]))}
    copies = [_copy(each, of_set) for each in document["copies"]]
    aliases = document["aliases"]
    if not all(isinstance(each, str) for each in document["writers"]):
        raise ValueError("a writer is no string")
    if not all(is_id(each) for each in aliases.values()):
        raise ValueError("an alias is no ID")
    return Metadata(
        of_set["set"],
        document["context"],
        document["service_machine"],
        copies,
        aliases,
        document["writers"],
    )


def _copy(document: Any, of_set: Mapping[str, Any]) -> ListedCopy:
    _check(document, _COPY)
    if not 0 <= document["created"] < _LATEST:
        raise ValueError("a copy was created at no time that there is")
    return ListedCopy(
        copy_id=shown_guid(parse_guid(document["copy"])),
        set_id=of_set["set"],
        copies_in_set=len(of_set["copies"]),
        volume=document["volume"],
        created=document["created"],
        device=document["device"],
        server=document["server"],
        context=of_set["context"],
        prefix=document["prefix"],
    )


def is_id(value: Any) -> bool:
    """Only such aliases are kept in the file: EXEC has aliases in its environment, and a file of
    somebody else sets no PATH there."""
    try:
        return isinstance(value, str) and shown_guid(parse_guid(value)) == value
    except ValueError:
        return False


def _check(document: Any, keys: Mapping[str, type]) -> None:
    if not isinstance(document, dict):
        raise ValueError("it has no keys")
    for key, kind in keys.items():
        value = document.get(key)
        if isinstance(value, bool) or not isinstance(value, kind):
            raise ValueError(f"its {key!r} is missing, or of the wrong kind")
