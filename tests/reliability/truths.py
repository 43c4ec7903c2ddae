"""What the disks, Samba's registry and its descriptors hold, read without our own code."""

from __future__ import annotations

import json
import subprocess
from typing import Mapping, NamedTuple

from tests.interop.site import Site

# The system's Python has Samba's tdb. Names of shares come in upper case from registry.tdb.
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


class Truths(NamedTuple):
    """Names of shadow copy shares in lower case; `descriptors` of all shares, hashed;
    `snapshots` and `marks` by path, as the lab sees it."""

    shares: frozenset[str]
    others: frozenset[str]  # shares in the registry that are not shadow copies
    descriptors: Mapping[str, str]
    snapshots: frozenset[str]
    marks: frozenset[str]


def read(site: Site) -> Truths:
    argv = ["/usr/bin/python3", "-c", READ, str(site.lab.seen(site.samba.place("state directory")))]
    answer = json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout)
    on_disk = {name.partition("/root")[2] for name in site.snapshots()}
    marks = frozenset(name for name in on_disk if "/.marks/" in name)
    return Truths(
        frozenset(name for name in answer["shares"] if "@{" in name),
        frozenset(name for name in answer["shares"] if "@{" not in name),
        answer["described"],
        frozenset(on_disk - marks),
        marks,
    )
