"""Options in smb.conf: what each means, its default, and how it is read.

`GLOBAL_OPTIONS` and `SHARE_OPTIONS` are the whole list: daemon, commands and manual read
it from here.
"""

from __future__ import annotations

import difflib
import grp
import importlib.util
import os
import shlex
from dataclasses import dataclass
from typing import Any, Callable, Generic, Mapping, NamedTuple, TypeVar

from fsrvpd.errors import ConfigError
from fsrvpd.protocol.settings import DIALECTS, AgentSettings, Dialect
from fsrvpd.rpc.security.requirement import Requirement

T = TypeVar("T")
MAX_PORT = 65535
PER_CENT = 100
BOOLEANS = {
    **dict.fromkeys(("yes", "true", "on", "1"), True),
    **dict.fromkeys(("no", "false", "off", "0"), False),
}


@dataclass(frozen=True)
class Option(Generic[T]):
    """`parse` turns a text into a value, and raises ValueError saying what it wants.
    `when` is advice: when to change it."""

    name: str
    parse: Callable[[str], T]
    default: str
    meaning: str
    when: str

    def of(self, parametric: Mapping[str, str]) -> T:
        """The value in smb.conf, or the default. Raises: ConfigError."""
        text = parametric.get(self.name, self.default)
        try:
            return self.parse(text)
        except ValueError as error:
            raise ConfigError(f"smb.conf: {self.name} = {text}: {error}") from error


def boolean(text: str) -> bool:
    try:
        return BOOLEANS[text.strip().lower()]
    except KeyError:
        raise ValueError("want yes or no") from None


def count(text: str) -> int:
    """A number, zero or more."""
    if not text.strip().isdecimal():
        raise ValueError("want a whole number, zero or more")
    return int(text)


def group(text: str) -> str:
    """A Unix group that exists, or none."""
    name = text.strip()
    if name:
        try:
            grp.getgrnam(name)
        except KeyError:
            raise ValueError(f"there is no such group; groupadd --system {name}") from None
    return name


def metrics_file(text: str) -> str:
    path = text.strip()
    if path and not os.path.isdir(os.path.dirname(path)):
        raise ValueError("want the path of a file in a directory that exists")
    return _with_library(path)


def metrics_port(text: str) -> int:
    number = count(text)
    if number > MAX_PORT:
        raise ValueError(f"want a port number, {MAX_PORT} at most")
    return _with_library(number)


def _with_library(wanted: T) -> T:
    if wanted and importlib.util.find_spec("prometheus_client") is None:
        raise ValueError(
            "metrics need the Python package prometheus_client"
            " (python3-prometheus-client, or pip install 'fsrvpd[metrics]')"
        )
    return wanted


def percent(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= PER_CENT:
        raise ValueError("want a number from 0 to 100")
    return number


def seconds(text: str) -> int:
    number = count(text)
    if not number:
        raise ValueError("want a number of seconds, one or more")
    return number


def command(text: str) -> list[str]:
    """A command by its absolute path, with words behind it, quoted as for a shell."""
    argv = shlex.split(text)
    if argv and not os.path.isabs(argv[0]):
        raise ValueError("want a command with its absolute path")
    return argv


def dialect(text: str) -> Dialect:
    try:
        return DIALECTS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"want one of {', '.join(DIALECTS)}") from None


def words(text: str) -> tuple[str, ...]:
    """Words apart by blanks or commas."""
    return tuple(text.replace(",", " ").split())


