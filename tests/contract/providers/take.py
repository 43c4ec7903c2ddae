"""Run in a lab: takes snapshots of a share within one second and prints what came of it.

Arguments: the share's directory, then the contents that the file `versions.txt` in it is
to have in one snapshot after the other.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.protocol.ports import Share, SnapshotRequest
from fsrvpd.providers.selection import standard
from fsrvpd.volumes import Volumes
from tests.contract.providers.bed import new_id

MOMENT = 1_795_000_000.25


def main(path: str, *contents: str) -> None:
    mounts = LiveMounts()
    selection = standard(mounts, lambda share: {}, "/var/lib/fsrvpd")
    share = Share("share", path, False, options={"previous versions": "yes"})
    place = Volumes(selection, mounts).place(share)
    provider = selection.provider(place.provider)
    taken = []
    for content in contents:
        Path(path, "versions.txt").write_text(content)
        request = SnapshotRequest(new_id(), new_id(), place, False, MOMENT)
        planned = provider.plan(request)
        provider.prepare(request)
        provider.create(request, planned)
        taken.append(planned.share_path)
    mounts.close()
    print(json.dumps({"taken": taken, "shadow": provider.previous_versions(place)._asdict()}))


main(*sys.argv[1:])
