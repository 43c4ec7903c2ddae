"""`fsrvpctl share-config SHARE`: prints the lines for smb.conf, or the commands for a share of the
registry, that show a share's snapshots as previous versions in Windows' Explorer, through Samba's
stock shadow_copy2."""

from __future__ import annotations

import argparse
import contextlib
import grp
import pwd
import shlex
import sys
from functools import partial
from typing import Iterator, Optional, Sequence

from fsrvpd.config.load import share_options
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import FsrvpdError
from fsrvpd.options.share import BACKUP_USERS, ShareOptions
from fsrvpd.protocol.exports import directory_of_copies
from fsrvpd.protocol.ports import ShareLocation
from fsrvpd.providers.catalog.snapshot_directory import NAME
from fsrvpd.providers.catalog.timestamps import TIMESTAMP_FORMAT
from fsrvpd.providers.selection import standard
from fsrvpd.samba_command_line import open_registry, samba_tools, state_folder
from fsrvpd.shares.volumes import Volumes
from fsrvpd.terminal import wrapped
from samba_hooks import testparm, vfs_modules

_BACKUP_USERS = BACKUP_USERS.name.partition(":")[2]


def share_config(arguments: argparse.Namespace) -> int:
    with contextlib.closing(open_registry(arguments, to_read=True)) as registry:
        share = registry.share(arguments.share)
        if share is None:
            raise FsrvpdError(f"there is no share {arguments.share!r} in Samba's configuration")
        mounts, folder = LiveMounts(), state_folder(registry.configuration().state_directory)
        selection = standard(mounts, partial(share_options, registry), folder)
        location = Volumes(selection, mounts).locate(share)
    lines = [*_lines(location)]
    written = partial(_commands, arguments.configfile) if share.from_registry else _section
    print(written(share.name, lines))
    if not share.from_registry:
        print(wrapped(_place(share.name), ""), file=sys.stderr)
    print(wrapped(_keeping(share.settings), ""), file=sys.stderr)
    if _BACKUP_USERS not in share.options:
        [*_, example] = written(share.name, [(BACKUP_USERS.name, "NAME")]).splitlines()
        print(f"If NAME is to read all files in the copies, add:\n{example}", file=sys.stderr)
    for name in _unknown(share.settings.backup_users):
        why = f"the system does not know {name} now (a netgroup? winbind down?)"
        print(f"share {share.name}: {BACKUP_USERS.name}: {why}", file=sys.stderr)
    for word in _unloadable(arguments, dict(lines)["vfs objects"].split()):
        print(
            f"smbd cannot load the vfs object {word}, and nobody could use the share: install it"
            " first (on Debian: apt install samba-vfs-modules)",
            file=sys.stderr,
        )
    return 0


def _unloadable(arguments: argparse.Namespace, words: Sequence[str]) -> list[str]:
    """As far as smbd tells."""
    with contextlib.suppress(FsrvpdError):
        return vfs_modules.missing(samba_tools(arguments), words)
    return []


def _place(share: str) -> str:
    return (
        f"Put these lines into the section [{share}] that smb.conf has: of a section that is there"
        " twice, Samba drops the options with a colon of the first."
    )


def _keeping(options: ShareOptions) -> str:
    """What becomes of the versions, for whoever reads the lines."""
    if not options.keep:
        return (
            "Without `fsrvp:keep = yes` in its section the share has previous versions only while"
            " backups are made: their snapshots are deleted when they end. With it they stay, and"
            " hold space, until `fsrvp:keep last`, `fsrvp:keep daily` and the like delete them; see"
            " fsrvpd.conf-options(5). `fsrvpctl fsrvpd create-set --keep` makes one now."
        )
    if not options.limits_kept_copies:
        return (
            "`fsrvp:keep = yes`: the share's versions stay for ever, and hold space. `fsrvp:keep"
            " last`, `fsrvp:keep daily` and the like, in fsrvpd.conf-options(5), delete those that"
            " are not wanted; `fsrvpctl fsrvpd list-kept` lists them."
        )
    return (
        "`fsrvp:keep = yes`: the share's versions stay until the `fsrvp:keep` options no longer"
        " want them; `fsrvpctl fsrvpd list-kept` says which stay and why."
    )


def _unknown(names: Sequence[str]) -> Iterator[str]:
    """Those that the system does not know: they read nothing, since smbd passes over them."""
    for name in names:
        bare = name.lstrip("@+&")
        try:
            if bare == name:
                pwd.getpwnam(name)
            else:
                grp.getgrnam(bare)
        except KeyError:
            yield name


def _section(share: str, lines: Sequence[tuple[str, str]]) -> str:
    """For smb.conf. Raises: FsrvpdError if Samba would read a value as another one."""
    for name, value in lines:
        if value != value.strip() or "  " in value or value.endswith("\\"):
            raise FsrvpdError(
                f"share {share}: Samba would not read `{name} = {value}` as it is written, because"
                " of the blanks or the backslash at the end; rename the directory, or define the"
                " share with `net conf addshare`"
            )
    return "\n".join([f"[{share}]", *(f"    {name} = {value}" for name, value in lines)])


def _commands(smb_conf: Optional[str], share: str, lines: Sequence[tuple[str, str]]) -> str:
    """For a share of the registry, of which a section in smb.conf would make another share."""
    net = ["net", *(["-s", smb_conf] if smb_conf else []), "conf", "setparm", share]
    return "\n".join(shlex.join([*net, name, value]) for name, value in lines)


def _lines(location: ShareLocation) -> Iterator[tuple[str, str]]:
    """Every setting of shadow_copy2: those of [global] hold for a share that has none of its own.

    Samba: source3/modules/vfs_shadow_copy2.c, shadow_copy2_connect.
    """
    share = location.share
    yield "vfs objects", " ".join(dict.fromkeys(["shadow_copy2", *share.vfs_objects]))
    yield "shadow:snapdir", directory_of_copies(location)
    yield "shadow:basedir", location.directory
    yield "shadow:mountpoint", location.directory
    yield "shadow:snapsharepath", ""
    yield "shadow:snapprefix", "^fsrvp-"
    yield "shadow:delimiter", "_GMT"
    yield "shadow:format", f"_GMT-{TIMESTAMP_FORMAT}"
    yield "shadow:sort", "desc"
    for name in ("localtime", "sscanf", "fixinodes", "snapdirseverywhere", "crossmountpoints"):
        yield f"shadow:{name}", "no"
    if location.directory == location.volume_root:
        yield "veto files", testparm.with_veto(share.veto_files, NAME)
    yield "fsrvp:previous versions", "yes"
    if _BACKUP_USERS in share.options:
        yield BACKUP_USERS.name, share.options[_BACKUP_USERS]
