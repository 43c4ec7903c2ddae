"""What disks, Samba's registry and its descriptors hold, read without fsrvpd's code."""

from __future__ import annotations

import json
import subprocess
from typing import Mapping, NamedTuple

from tests.interop.nas import Nas

# The system's Python has Samba's tdb module. registry.tdb has names of shares in upper case.
READ = r"""
import hashlib, json, os, sys, tdb
def read(name):
    return tdb.open(os.path.join(sys.argv[1], name), flags=os.O_RDONLY)
shares, prefix = [], "SAMBA_REGVAL/HKLM/SOFTWARE/SAMBA/SMBCONF/"
for key in read("registry.tdb"):
    path = key.rstrip(b"\0").decode().replace("\\", "/")
    if path.startswith(prefix):
        shares.append(path[len(prefix):].lower())
described = {}
database = read("share_info.tdb")
for key in database:
    if key.startswith(b"SECDESC/"):
        name = key.rstrip(b"\0").decode()[len("SECDESC/"):].lower()
        described[name] = hashlib.sha256(database.get(key)).hexdigest()
print(json.dumps({"shares": shares, "described": described}))
"""


class ObservedState(NamedTuple):
    """Shadow copy shares by name, in lower case; `descriptors` are hashes, of all shares.

    `snapshots` and `marks` are paths in the lab.
    """

    shares: frozenset[str]
    others: frozenset[str]  # shares in the registry that are not shadow copies
    descriptors: Mapping[str, str]
    snapshots: frozenset[str]
    marks: frozenset[str]


def read(nas: Nas) -> ObservedState:
    argv = ["/usr/bin/python3", "-c", READ, str(nas.lab.seen(nas.samba.place("state directory")))]
    answer = json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout)
    on_disk = {name.partition("/root")[2] for name in nas.snapshots()}
    marks = frozenset(name for name in on_disk if "/.marks/" in name)
    return ObservedState(
        frozenset(name for name in answer["shares"] if "@{" in name),
        frozenset(name for name in answer["shares"] if "@{" not in name),
        answer["described"],
        frozenset(on_disk - marks),
        marks,
    )
