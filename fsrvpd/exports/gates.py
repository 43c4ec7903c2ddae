"""The directories that users pass to reach the copies of a share.

<key>/<digest>/in/in/copies/     the gates, one inside the other, and the directory of copies
<key>/copies -> <digest>/in/in/copies
<key>/.ways                      the gates of each directory whose copies are here, as JSON

Gates that stand are never changed: others are built beside them, the directory of copies is
moved into these, with the mounts inside it, and then the link is turned. So nobody can pass in
between, and a crash leaves what the next call completes. Everything belongs to root.

If another directory is at the share's path, the gates to the earlier one stay as well while
copies are there: who may rename a directory above the share could otherwise put up one of his
own, and open the copies of the one before. For the same reason what keeps a copy shut whose
directory nobody knows stays while that copy is there.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from hashlib import blake2b
from typing import Dict, List, Optional, Sequence, Tuple

from fsrvpd.core.bind_mounts import path_of
from fsrvpd.core.descriptors import DIRECTORY_FLAGS, closing_fd, exists_at
from fsrvpd.exports.passage import ACCESS_ACL, OPEN, Gate
from fsrvpd.protocol.exports import COPIES

# By directory, or by copy of an unknown one: group, mode, ACL of each gate.
Ways = Dict[str, List[Tuple[int, int, str]]]

_INNER, _BUILDING, _NEW_LINK = "in", ".building", ".link"
_WAYS, _NEW_WAYS = ".ways", ".new-ways"
_LINKS_OF_ONE = 3  # of a directory with one directory in it
_FILES = (_NEW_LINK, _WAYS, _NEW_WAYS)


def open_copies(key: int, directory: str, gates: Sequence[Gate], name: str) -> int:
    """A descriptor of the directory of copies, which stands behind these gates from now on.
    `key` is open; `directory` says which directory they lead to, "" that nobody knows; `name` is
    that of the copy in hand. Raises: OSError."""
    every = _all_gates(key, directory, gates, name)
    path = _path(every)
    if _link(key) != path or not exists_at(path, key) or _has_others(key, path):
        _rebuild(key, path, every)
    return os.open(path, DIRECTORY_FLAGS, dir_fd=key)


def _all_gates(key: int, directory: str, gates: Sequence[Gate], name: str) -> List[Gate]:
    before = _read_ways(key)
    others = before.keys() - {directory or name, name}
    copies = _copies(key) if others else []
    kept = {
        way: before[way]
        for way in before
        if way not in others or (way in copies if _is_copy(way) else copies)
    }
    kept.pop(name, None)
    ways = {**kept, directory or name: [(group, mode, acl.hex()) for group, mode, acl in gates]}
    if ways != before:
        _write_ways(key, ways)
    found = [
        Gate(group, mode, bytes.fromhex(acl)) for way in ways.values() for group, mode, acl in way
    ]
    return list(dict.fromkeys(found)) or [OPEN]


def _is_copy(way: str) -> bool:
    """Directories have two numbers."""
    return not way.replace(":", "").isdecimal()


def _copies(key: int) -> List[str]:
    path = _find_copies(key)
    return [] if path is None else _inside(key, path)


def _read_ways(key: int) -> Ways:
    try:
        file = os.open(_WAYS, os.O_RDONLY, dir_fd=key)
    except FileNotFoundError:
        return {}
    with closing_fd(file):
        found = json.loads(os.read(file, os.fstat(file).st_size))
    return {directory: [tuple(gate) for gate in way] for directory, way in found.items()}


def _write_ways(key: int, ways: Ways) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with open(os.open(_NEW_WAYS, flags, 0o600, dir_fd=key), "w", encoding="ascii") as file:
        json.dump(ways, file)
    os.rename(_NEW_WAYS, _WAYS, src_dir_fd=key, dst_dir_fd=key)


def _path(gates: Sequence[Gate]) -> str:
    digest = blake2b(repr([tuple(gate) for gate in gates]).encode(), digest_size=8).hexdigest()
    return "/".join([digest, *[_INNER] * (len(gates) - 1), COPIES])


def _rebuild(key: int, path: str, gates: Sequence[Gate]) -> None:
    standing = path.partition("/")[0]
    if not exists_at(os.path.dirname(path), key):  # or a crash has left a part of them
        _remove(key, standing)
        _build(key, standing, gates)
    before = _find_copies(key)
    if before is None:
        os.mkdir(path, 0o700, dir_fd=key)
    elif before != path:
        os.rename(before, path, src_dir_fd=key, dst_dir_fd=key)
    with suppress(FileNotFoundError):
        os.unlink(_NEW_LINK, dir_fd=key)
    os.symlink(path, _NEW_LINK, dir_fd=key)
    os.rename(_NEW_LINK, COPIES, src_dir_fd=key, dst_dir_fd=key)
    for other in _others(key, path):
        _remove(key, other)


def _has_others(key: int, path: str) -> bool:
    """Without reading the directory, where its links count the directories in it: on tmpfs."""
    return os.fstat(key).st_nlink != _LINKS_OF_ONE and bool(_others(key, path))


def _others(key: int, path: str) -> List[str]:
    """Gates that lead to no copies."""
    return [
        name for name in os.listdir(key) if name not in (path.partition("/")[0], COPIES, *_FILES)
    ]


def _build(key: int, name: str, gates: Sequence[Gate]) -> None:
    _remove(key, _BUILDING)
    paths = ["/".join([_BUILDING, *[_INNER] * depth]) for depth in range(len(gates))]
    for path in paths:
        os.mkdir(path, 0o700, dir_fd=key)
    for path, gate in reversed(list(zip(paths, gates))):
        _set(os.open(path, DIRECTORY_FLAGS, dir_fd=key), gate)
    os.rename(_BUILDING, name, src_dir_fd=key, dst_dir_fd=key)


def _set(fd: int, gate: Gate) -> None:
    """Give an open directory a gate's permissions, and close it."""
    with closing_fd(fd):
        os.fchown(fd, os.geteuid(), gate.group)
        if gate.acl:
            os.setxattr(path_of(fd), ACCESS_ACL, gate.acl)
        else:
            os.fchmod(fd, gate.mode)


def _find_copies(key: int) -> Optional[str]:
    """Where the directory of copies is, wherever a crash has left it."""
    for top in os.listdir(key):
        path: Optional[str] = None if top in (COPIES, *_FILES) else top
        while path:
            inside = _inside(key, path)
            if COPIES in inside:
                return f"{path}/{COPIES}"
            path = f"{path}/{_INNER}" if _INNER in inside else None
    return None


def _remove(key: int, name: str) -> None:
    """Remove gates that lead nowhere."""
    paths = [name]
    while exists_at(paths[-1], key) and _INNER in _inside(key, paths[-1]):
        paths.append(f"{paths[-1]}/{_INNER}")
    for path in reversed(paths):
        with suppress(FileNotFoundError):
            os.rmdir(path, dir_fd=key)


def _inside(key: int, path: str) -> List[str]:
    with closing_fd(os.open(path, DIRECTORY_FLAGS, dir_fd=key)) as fd:
        return os.listdir(fd)


def _link(key: int) -> str:
    try:
        return os.readlink(COPIES, dir_fd=key)
    except FileNotFoundError:
        return ""
