"""`fsrvpctl share-config SHARE`: what a share's section wants, so that its snapshots are
previous versions in Windows' Explorer, through Samba's stock shadow_copy2."""

from __future__ import annotations

import argparse
import contextlib
from functools import partial
from typing import Iterator

from fsrvpd.command_line import open_registry, state_folder
from fsrvpd.configuration import share_options
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.ports import PreviousVersions, SharePlace
from fsrvpd.providers.home import NAME
from fsrvpd.providers.mark import LABEL_FORMAT
from fsrvpd.providers.selection import standard
from fsrvpd.volumes import Volumes


def share_config(arguments: argparse.Namespace) -> int:
    with contextlib.closing(open_registry(arguments)) as registry:
        share = registry.share(arguments.share)
        if share is None:
            raise FsrvpdError(f"there is no share {arguments.share!r} in Samba's configuration")
        mounts, folder = LiveMounts(), state_folder(registry.configuration().state_directory)
        selection = standard(mounts, partial(share_options, registry), folder)
        place = Volumes(selection, mounts).place(share)
        where = selection.provider(place.provider).previous_versions(place)
    print(f"[{share.name}]")
    for name, value in _lines(place, where):
        print(f"    {name} = {value}")
    return 0


def _lines(place: SharePlace, where: PreviousVersions) -> Iterator[tuple[str, str]]:
    share = place.share
    yield "vfs objects", " ".join(dict.fromkeys(["shadow_copy2", *share.vfs_objects]))
    yield "shadow:snapdir", where.snapdir
    yield "shadow:basedir", where.basedir
    yield "shadow:snapprefix", "^fsrvp-"
    yield "shadow:delimiter", "_GMT"
    yield "shadow:format", f"_GMT-{LABEL_FORMAT}"
    yield "shadow:localtime", "no"
    yield "shadow:sort", "desc"
    if place.directory == place.volume_root:
        yield "veto files", _veto(share.veto_files)
    yield "fsrvp:previous versions", "yes"


def _veto(files: str) -> str:
    """With the home of the snapshots, which users who may write beside it could rename."""
    names = [name for name in files.split("/") if name and name != NAME]
    return "/".join(["", *names, NAME, ""])
