"""What a shadow copy share does with each of Samba's share parameters and VFS modules.

The rule: a user who could not do a thing through the base share cannot do it through the copy, and
nothing in a copy reaches live data. `docs/share-parameters.md` is written from these tables; tests
compare them with the parameters of the Samba at hand.

Samba: smb.conf(5) and docs-xml/smbdotconf (context="S") of 4.13, 4.17, 4.22, 4.24 and 4.25; the
pages vfs_*(8) of the same releases.
"""

from __future__ import annotations

from typing import Dict, Mapping, NamedTuple, Tuple

from fsrvpd.options.share import WITHOUT_STREAMS

INHERITED = "inherited"
REPLACED = "replaced"  # by another value, or its effect is in the other parameters already
SWITCHED_OFF = "switched off"  # `value` is written instead
NOT_COPIED = "not copied"  # it has no effect in a copy
REFUSED = "refused"  # a share that sets it has no shadow copies


class Treatment(NamedTuple):
    kind: str
    why: str
    value: str = ""  # of a parameter that is switched off
    unless: str = ""  # the option that allows what is refused; the copy then lacks it


# The parameters are those of smb.conf(5), in the spelling of testparm.
_INHERITED: Mapping[str, Tuple[str, ...]] = {
    "they read everything in the share, too; `fsrvp:backup users` join them in a copy that nobody"
    " can write to": ("admin users",),
    "it restricts who may use the share, or how": (
        "access based share enum",
        "administrative share",
        "available",
        "browseable",
        "hosts allow",
        "hosts deny",
        "invalid users",
        "max connections",
        "read list",
        "server addresses",
        "server smb encrypt",
        "smb encrypt",
        "valid users",
    ),
    "it restricts which files are seen or opened": (
        "acl allow execute always",
        "acl check permissions",
        "dont descend",
        "follow symlinks",
        "hide dot files",
        "hide files",
        "hide new files timeout",
        "hide special files",
        "hide unreadable",
        "hide unwriteable files",
        "honor change notify privilege",
        "nt acl support",
        "veto files",
    ),
    "it decides as whom a user acts; in the copy as in the share": (
        "force group",
        "force user",
    ),
    "it decides what a writer may do; a copy is writable until RecoveryComplete at most": (
        "acl flag inherited canonicalization",
        "acl group control",
        "acl map full control",
        "create mask",
        "delete readonly",
        "delete veto files",
        "directory mask",
        "dos filemode",
        "force create mode",
        "force directory mode",
        "force unknown acl user",
        "inherit acls",
        "inherit owner",
        "inherit permissions",
        "map acl inherit",
    ),
    "it decides how names and attributes appear": (
        "case sensitive",
        "default case",
        "dos filetime resolution",
        "dos filetimes",
        "ea support",
        "fake directory create times",
        "fstype",
        "mangled names",
        "mangling char",
        "map archive",
        "map hidden",
        "map readonly",
        "map system",
        "preserve case",
        "share:fake_fscaps",
        "short preserve case",
        "smb3 unix extensions",
        "smbd async dosmode",
        "smbd max async dosmode",
        "smbd max xattr size",
        "store dos attributes",
        "volume",
        "volume serial number",
    ),
    "it decides how files are locked and kept open; a copy has files, and so locks, of its own": (
        "blocking locks",
        "check parent directory delete on close",
        "durable handles",
        "fake oplocks",
        "kernel oplocks",
        "kernel share modes",
        "level2 oplocks",
        "locking",
        "oplocks",
        "posix locking",
        "smbd force process locks",
        "smbd getinfo ask sharemode",
        "smbd search ask sharemode",
        "strict locking",
        "strict rename",
        "veto oplock files",
    ),
    "it decides how fast, and how safely, files are read and written": (
        "afs share",
        "aio read size",
        "aio write behind",
        "aio write size",
        "allocation roundup size",
        "block size",
        "dfree cache time",
        "directory name cache size",
        "dmapi support",
        "smbd profiling share",
        "strict allocate",
        "strict sync",
        "sync always",
        "use sendfile",
        "vfs mkdir use tmp name",
    ),
}

