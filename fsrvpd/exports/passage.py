"""Who may pass the directories that lead to a share.

Whoever cannot enter a directory above a share does not reach the share. A path is resolved as
the kernel does it, name by name, on descriptors; symbolic links are followed, so that the
directories before and behind a link count. Of each directory counts who may search it.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from functools import lru_cache
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from fsrvpd.core.bind_mounts import path_of
from fsrvpd.core.handles import name_of_handle

ACCESS_ACL = "system.posix_acl_access"
_NFS4_ACL = "system.nfs4_acl"  # of a server
_ZFS_NFS4_ACL = "system.nfs4_acl_xdr"  # of ZFS on TrueNAS, where acltype is nfsv4
_FLAGS = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_LINKS = 40  # as the kernel
_HEADER, _ENTRY = struct.Struct("<I"), struct.Struct("<HHI")
_VERSION = 2
_OWNER, _USER, _GROUP, _NAMED_GROUP, _MASK, _OTHER = 1, 2, 4, 8, 16, 32
_ALL, _SEARCH = 7, 1
_NOBODY = 0xFFFFFFFF  # the id in entries that name nobody
_OF_THE_MODE = frozenset({b"OWNER@", b"GROUP@", b"EVERYONE@"})
_ZFS_HEADER, _ZFS_ENTRY = 8, struct.Struct(">5I")


class Gate(NamedTuple):
    """Permissions of a directory that belongs to root: others may search it or not, and nobody
    may write. `acl` is empty where the mode says everything."""

    group: int
    mode: int
    acl: bytes


CLOSED = Gate(0, 0o700, b"")
OPEN = Gate(0, 0o711, b"")


class Passage(NamedTuple):
    """`directory` is where a path leads, `identity` the numbers of its device and inode, `handle`
    as in ShareLocation; `gates` are different from each other."""

    directory: str
    identity: str
    gates: Tuple[Gate, ...]
    handle: str = ""


def passage(path: str) -> Passage:
    """Resolve an absolute path of a directory. Raises: OSError."""
    gates: Dict[Gate, None] = {}
    names, links = _names(path), 0
    here = os.open("/", _FLAGS)
    try:
        status = os.fstat(here)
        while names:
            gates[gate_of(here, status)] = None
            found = os.open(names.pop(), _FLAGS, dir_fd=here)
            of_found = os.fstat(found)
            if not stat.S_ISLNK(of_found.st_mode):
                os.close(here)
                here, status = found, of_found
                continue
            links += 1
            target = _target_of(found)
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            names += _names(target)
            if target.startswith("/"):
                os.close(here)
                here = os.open("/", _FLAGS)
                status = os.fstat(here)
        directory = os.readlink(path_of(here))
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        handle = name_of_handle(here)
    finally:
        os.close(here)
    identity = f"{status.st_dev}:{status.st_ino}"
    return Passage(directory, identity, tuple(gate for gate in gates if gate != OPEN), handle)


def gate_of(directory: int, status: os.stat_result) -> Gate:
    """The gate for an open directory with this status. Raises: OSError."""
    acl = _attribute(directory, ACCESS_ACL)
    if acl is None:  # the file system may have ACLs of another kind
        if _has_foreign_acl(directory):
            return CLOSED
        acl = b""
    return _gate(status.st_uid, status.st_gid, status.st_mode, acl)


@lru_cache(1024)
def _gate(owner: int, owning_group: int, permissions: int, acl: bytes) -> Gate:
    entries = list(_entries(acl)) if acl else _entries_of_mode(permissions)
    given = {tag: permission for tag, permission, _ in entries}
    if not given.get(_MASK, _ALL):  # the kernel asks no such ACL
        entries = _entries_of_mode(permissions)
        given = {tag: permission for tag, permission, _ in entries}
    mask = given.get(_MASK, _ALL)
    users = {who: given for tag, given, who in entries if tag == _USER}
    users = {who: permission & mask for who, permission in users.items()}
    groups = {who: permission & mask for tag, permission, who in entries if tag == _NAMED_GROUP}
    group, other = given[_GROUP] & mask & _SEARCH, given[_OTHER] & _SEARCH
    users[owner] = given[_OWNER]
    users.pop(0, None)  # root passes everywhere
    if group == other and all(
        each & _SEARCH == other for each in (*users.values(), *groups.values())
    ):
        return OPEN if other else CLOSED
    mode = 0o700 | group << 3 | other
    if not users and not groups:
        return Gate(owning_group, mode, b"")
    return Gate(owning_group, mode, _acl(users, group, groups, other))


def _names(path: str) -> List[str]:
    """The names of a path, the last one first."""
    return [name for name in reversed(path.split("/")) if name]


def _target_of(link: int) -> str:
    """The target of an open symbolic link, which is closed."""
    try:
        return os.readlink("", dir_fd=link)
    finally:
        os.close(link)


def _attribute(directory: int, name: str) -> Optional[bytes]:
    """Empty where the directory has none, None where its file system knows none."""
    try:
        return os.getxattr(path_of(directory), name)
    except OSError as error:
        if error.errno == errno.ENODATA:
            return b""
        if error.errno == errno.EOPNOTSUPP:
            return None
        raise


def _entries(acl: bytes) -> Iterator[Tuple[int, int, int]]:
    """Tag, permission and id of each entry. Raises: OSError for another kind of ACL."""
    if _HEADER.unpack_from(acl) != (_VERSION,):
        raise OSError(errno.EINVAL, "the ACL is of an unknown version")
    return _ENTRY.iter_unpack(acl[_HEADER.size :])


def _entries_of_mode(mode: int) -> List[Tuple[int, int, int]]:
    return [
        (_OWNER, mode >> 6 & _ALL, _NOBODY),
        (_GROUP, mode >> 3 & _ALL, _NOBODY),
        (_OTHER, mode & _ALL, _NOBODY),
    ]


def _acl(users: Dict[int, int], group: int, groups: Dict[int, int], other: int) -> bytes:
    entries = [
        (_OWNER, _ALL, _NOBODY),
        *((_USER, users[who] & _SEARCH, who) for who in sorted(users)),
        (_GROUP, group, _NOBODY),
        *((_NAMED_GROUP, groups[who] & _SEARCH, who) for who in sorted(groups)),
        (_MASK, _SEARCH, _NOBODY),
        (_OTHER, other, _NOBODY),
    ]
    return _HEADER.pack(_VERSION) + b"".join(_ENTRY.pack(*entry) for entry in entries)


def _has_foreign_acl(directory: int) -> bool:
    """Whether an ACL of NFSv4 decides by more than the mode: it cannot be put into a gate."""
    if _names_somebody(_attribute(directory, _NFS4_ACL) or b""):
        return True
    return _names_somebody_on_zfs(_attribute(directory, _ZFS_NFS4_ACL) or b"")


def _names_somebody(acl: bytes) -> bool:
    """Spec: RFC 7530, 6.2.1 (count; then type, flag, mask, and who as a string each)."""
    place = 4
    for _ in range(int.from_bytes(acl[:4], "big")):
        size = int.from_bytes(acl[place + 12 : place + 16], "big")
        who = acl[place + 16 : place + 16 + size]
        if who not in _OF_THE_MODE:
            return True
        place += 16 + (size + 3) // 4 * 4
    return False


def _names_somebody_on_zfs(acl: bytes) -> bool:
    """Flags and a count; then type, flag, whether owner, group or everyone is meant, mask, and
    who of each. What cannot be read may name anybody."""
    if not acl:
        return False
    if (len(acl) - _ZFS_HEADER) % _ZFS_ENTRY.size:
        return True
    entries = _ZFS_ENTRY.iter_unpack(acl[_ZFS_HEADER:])
    return not all(special for _, _, special, _, _ in entries)
