"""What a file has on a Windows server beyond a POSIX file, as extended attributes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from errno import EACCES, ENODATA
from typing import Dict, List, NamedTuple, Optional, Protocol, Sequence, Tuple

from fsrvpd.requestor.files.records import Entry, FileFailure
from fsrvpd.requestor.files.xattr_names import ATTRIBUTES, CREATED, DESCRIPTOR, LARGEST, STREAM
from fsrvpd.requestor.mount.problems import Problems
from fsrvpd.requestor.mount.reading import File

_LONGEST = 255  # bytes of a name, for the kernel
_MOST = 512  # files that are remembered
_MOST_BYTES = 8 << 20  # of security descriptors that are remembered, about


class FactsTree(Protocol):
    """What is needed of a `FileTree`."""

    def open(self, path: str, stream: str = "") -> File: ...

    def streams(self, path: str) -> Sequence[Tuple[str, int]]: ...

    def security_descriptor(self, path: str) -> bytes: ...


class _Facts(NamedTuple):
    descriptor: bytes  # b"" where it was refused
    streams: Dict[str, Tuple[str, int]]  # name and size of the stream, by the attribute's name


class Xattrs:
    """Threads may share one. A file's facts are remembered: each is asked for several times."""

    def __init__(self, tree: FactsTree, problems: Problems) -> None:
        self._tree, self._problems = tree, problems
        self._lock = threading.Lock()
        self._remembered: OrderedDict[str, _Facts] = OrderedDict()
        self._bytes = 0

    def names(self, path: str) -> List[str]:
        """Raises: RequestorError."""
        facts = self._of(path)
        descriptor = [DESCRIPTOR] if facts.descriptor else []
        return [*descriptor, ATTRIBUTES, CREATED, *facts.streams]

    def value(self, path: str, entry: Entry, name: str) -> bytes:
        """Raises: RequestorError, OSError with ENODATA."""
        if name == ATTRIBUTES:
            return f"0x{entry.attributes:x}".encode()
        if name == CREATED:
            return str(entry.created).encode()
        if name == DESCRIPTOR:
            descriptor = self._of(path).descriptor
            if descriptor:
                return descriptor
        elif name.startswith(STREAM):
            stream = self._of(path).streams.get(name)
            if stream is not None:
                return self._content(path, *stream)
        raise OSError(ENODATA, "no such attribute", path)

    def _content(self, path: str, stream: str, size: int) -> bytes:
        if not size:
            return b""
        file = self._tree.open(path, stream)
        try:
            return file.read(0, size)
        finally:
            file.close()

    def _of(self, path: str) -> _Facts:
        with self._lock:
            found = self._remembered.get(path)
        if found is None:
            found = _Facts(self._descriptor(path), self._streams(path))
            self._remember(path, found)
        return found

    def _remember(self, path: str, facts: _Facts) -> None:
        with self._lock:
            if path not in self._remembered:
                self._remembered[path] = facts
                self._bytes += len(facts.descriptor)
            while len(self._remembered) > _MOST or self._bytes > _MOST_BYTES:
                _, oldest = self._remembered.popitem(last=False)
                self._bytes -= len(oldest.descriptor)

    def _descriptor(self, path: str) -> bytes:
        descriptor = self._unless_refused("descriptor-refused", path)
        if len(descriptor) > LARGEST:
            self._problems.add("descriptor-refused", path, f"it has {len(descriptor)} bytes")
            return b""
        return descriptor

    def _unless_refused(self, kind: str, path: str) -> bytes:
        try:
            return self._tree.security_descriptor(path)
        except FileFailure as failure:
            if failure.errno != EACCES:
                raise
            self._problems.add(kind, path, failure.cause)
            return b""

    def _streams(self, path: str) -> Dict[str, Tuple[str, int]]:
        try:
            streams = self._tree.streams(path)
        except FileFailure as failure:
            if failure.errno != EACCES:
                raise
            self._problems.add("streams-refused", path, failure.cause)
            return {}
        found = {}
        for stream, size in streams:
            name = f"{STREAM}{stream}"
            problem = _problem_of(name, size)
            if problem is None:
                found[name] = (stream, size)
            else:
                self._problems.add(problem, f"{path}:{stream}", f"{size} bytes")
        return found


def _problem_of(name: str, size: int) -> Optional[str]:
    if len(name.encode("utf-8", "surrogatepass")) > _LONGEST or "\0" in name or name == STREAM:
        return "stream-name"
    return "stream-too-large" if size > LARGEST else None