_NOT_COPIED: Mapping[str, Tuple[str, ...]] = {
    "of printers, which have no copies": (
        "cups options",
        "default devmode",
        "force printername",
        "lppause command",
        "lpq command",
        "lpresume command",
        "lprm command",
        "max print jobs",
        "max reported print jobs",
        "min print space",
        "print command",
        "print notify backchannel",
        "printer name",
        "printing",
        "printjob username",
        "queuepause command",
        "queueresume command",
        "use client driver",
    ),
    "of DFS roots, which have no copies": ("msdfs proxy", "msdfs shuffle referrals"),
    "of Spotlight, which is off": (
        "elasticsearch:address",
        "elasticsearch:index",
        "elasticsearch:max results",
        "elasticsearch:port",
        "elasticsearch:use tls",
        "spotlight backend",
    ),
    "of the file server of the AD DC, which does not serve copies": ("ntvfs handler",),
}

_NO_SCRIPT = "the script did not ask for the path of a copy"

PARAMETERS: Dict[str, Treatment] = {
    **{name: Treatment(INHERITED, why) for why, names in _INHERITED.items() for name in names},
    **{name: Treatment(NOT_COPIED, why) for why, names in _NOT_COPIED.items() for name in names},
    "path": Treatment(REPLACED, "the share's directory inside the snapshot"),
    "comment": Treatment(REPLACED, "“Shadow copy of …”"),
    "copy": Treatment(REPLACED, "the copied parameters are in the copy themselves"),
    "include": Treatment(
        REPLACED,
        "the included parameters are in the copy themselves; refused if the file depends on the"
        " client",
    ),
    "vfs objects": Treatment(REPLACED, "the modules that the next table says"),
    "read only": Treatment(REPLACED, "`yes`, except in a copy that the client asked to write to"),
    "write list": Treatment(REPLACED, "empty in a read-only copy: its users could write to it"),
    "preexec": Treatment(
        REPLACED, "inherited with `preexec close`, as an access check; else " + _NO_SCRIPT
    ),
    "preexec close": Treatment(INHERITED, "it makes `preexec` an access check"),
    "root preexec": Treatment(
        REPLACED, "inherited with `root preexec close`, as an access check; else " + _NO_SCRIPT
    ),
    "root preexec close": Treatment(INHERITED, "it makes `root preexec` an access check"),
    "guest ok": Treatment(SWITCHED_OFF, "only users who log in may read a copy", "No"),
    "guest only": Treatment(
        SWITCHED_OFF,
        "the same; if the share makes everybody the guest, the copy requires a login and then acts"
        " as the guest account",
        "No",
    ),
    "wide links": Treatment(
        SWITCHED_OFF, "an absolute link would lead out of the copy, to live data", "No"
    ),
    "postexec": Treatment(SWITCHED_OFF, _NO_SCRIPT),
    "root postexec": Treatment(SWITCHED_OFF, _NO_SCRIPT),
    "magic script": Treatment(SWITCHED_OFF, "nothing is run from a copy"),
    "magic output": Treatment(SWITCHED_OFF, "belongs to `magic script`"),
    "dfree command": Treatment(SWITCHED_OFF, _NO_SCRIPT),
    "csc policy": Treatment(
        REPLACED,
        "`disable` instead of `documents` and `programs`, by which clients would keep files of a"
        " copy that is deleted",
    ),
    "spotlight": Treatment(SWITCHED_OFF, "a copy is not indexed", "No"),
    "continuous availability": Treatment(
        SWITCHED_OFF, "smbd keeps no open file through a failover, and clients need not wait", "No"
    ),
    "smb3 share cap:continuous availability": Treatment(
        SWITCHED_OFF, "the same, as releases before 4.25 spell it", "No"
    ),
    "printable": Treatment(REFUSED, "it is a printer"),
    "msdfs root": Treatment(REFUSED, "it is a DFS root, whose folders are on other servers"),
}

# The parameters whose values are lists (P_CMDLIST).
LISTS = frozenset(
    {
        "admin users",
        "hosts allow",
        "hosts deny",
        "invalid users",
        "read list",
        "server addresses",
        "valid users",
        "vfs objects",
        "write list",
    }
)

_NO_SNAPSHOTS = "a copy has no previous versions of its own, and nobody takes snapshots through it"
_DATABASE = (
    "it keeps permissions in a database, by device and inode, so that a copy would have none; use"
    " acl_xattr"
)
_ELSEWHERE = "its files are not in a file system of this machine; share a mounted directory instead"