REQUIRE_RPC_INTEGRITY = Option(
    "fsrvpd:require rpc integrity",
    boolean,
    "yes",
    "Refuse calls that are not signed at RPC level, as the document and Windows do.",
    "`no` for clients that do not sign, such as rpcclient without `[sign]`; the SMB"
    " session should then be signed.",
)
REQUIRE_RPC_PRIVACY = Option(
    "fsrvpd:require rpc privacy",
    boolean,
    "no",
    "Refuse calls that are not encrypted at RPC level.",
    "`yes` where the SMB sessions of backup servers are not encrypted and names must not be read.",
)
DIALECT = Option(
    "fsrvpd:dialect",
    dialect,
    "current",
    "`current` follows the document, `ws2012` Windows Server 2012 as Samba's agent and"
    " Samba's test suite know it.",
    "`ws2012` for a client that was written against Samba's agent or Windows Server 2012.",
)
SEQUENCE_TIMEOUT = Option(
    "fss:sequence timeout",
    count,
    "0",
    "Seconds after which an unfinished set whose client is silent is deleted, in place of"
    " the document's 180 and 1800. 0 keeps the document's. Samba's own name.",
    "Larger for clients that take longer between two calls; 1 in tests.",
)
PARALLEL_SETS = Option(
    "fsrvpd:parallel sets",
    boolean,
    "yes",
    "Clients at different addresses may create sets at the same time; `no` is Windows'"
    " one at a time.",
    "`no` for a client that comes from several addresses and expects one context for all.",
)
SHARED_VOLUMES = Option(
    "fsrvpd:shared volumes",
    boolean,
    "no",
    "Map several shares of one volume onto one snapshot; `no` refuses the second share of a"
    " volume in a set, as the document says.",
    "`yes` for backups of several shares of one volume that must be of one moment.",
)
MAX_SETS = Option(
    "fsrvpd:max sets",
    count,
    "10000",
    "How many shadow copy sets may exist.",
    "Smaller where the disk fills with snapshots.",
)
MIN_FREE_SPACE = Option(
    "fsrvpd:min free space",
    count,
    "0",
    "Megabytes that must be free on a volume before a snapshot of it is taken; with less the"
    " client is told that space is short. 0 takes snapshots as long as the volume can.",
    "What the users write in a day, where snapshots live for a day: the old blocks of what"
    " they change stay allocated until the snapshot goes.",
)
MAX_SETS_PER_CLIENT = Option(
    "fsrvpd:max sets per client",
    count,
    "64",
    "How many sets of one client address may exist.",
    "Larger for a backup server that keeps many sets at a time.",
)
AUTO_RELEASE_MAX_AGE = Option(
    "fsrvpd:auto release max age",
    count,
    "86400",
    "Seconds after which a set whose backup was never ended goes by itself, of the contexts"
    " backup and file share backup. Such a set also ends with a reboot. 0: never.",
    "Larger when backups last longer than a day.",
)
PERSISTENT_MAX_AGE = Option(
    "fsrvpd:persistent max age",
    count,
    "0",
    "Seconds after which a set of the rollback contexts goes by itself. 0: never.",
    "Where rollback sets are known to be forgotten.",
)
OWNER_NAME = Option(
    "fsrvpd:owner name",
    str.strip,
    "",
    "What IsPathSupported returns: the node to connect to. Empty: the netbios name.",
    "On a cluster, or where clients know the server by another name only.",
)
ADMIN_GROUP = Option(
    "fsrvpd:admin group",
    group,
    "",
    "Members of this Unix group may send `fsrvpctl` messages to the daemon, as root may."
    " Empty: root alone.",
    "For operators who are not root.",
)
SNAPSHOT_GROUP = Option(
    "fsrvpd:snapshot group",
    group,
    "",
    "Members of this Unix group may have snapshots taken and deleted through `fsrvp-snap`, of"
    " shares with Samba's vfs_shell_snap, and nothing else. Empty: root alone.",
    "With `fsrvpd:serve pipe = no`, for the users with whom backup programs log in: Samba runs"
    " `fsrvp-snap` as these.",
)
SERVE_PIPE = Option(
    "fsrvpd:serve pipe",
    boolean,
    "yes",
    "`no` leaves the FSRVP pipe to Samba's own agent; then fsrvpd only takes snapshots for"
    " it, through `fsrvp-snap` and Samba's vfs_shell_snap. Read at the start.",
    "When Samba's own agent is to stay.",
)
METRICS_FILE = Option(
    "fsrvpd:metrics file",
    metrics_file,
    "",
    "Where metrics are written every 15 seconds for the textfile collector of Prometheus'"
    " node exporter; the name should end with `.prom`. Empty: not written.",
    "With a node exporter on this host.",
)
METRICS_PORT = Option(
    "fsrvpd:metrics port",
    metrics_port,
    "0",
    "TCP port of 127.0.0.1 at which Prometheus may fetch metrics. 0: none.",
    "Without a node exporter; it is open to every local user.",
)
ADDITIONAL_HOST_NAMES = Option(
    "fsrvpd:additional host names",
    words,
    "",
    "Names and addresses this server answers to in a UNC, besides its own.",
    "Behind a DNS alias or a load balancer. Aliases of Samba's `netbios aliases` are known.",
)
GLOBAL_OPTIONS: tuple[Option[Any], ...] = (
    REQUIRE_RPC_INTEGRITY,
    REQUIRE_RPC_PRIVACY,
    DIALECT,
    SEQUENCE_TIMEOUT,
    PARALLEL_SETS,
    SHARED_VOLUMES,
    MAX_SETS,
    MAX_SETS_PER_CLIENT,
    MIN_FREE_SPACE,
    AUTO_RELEASE_MAX_AGE,
    PERSISTENT_MAX_AGE,
    OWNER_NAME,
    ADDITIONAL_HOST_NAMES,
    ADMIN_GROUP,
    METRICS_FILE,
    METRICS_PORT,
    SNAPSHOT_GROUP,
    SERVE_PIPE,
)
SHARE_OPTIONS: tuple[Option[Any], ...] = (
    Option(
        "fsrvp:enabled",
        boolean,
        "yes",
        "Offer the share for shadow copies.",
        "`no` for shares that must never be copied.",
    ),
    Option(
        "fsrvp:provider",
        str.strip,
        "auto",
        "Force one way of taking snapshots.",
        "When the first provider that can is not the wanted one; `fsrvpctl fsrvpd"
        " check-path` names them.",
    ),
    Option(
        "fsrvp:pool limit",
        percent,
        "90",
        "LVM: how full, in per cent, the thin pool may be for a snapshot to be taken.",
        "Lower where much is written between two backups: a full pool stops all its volumes.",
    ),
    Option(
        "fsrvp:check path command",
        command,
        "",
        "Of the provider `command`: says by its exit status 0 that the directory behind it can"
        " have snapshots. Empty: it can. As in vfs_shell_snap.",
        "Where not every share of a kind can.",
    ),
    Option(
        "fsrvp:create command",
        command,
        "",
        "Of the provider `command`: takes a snapshot of the directory behind it and prints where"
        " that is. As in vfs_shell_snap.",
        "With storage of which fsrvpd knows nothing; see docs/providers.md.",
    ),
    Option(
        "fsrvp:delete command",
        command,
        "",
        "Of the provider `command`: deletes a snapshot; behind it stand the directory and what"
        " the create command printed. As in vfs_shell_snap. Also in [global], for snapshots of"
        " shares that are gone.",
        "Together with `fsrvp:create command`.",
    ),
    Option(
        "fsrvp:command timeout",
        seconds,
        "60",
        "Of the provider `command`: seconds after which a command is killed.",
        "Smaller is safer to create, for a client waits 60 seconds; larger where it takes longer"
        " to delete.",
    ),
    Option(
        "fsrvp:include",
        str.strip,
        "",
        "reflink: the names of the files to clone, in the manner of `veto files`:"
        " `/*.vhdx/*.avhdx/`. Directories are cloned all the same. Empty: all files.",
        "Where a backup asks for a few large files, such as the disks of virtual machines,"
        " among very many.",
    ),
    Option(
        "fsrvp:depth",
        count,
        "0",
        "reflink: how many levels of directories are cloned, that of the share the first of"
        " them; what lies deeper is missing in the copy. 0: all.",
        "Where what is to be backed up lies near the top of a tree with very many files.",
    ),
    Option(
        "fsrvp:clone time limit",
        count,
        "50",
        "reflink: seconds after which a clone is given up, undone, and the client told so."
        " 0: never.",
        "Larger for a client that waits longer than the 60 seconds that Windows waits.",
    ),
    Option(
        "fsrvp:keep",
        boolean,
        "no",
        "Keep the snapshot when its share mapping is deleted.",
        "`yes` to keep each backup's snapshot as a previous version.",
    ),
    Option(
        "fsrvp:previous versions",
        boolean,
        "no",
        "Let users list the share's snapshots, so that shadow_copy2 can show them.",
        "`yes` together with the lines of `fsrvpctl share-config`.",
    ),
)
SAMBAS_OWN = ("fss:prune stale",)  # known to Samba's agent, without meaning for ours


