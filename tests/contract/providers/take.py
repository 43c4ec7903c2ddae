"""Run in a lab: takes snapshots of a share within one second and prints the results.

Arguments: the share's directory, then the contents of its file `versions.txt`, one for each
snapshot.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.exports.mounts import Exports
from fsrvpd.protocol.exports import Export, below, directory_of_copies
from fsrvpd.protocol.ports import Share, SnapshotRequest
from fsrvpd.providers.selection import standard
from fsrvpd.shares.volumes import Volumes
from tests.contract.providers.harness import new_id

MOMENT = 1_795_000_000.25


def main(path: str, *contents: str) -> None:
    mounts = LiveMounts()
    selection = standard(mounts, lambda share: {}, "/var/lib/fsrvpd")
    share = Share("share", path, False, options={"previous versions": "yes"})
    location = Volumes(selection, mounts).locate(share)
    provider = selection.provider(location.provider)
    exports = Exports(
        lambda export: provider.open_share(export.snapshot, export.path), lambda name: share
    )
    taken = []
    for content in contents:
        Path(path, "versions.txt").write_text(content)
        request = SnapshotRequest(new_id(), new_id(), location, False, MOMENT)
        provider.prepare(request)
        planned = provider.plan(request)
        provider.create(request, planned)
        below_root = below(location.directory, location.volume_root)
        handle = location.handle
        export = Export(share.name, location.directory, below_root, planned, handle=handle)
        exports.make(export)
        taken.append(export.mount_point)
    mounts.close()
    shadow = {"snapdir": directory_of_copies(location), "basedir": location.directory}
    print(json.dumps({"taken": taken, "shadow": shadow}))


main(*sys.argv[1:])
