"""The options of a share, `fsrvp:…` in smb.conf, and their typed values.

They are also valid in [global], as defaults for all shares.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Dict, Mapping, NamedTuple, Tuple

from fsrvpd.errors import ConfigError
from fsrvpd.options.option import (
    Option,
    accounts,
    boolean,
    command,
    count,
    full_names,
    keyword,
    paths_or_ids,
    patterns,
    percent,
    seconds,
    time_limit,
)

NAMESPACE = "fsrvp"
ANY_PROVIDER = "auto"
_CACHED_SHARES = 1024

ENABLED = Option(
    "fsrvp:enabled",
    boolean,
    "yes",
    "Allow shadow copies of the share.",
    "`no` for shares that must never be copied.",
)
PROVIDER = Option(
    "fsrvp:provider",
    keyword,
    ANY_PROVIDER,
    "Use this snapshot provider instead of choosing one automatically.",
    "When the provider that is chosen first is not the one you want; `fsrvpctl fsrvpd"
    " check-path` lists them.",
)
POOL_LIMIT = Option(
    "fsrvp:pool limit",
    percent,
    "90",
    "Usage of the thin pool, in per cent, above which no more snapshots are taken (`lvm`"
    " provider).",
    "Lower where much is written between two backups: a full pool stops all its volumes.",
)
CHECK_PATH_COMMAND = Option(
    "fsrvp:check path command",
    command,
    "",
    "Command that checks whether snapshots of a directory can be taken (`command` provider)."
    " It is called with one argument, the share's directory, and exits with status 0 if they"
    " can. Empty: no check. As in vfs_shell_snap.",
    "Where some shares are on storage that cannot take snapshots.",
)
CREATE_COMMAND = Option(
    "fsrvp:create command",
    command,
    "",
    "Command that takes a snapshot (`command` provider). It is called with one argument, the"
    " share's directory, and prints the path of the snapshot. As in vfs_shell_snap.",
    "With storage that fsrvpd does not support itself; see docs/providers.md.",
)
DELETE_COMMAND = Option(
    "fsrvp:delete command",
    command,
    "",
    "Command that deletes a snapshot (`command` provider). It is called with two arguments:"
    " the share's directory and the path printed by `fsrvp:create command`. As in"
    " vfs_shell_snap. The one in [global] is used for snapshots of shares that no longer"
    " exist.",
    "Together with `fsrvp:create command`.",
)
COMMAND_TIMEOUT = Option(
    "fsrvp:command timeout",
    seconds,
    "60",
    "Time, in seconds, after which a command is killed (`command` provider).",
    "Smaller is safer for the create command, since a client waits 60 seconds; larger if"
    " deleting a snapshot takes longer.",
)
INCLUDE = Option(
    "fsrvp:include",
    patterns,
    "",
    "Names of the files to clone (`reflink` provider), written like `veto files`:"
    " `/*.vhdx/*.avhdx/`. Directories are always cloned. Empty: all files.",
    "Where a backup needs a few large files, such as disks of virtual machines, among very many.",
)
DEPTH = Option(
    "fsrvp:depth",
    count,
    "0",
    "Number of directory levels to clone (`reflink` provider); the share's own directory is"
    " level 1. Anything deeper is left out of the copy. 0 means no limit.",
    "Where the files to back up are near the top of a tree with very many files.",
)
CLONE_TIME_LIMIT = Option(
    "fsrvp:clone time limit",
    time_limit,
    "50",
    "Time, in seconds, after which cloning is stopped and undone and the client gets an error"
    " (`reflink` provider). 0 means no limit.",
    "Larger for a client that waits longer than the 60 seconds that Windows waits.",
)
KEEP = Option(
    "fsrvp:keep",
    boolean,
    "no",
    "Keep the snapshot when its share mapping is deleted, or its complete set ends in another"
    " way: as a previous version of the share, until the options below, or `fsrvpctl fsrvpd"
    " delete-kept`, delete it. Without any of these options it is kept for ever.",
    "`yes` to keep each backup's snapshot as a previous version.",
)
KEEP_LAST = Option(
    "fsrvp:keep last",
    count,
    "0",
    "Number of kept copies of the share. Older ones are deleted, unless one of the next five"
    " options wants them; the newest is never deleted. 0 in all six: no limit by number.",
    "Where copies should not fill the volume: 30 for a month of daily backups.",
)


def _one_for_each(period: str, adverb: str) -> Option[int]:
    return Option(
        f"fsrvp:keep {adverb}",
        count,
        "0",
        f"Keep the newest copy of each {period}, for this number of the last {period}s that have"
        " one (as snapper, sanoid and restic do).",
        "To keep few old copies beside many new ones.",
    )


KEEP_HOURLY = _one_for_each("hour", "hourly")
KEEP_DAILY = _one_for_each("day", "daily")
KEEP_WEEKLY = _one_for_each("week", "weekly")
KEEP_MONTHLY = _one_for_each("month", "monthly")
KEEP_YEARLY = _one_for_each("year", "yearly")
KEEP_DAYS = Option(
    "fsrvp:keep days",
    count,
    "0",
    "Number of days after which a kept copy is deleted, whatever the options above say; the"
    " newest is never deleted. 0: no limit by age.",
    "Where data must not be kept for longer than a rule allows.",
)
KEEP_FREE_SPACE = Option(
    "fsrvp:keep free space",
    count,
    "0",
    "Free space, in megabytes, of the share's volume below which the oldest kept copies are"
    " deleted, one after the other, until there is as much; never the newest. The next one is"
    " deleted when the space of the last has been free for ten minutes, since storage frees it in"
    " the background. Ignored with the providers `lvm`, `cephfs` and `command`, where the volume"
    " need not have more free space without a copy. 0: a full volume deletes nothing.",
    "Where new backups are worth more than old copies.",
)
PREVIOUS_VERSIONS = Option(
    "fsrvp:previous versions",
    boolean,
    "no",
    "Let users list the share's snapshots, so that shadow_copy2 can show them.",
    "`yes` together with the lines printed by `fsrvpctl share-config`.",
)
BACKUP_USERS = Option(
    "fsrvp:backup users",
    accounts,
    "",
    "Users and groups who read all files in a copy of the share, whatever the files' permissions"
    " say, written like `admin users`: `backup @operators`. They must be let into the share, get"
    " nothing more in the share itself, and cannot write to the copy.",
    "For the account with which a backup program reads: files that it may not read are missing in"
    " a backup, often without an error. SeBackupPrivilege does not help, since smbd ignores it.",
)
WITHOUT_STREAMS = Option(
    "fsrvp:without streams",
    boolean,
    "no",
    "Make copies of a share with `vfs objects = streams_depot`, although they have none of the"
    " streams, which that module keeps elsewhere.",
    "Where nothing but Windows' own marks (`Zone.Identifier`) is in streams. A backup lacks them,"
    " and so does what is restored from it: otherwise use streams_xattr.",
)
IGNORE_SUBVOLUMES = Option(
    "fsrvp:ignore subvolumes",
    paths_or_ids,
    "",
    "Subvolumes and mounts below the share that its copies need not contain, separated by"
    ' blanks: paths from the share\'s directory (`docker "my scratch"`), each with all that is'
    " below it, or ids of btrfs subvolumes (`257`). A path counts only if users cannot rename"
    " what is on the way to it: they could give its name to other data.",
    "When `fsrvpctl fsrvpd check-path` names something in the share that is no data of its own."
    " Read-only snapshots of the share, and those of snapper, are passed over anyway.",
)
SHARE_OPTION_GROUPS: Dict[str, Tuple[Option[Any], ...]] = {
    "Snapshots": (
        *(ENABLED, PROVIDER, PREVIOUS_VERSIONS, BACKUP_USERS, IGNORE_SUBVOLUMES),
        WITHOUT_STREAMS,
    ),
    "Kept copies": (
        *(KEEP, KEEP_LAST, KEEP_HOURLY, KEEP_DAILY, KEEP_WEEKLY, KEEP_MONTHLY, KEEP_YEARLY),
        *(KEEP_DAYS, KEEP_FREE_SPACE),
    ),
    "The `lvm` provider": (POOL_LIMIT,),
    "The `reflink` provider": (INCLUDE, DEPTH, CLONE_TIME_LIMIT),
    "The `command` provider": (
        *(CHECK_PATH_COMMAND, CREATE_COMMAND, DELETE_COMMAND, COMMAND_TIMEOUT),
    ),
}
SHARE_OPTIONS = tuple(option for group in SHARE_OPTION_GROUPS.values() for option in group)


def faults(given: Mapping[str, str]) -> Tuple[Tuple[str, str], ...]:
    """The full name of each option, among those of a share without prefix, whose value cannot be
    understood, and why. Cheap to call often."""
    return _faults(tuple(given.items()))


@lru_cache(_CACHED_SHARES)
def _faults(items: Tuple[Tuple[str, str], ...]) -> Tuple[Tuple[str, str], ...]:
    given = full_names({NAMESPACE: dict(items)})
    found = []
    for option in SHARE_OPTIONS:
        try:
            option.read(given)
        except ConfigError as error:
            found.append((option.name, str(error)))
    return tuple(found)


class ShareOptions(NamedTuple):
    """The options of one share.

    A share with a value that cannot be parsed has no shadow copies (`faults`). Those that it
    had before must still be deleted: here such a value counts as the default. Commands are the
    exception: they stay texts until they are run.
    """

    enabled: bool
    provider: str  # ANY_PROVIDER: choose one
    previous_versions: bool
    backup_users: Tuple[str, ...]
    ignore_subvolumes: Tuple[str, ...]  # paths from the share's directory, and ids
    without_streams: bool
    keep: bool
    keep_last: int
    keep_hourly: int
    keep_daily: int
    keep_weekly: int
    keep_monthly: int
    keep_yearly: int
    keep_days: int
    keep_free_space: int  # MB
    pool_limit: float  # per cent
    include: str  # patterns in the manner of `veto files`, "" for all files
    depth: int  # levels of directories, 0 for all
    clone_time_limit: float  # s, inf for none
    check_path_command: str
    create_command: str
    delete_command: str
    command_timeout: int  # s

    @property
    def limits_kept_copies(self) -> bool:
        """Whether an option may have a kept copy deleted."""
        numbers = (self.keep_last, self.keep_hourly, self.keep_daily, self.keep_weekly)
        others = (self.keep_monthly, self.keep_yearly, self.keep_days, self.keep_free_space)
        return any((*numbers, *others))

    @staticmethod
    def require_retention(given: Mapping[str, str]) -> None:
        """Raises: ConfigError when one of the options that say what to delete cannot be parsed:
        the others might have something deleted that it would keep."""
        named = full_names({NAMESPACE: given})
        for option in SHARE_OPTION_GROUPS["Kept copies"]:
            option.read(named)

    @classmethod
    def read(cls, given: Mapping[str, str]) -> ShareOptions:
        """From the share's options without prefix (`Share.options`); unknown ones are
        ignored. Cheap to call often: the same options are parsed once."""
        return _read(tuple(given.items()))


@lru_cache(_CACHED_SHARES)
def _read(items: Tuple[Tuple[str, str], ...]) -> ShareOptions:
    given = full_names({NAMESPACE: dict(items)})
    return ShareOptions(
        enabled=ENABLED.read_or_default(given),
        provider=PROVIDER.read_or_default(given),
        previous_versions=PREVIOUS_VERSIONS.read_or_default(given),
        backup_users=BACKUP_USERS.read_or_default(given),
        ignore_subvolumes=IGNORE_SUBVOLUMES.read_or_default(given),
        without_streams=WITHOUT_STREAMS.read_or_default(given),
        keep=KEEP.read_or_default(given),
        keep_last=KEEP_LAST.read_or_default(given),
        keep_hourly=KEEP_HOURLY.read_or_default(given),
        keep_daily=KEEP_DAILY.read_or_default(given),
        keep_weekly=KEEP_WEEKLY.read_or_default(given),
        keep_monthly=KEEP_MONTHLY.read_or_default(given),
        keep_yearly=KEEP_YEARLY.read_or_default(given),
        keep_days=KEEP_DAYS.read_or_default(given),
        keep_free_space=KEEP_FREE_SPACE.read_or_default(given),
        pool_limit=POOL_LIMIT.read_or_default(given),
        include=INCLUDE.read_or_default(given),
        depth=DEPTH.read_or_default(given),
        clone_time_limit=CLONE_TIME_LIMIT.read_or_default(given),
        check_path_command=given.get(CHECK_PATH_COMMAND.name, "").strip(),
        create_command=given.get(CREATE_COMMAND.name, "").strip(),
        delete_command=given.get(DELETE_COMMAND.name, "").strip(),
        command_timeout=COMMAND_TIMEOUT.read_or_default(given),
    )