class DaemonSettings(NamedTuple):
    """All of smb.conf that concerns the daemon."""

    agent: AgentSettings
    requirement: Requirement
    host_names: tuple[str, ...]
    admin_group: str = ""
    metrics_file: str = ""
    metrics_port: int = 0
    min_free_space: int = 0  # megabytes
    serve_pipe: bool = True
    snapshot_group: str = ""


def parametric(options: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Samba's options by namespace as options by full name."""
    return {f"{kind}:{name}": text for kind, of in options.items() for name, text in of.items()}


def read(given: Mapping[str, str], netbios_name: str) -> DaemonSettings:
    """The settings from the parametric options of [global], by their full names.

    Raises: ConfigError naming the option, its value, and what it wants instead.
    """
    agent = AgentSettings(
        owner_machine_name=OWNER_NAME.of(given) or netbios_name,
        dialect=DIALECT.of(given),
        sequence_timeout=SEQUENCE_TIMEOUT.of(given) or None,
        parallel_sets=PARALLEL_SETS.of(given),
        shared_volumes=SHARED_VOLUMES.of(given),
        max_sets=MAX_SETS.of(given),
        max_sets_per_client=MAX_SETS_PER_CLIENT.of(given),
        auto_release_max_age=AUTO_RELEASE_MAX_AGE.of(given),
        persistent_max_age=PERSISTENT_MAX_AGE.of(given),
    )
    requirement = Requirement(
        integrity=REQUIRE_RPC_INTEGRITY.of(given), privacy=REQUIRE_RPC_PRIVACY.of(given)
    )
    return DaemonSettings(
        agent,
        requirement,
        host_names=ADDITIONAL_HOST_NAMES.of(given),
        admin_group=ADMIN_GROUP.of(given),
        metrics_file=METRICS_FILE.of(given),
        metrics_port=METRICS_PORT.of(given),
        min_free_space=MIN_FREE_SPACE.of(given),
        serve_pipe=SERVE_PIPE.of(given),
        snapshot_group=SNAPSHOT_GROUP.of(given),
    )


def check_share(given: Mapping[str, str]) -> list[str]:
    """What is strange about the options of one share, by their full names.

    Raises: ConfigError naming an option whose value cannot be read.
    """
    for option in SHARE_OPTIONS:
        option.of(given)
    return unknown(given)


def unknown(given: Mapping[str, str]) -> list[str]:
    """A sentence for each option of ours in [global] that does not exist.

    Options of shares may stand there as defaults for all shares.
    """
    known = [option.name for option in (*GLOBAL_OPTIONS, *SHARE_OPTIONS)]
    sentences = []
    for name in given:
        if name in known or name in SAMBAS_OWN:
            continue
        near = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        sentences.append(f"{name}: there is no such option{hint}")
    return sentences
