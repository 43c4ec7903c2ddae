"""Checks of a cluster of Samba servers on CTDB, as far as one node can know: each node is looked at
by its own `fsrvpctl doctor`.
"""

from __future__ import annotations

import os
import re
from hashlib import sha256
from typing import Iterator, Optional

from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.ctl.doctor.environment import Environment, install_hint, output_of
from fsrvpd.ctl.doctor.result import Finding, Severity

CTDB_BASE = "/etc/ctdb"
SCRIPT = "50.samba"
SKIPS_SHARES = re.compile(
    r"^\s*(?:export\s+)?CTDB_SAMBA_SKIP_SHARE_CHECK=[\"']?(\w*)", re.MULTILINE
)
LEAST_FREE = 64 << 20  # bytes, in each directory of CTDB's databases
_MB = 1 << 20
_CEPH = ("ceph", "fuse.ceph-fuse")
# May differ from node to node.
_OF_ONE_NODE = ("interfaces", "dns hostname", "additional dns hostnames")
_DIGITS = 16


def cluster(environment: Environment) -> Iterator[Finding]:
    if not environment.configuration.samba.clustering:
        return
    nodes = output_of("ctdb", "-X", "nodestatus", "all") or output_of("ctdb", "-X", "status")
    if nodes is None:
        text = "ctdbd does not answer on this node, so neither smbd nor fsrvpd can serve"
        command = "ctdb status" if output_of("ctdb", "version") else install_hint("ctdb")
        yield Finding(Severity.FAIL, "cluster", text, command)
    else:
        yield _membership(nodes)
        yield _lock(output_of("ctdb", "getreclock") or "")
        yield from _space(output_of("ctdb", "-X", "getdbmap") or "")
    yield from _share_check()
    yield _others(environment)


def _membership(printed: str) -> Finding:
    """Of the table of all nodes; a flag that is set is 1, and the last one says `this node`."""
    rows = [line.strip("|").split("|") for line in printed.splitlines()[1:] if line]
    this = next((row for row in rows if row[-1] == "Y"), [])
    unwell = sum("1" in row[2:-1] for row in rows)
    if not this or "1" in this[2:-1]:
        text = "CTDB does not count this node among those that are well"
        return Finding(Severity.FAIL, "cluster", text, "ctdb status")
    if unwell:
        text = f"{unwell} of {len(rows)} nodes are not well"
        return Finding(Severity.WARN, "cluster", text, "ctdb status")
    return Finding(Severity.OK, "cluster", f"this is node {this[0]} of {len(rows)}, all are well")


def _lock(path: str) -> Finding:
    if not path:
        text = (
            "there is none, so both sides of a cut cluster go on, and what one of them had done is"
            " lost: set `cluster lock` (4.15 and older: `recovery lock`) in ctdb.conf on all nodes"
        )
        return Finding(Severity.FAIL, "cluster lock", text, "man ctdb.conf")
    if path.startswith("/") and LiveMounts().lookup(os.path.dirname(path)).fs_type in _CEPH:
        text = (
            f"{path} is on CephFS, which may evict a node: then all nodes wait for the lock. Use"
            " ctdb_mutex_ceph_rados_helper"
        )
        return Finding(Severity.WARN, "cluster lock", text, "man ctdb_mutex_ceph_rados_helper")
    return Finding(Severity.OK, "cluster lock", path)


def _space(printed: str) -> Iterator[Finding]:
    """When one node's databases cannot be written, the whole cluster waits."""
    rows = [line.strip("|").split("|") for line in printed.splitlines()[1:] if line]
    directories = sorted({os.path.dirname(row[2]) for row in rows if len(row) > 2})
    free = {directory: _free(directory) for directory in directories}
    full = [each for each, size in free.items() if size is not None and size < LEAST_FREE]
    for directory in full:
        text = (
            f"{(free[directory] or 0) // _MB} MB are left in {directory}; when it is full, CTDB"
            " stops Samba on all nodes"
        )
        yield Finding(Severity.FAIL, "CTDB's space", text, f"df -h {directory}")
    if directories and not full:
        least = min(size // _MB for size in free.values() if size is not None)
        yield Finding(Severity.OK, "CTDB's space", f"{least:,} MB")


def _free(directory: str) -> Optional[int]:
    try:
        volume = os.statvfs(directory)
    except OSError:
        return None
    return volume.f_bavail * volume.f_frsize


def _share_check() -> Iterator[Finding]:
    """CTDB's script that asks Samba for all shares, and then looks for their directories."""
    script = os.path.join(CTDB_BASE, "events/legacy", f"{SCRIPT}.script")
    if not os.access(script, os.X_OK):
        return
    options = (f"{CTDB_BASE}/script.options", f"{CTDB_BASE}/events/legacy/{SCRIPT}.options")
    given = [value for path in options for value in SKIPS_SHARES.findall(_text(path))]
    if given[-1:] == ["yes"]:
        yield Finding(Severity.OK, SCRIPT, "does not look for the directories of shares")
        return
    text = (
        f"CTDB's {SCRIPT} looks for the directory of every share, copies included, and the node"
        " becomes unhealthy when one is of another node, or has just gone: add"
        f" CTDB_SAMBA_SKIP_SHARE_CHECK=yes to {options[0]}"
    )
    yield Finding(Severity.FAIL, SCRIPT, text, "man 5 ctdb-script.options")


def _text(path: str) -> str:
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _others(environment: Environment) -> Finding:
    """What no node can know of the others."""
    text = (
        "not seen from here. They need the same smb.conf (what fsrvpd reads of this one has the"
        f" checksum {_checksum(environment)}), Samba's own agent disabled, and room for CTDB:"
        " compare what doctor says on each of them"
    )
    return Finding(
        Severity.NOTE, "other nodes", text, "onnode -p all fsrvpctl doctor --no-self-test"
    )


def _checksum(environment: Environment) -> str:
    """Of [global] and all shares, as Samba reads them here."""
    samba = environment.configuration.samba
    lines = [f"{name}={value}" for name, value in samba.parameters.items()]
    lines += [repr(share) for share in environment.registry.shares()]
    kept = sorted(line for line in lines if line.partition("=")[0] not in _OF_ONE_NODE)
    text = "\n".join(kept).encode("utf-8", "surrogateescape")
    return sha256(text).hexdigest()[:_DIGITS]


CHECKS = (cluster,)
