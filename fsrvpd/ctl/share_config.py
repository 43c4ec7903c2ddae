"""`fsrvpctl share-config SHARE`: what a share's section wants, so that its snapshots are
previous versions in Windows' Explorer, through Samba's stock shadow_copy2."""

from __future__ import annotations

import argparse
import contextlib

from fsrvpd.command_line import open_registry
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import FsrvpdError
from fsrvpd.providers.mark import LABEL_FORMAT
from fsrvpd.providers.selection import standard
from fsrvpd.volumes import Volumes


def share_config(arguments: argparse.Namespace) -> int:
    with contextlib.closing(open_registry(arguments)) as registry:
        share = registry.share(arguments.share)
    if share is None:
        raise FsrvpdError(f"there is no share {arguments.share!r} in Samba's configuration")
    mounts = LiveMounts()
    selection = standard(mounts)
    place = Volumes(selection, mounts).place(share)
    where = selection.provider(place.provider).previous_versions(place)
    objects = " ".join(dict.fromkeys(["shadow_copy2", *share.vfs_objects]))
    print(
        f"[{share.name}]\n"
        f"    vfs objects = {objects}\n"
        f"    shadow:snapdir = {where.snapdir}\n"
        f"    shadow:basedir = {where.basedir}\n"
        f"    shadow:snapprefix = ^fsrvp-\n"
        f"    shadow:delimiter = _GMT\n"
        f"    shadow:format = _GMT-{LABEL_FORMAT}\n"
        f"    shadow:localtime = no\n"
        f"    shadow:sort = desc\n"
        f"    fsrvp:previous versions = yes"
    )
    return 0