_MODULES_INHERITED = {
    "it stores or checks permissions": (
        *("acl_xattr", "afsacl", "aixacl", "aixacl2", "dfs_samba4", "fake_acls", "fake_perms"),
        *("gpfs", "hpuxacl", "linux_xfs_sgid", "nfs4acl_xattr", "posixacl", "readonly"),
        *("solarisacl", "tru64acl", "virusfilter", "vxfs", "worm", "zfsacl"),
    ),
    "it records what users do": ("audit", "extd_audit", "full_audit", "time_audit"),
    "it translates names, streams or attributes, which are in the copy as well": (
        *("cap", "catia", "dirsort", "fruit", "media_harmony", "offline", "streams_xattr"),
        *("tsmsm", "unityed_media", "expand_msdfs"),
    ),
    "it decides how files are read and written": (
        *("aio_fork", "aio_pthread", "aio_ratelimit", "cacheprime", "commit", "crossrename"),
        *("default_quota", "delay_inject", "error_inject", "fake_dfq", "glusterfs_fuse"),
        *("io_uring", "prealloc", "preopen", "readahead", "syncops"),
    ),
}

MODULES: Dict[str, Treatment] = {
    **{
        name: Treatment(INHERITED, why)
        for why, names in _MODULES_INHERITED.items()
        for name in names
    },
    **{
        name: Treatment(NOT_COPIED, _NO_SNAPSHOTS)
        for name in (
            "btrfs",
            "ceph_snapshots",
            "shadow_copy",
            "shadow_copy2",
            "shadow_copy_zfs",
            "shell_snap",
            "snapper",
            "zfs_fsrvp",
        )
    },
    "recycle": Treatment(NOT_COPIED, "nothing is moved into a recycle bin, which may be elsewhere"),
    "widelinks": Treatment(NOT_COPIED, "`wide links` is off"),
    "fileid": Treatment(
        NOT_COPIED,
        "it can give a file in the copy the identity, and so the locks, of the live file",
    ),
    "acl_tdb": Treatment(REFUSED, _DATABASE),
    "xattr_tdb": Treatment(REFUSED, _DATABASE),
    "posix_eadb": Treatment(REFUSED, _DATABASE),
    "streams_depot": Treatment(
        REFUSED,
        "it keeps streams outside their files, by device and inode: a copy would have none, or"
        f" would write to those of the share; use streams_xattr, or, if streams do not matter, set"
        f" {WITHOUT_STREAMS.name} = yes",
        unless=WITHOUT_STREAMS.name,
    ),
    **{
        name: Treatment(REFUSED, _ELSEWHERE)
        for name in ("ceph", "ceph_new", "ceph_rgw", "glusterfs")
    },
}

# Options of modules; those of [global] are the defaults of every share.
OPTIONS: Dict[str, Treatment] = {
    "fruit:time machine": Treatment(SWITCHED_OFF, "a copy is not a Time Machine", "No"),
    "fruit:time machine max size": Treatment(NOT_COPIED, "belongs to `fruit:time machine`"),
    "virusfilter:infected file action": Treatment(
        SWITCHED_OFF,
        "an infected file stays closed, but nothing is moved out of a copy or deleted in it",
        "nothing",
    ),
    "virusfilter:infected file command": Treatment(SWITCHED_OFF, _NO_SCRIPT),
    "virusfilter:scan error command": Treatment(SWITCHED_OFF, _NO_SCRIPT),
}
# By prefix: options of modules that no copy has, and of fsrvpd.
NAMESPACES: Dict[str, Treatment] = {
    **{
        prefix: Treatment(NOT_COPIED, "the module is in no copy")
        for prefix in (
            "btrfs",
            "fileid",
            "recycle",
            "shadow",
            "shell_snap",
            "snapper",
            "streams_depot",
        )
    },
    "fsrvp": Treatment(NOT_COPIED, "fsrvpd's own; a copy is not copied again"),
}


_UNKNOWN = Treatment(INHERITED, "fsrvpd does not know it, and it may be what restricts access")


def treatment(name: str) -> Treatment:
    """Of a parameter or option in the spelling of `testparm.parameter_name`."""
    namespace = name.partition(":")[0] if ":" in name else ""
    return PARAMETERS.get(name) or OPTIONS.get(name) or NAMESPACES.get(namespace) or _UNKNOWN


def module_name(word: str) -> str:
    """Of a word in `vfs objects`, in which Samba allows `name:instance` and a path to a module."""
    return word.partition(":")[0].rpartition("/")[2].lower().partition(".so")[0]


def module_treatment(word: str) -> Treatment:
    return MODULES.get(module_name(word), _UNKNOWN)
