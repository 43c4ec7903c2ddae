"""The options of the daemon, `fsrvpd:…` in [global] of smb.conf, and their typed values.

`GLOBAL_OPTIONS` here and `SHARE_OPTIONS` in `fsrvpd.options.share` are the complete list; the
documentation is generated from it.
"""

from __future__ import annotations

import difflib
import grp
import importlib.util
import os
from typing import Any, Mapping, NamedTuple, TypeVar

from fsrvpd.errors import ConfigError
from fsrvpd.options.option import Option, boolean, count, printable, unquoted, words
from fsrvpd.options.share import SHARE_OPTIONS
from fsrvpd.protocol.settings import DIALECTS, AgentSettings, Dialect
from fsrvpd.rpc.security.requirement import RequiredProtection

T = TypeVar("T")
MAX_PORT = 65535


def group(text: str) -> str:
    """The name of an existing Unix group, or ""."""
    name = unquoted(text).strip()
    if name:
        try:
            grp.getgrnam(name)
        except KeyError:
            raise ValueError(f"no such group; create it with `groupadd --system {name}`") from None
    return name


def metrics_file(text: str) -> str:
    path = unquoted(text).strip()
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


def dialect(text: str) -> Dialect:
    try:
        return DIALECTS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"want one of {', '.join(DIALECTS)}") from None


REQUIRE_RPC_INTEGRITY = Option(
    "fsrvpd:require rpc integrity",
    boolean,
    "yes",
    "Refuse calls that are not signed at RPC level, as MS-FSRVP and Windows do.",
    "`no` for clients that do not sign, such as rpcclient without `[sign]`; the SMB"
    " session should then be signed.",
)
REQUIRE_RPC_PRIVACY = Option(
    "fsrvpd:require rpc privacy",
    boolean,
    "no",
    "Refuse calls that are not encrypted at RPC level.",
    "`yes` if backup servers do not encrypt their SMB sessions and the names of shares must"
    " stay secret.",
)
DIALECT = Option(
    "fsrvpd:dialect",
    dialect,
    "current",
    "`current` follows MS-FSRVP; `ws2012` behaves like Windows Server 2012, which Samba's own"
    " agent and Samba's test suite imitate.",
    "`ws2012` for a client that was written for Samba's agent or Windows Server 2012.",
)
SEQUENCE_TIMEOUT = Option(
    "fss:sequence timeout",
    count,
    "0",
    "Time, in seconds, after which an unfinished shadow copy set is removed if its client is"
    " silent. 0: 180 or 1800 seconds, depending on the step, as MS-FSRVP requires. The name is"
    " that of Samba's own agent.",
    "Larger for clients that take longer between two calls; 1 in tests.",
)
PARALLEL_SETS = Option(
    "fsrvpd:parallel sets",
    boolean,
    "yes",
    "Let clients at different addresses create sets at the same time. `no`: one set at a time,"
    " as on Windows.",
    "`no` for a client that uses several addresses and expects one context for all.",
)
SHARED_VOLUMES = Option(
    "fsrvpd:shared volumes",
    boolean,
    "no",
    "Let one set contain several shares of one volume, all mapped to one snapshot. `no` refuses"
    " the second share of a volume, as MS-FSRVP requires.",
    "`yes` for backups that need several shares of one volume at the same point in time.",
)
MAX_SETS = Option(
    "fsrvpd:max sets",
    count,
    "10000",
    "Maximum number of shadow copy sets.",
    "Smaller if snapshots fill the disk.",
)
MAX_SETS_PER_CLIENT = Option(
    "fsrvpd:max sets per client",
    count,
    "64",
    "Maximum number of shadow copy sets of one client address.",
    "Larger for a backup server that keeps many sets at a time.",
)
MIN_FREE_SPACE = Option(
    "fsrvpd:min free space",
    count,
    "0",
    "Free space, in megabytes, that a volume must have for a snapshot to be taken. With less,"
    " the client gets an error that says so. 0: no minimum.",
    "Set it to what users write in a day if snapshots live for a day: the old blocks of files"
    " that change stay allocated until the snapshot is deleted.",
)
AUTO_RELEASE_MAX_AGE = Option(
    "fsrvpd:auto release max age",
    count,
    "86400",
    "Maximum age, in seconds, of a non-persistent shadow copy set (contexts `backup` and `file"
    " share backup`). Older sets are removed automatically; all are removed at the next reboot,"
    " unless `fsrvpd:reboot ends sets = no`. 0 disables the limit.",
    "Larger if backups take longer than a day.",
)
PERSISTENT_MAX_AGE = Option(
    "fsrvpd:persistent max age",
    count,
    "0",
    "Maximum age, in seconds, of a persistent shadow copy set (the rollback contexts). Older"
    " sets are removed automatically. 0 disables the limit.",
    "Set it if clients forget to delete their rollback sets.",
)
REBOOT_ENDS_SETS = Option(
    "fsrvpd:reboot ends sets",
    boolean,
    "yes",
    "Remove non-persistent shadow copy sets at the first start after a reboot, as Windows does."
    " `no` keeps them until their client deletes them or `fsrvpd:auto release max age` is over.",
    "`no` where a cluster manager moves Samba and its disks between two hosts: every move looks"
    " like a reboot.",
)
ONE_AGENT = Option(
    "fsrvpd:one agent",
    boolean,
    "no",
    "With `clustering = yes`: the agents of all nodes are one. One of them leads, the others pass"
    " their calls on to it, and another one takes over when it is gone. Read at the start.",
    "To try it out: it is not complete yet, and docs/cluster.md says what is missing.",
)
OWNER_NAME = Option(
    "fsrvpd:owner name",
    printable,
    "",
    "Server name that IsPathSupported returns: where clients should connect. Empty: the netbios"
    " name.",
    "On a cluster, or if clients know the server only by another name.",
)
ADDITIONAL_HOST_NAMES = Option(
    "fsrvpd:additional host names",
    words,
    "",
    "More names and addresses of this server that clients may use in a UNC path.",
    "Behind a DNS alias or a load balancer. Samba's `netbios aliases` and `additional dns"
    " hostnames` are known already.",
)
ADMIN_GROUP = Option(
    "fsrvpd:admin group",
    group,
    "",
    "Unix group whose members may send `fsrvpctl` messages to the daemon. Empty: only root.",
    "For operators who are not root.",
)
SNAPSHOT_GROUP = Option(
    "fsrvpd:snapshot group",
    group,
    "",
    "Unix group whose members may create and delete snapshots with `fsrvp-snap`, only for shares"
    " that use vfs_shell_snap. Empty: only root.",
    "With `fsrvpd:serve pipe = no`, for the users as whom backup programs log in: Samba runs"
    " `fsrvp-snap` as these users.",
)
SERVE_PIPE = Option(
    "fsrvpd:serve pipe",
    boolean,
    "yes",
    "Serve the FSRVP pipe. `no` leaves it to Samba's own agent; fsrvpd then only takes snapshots"
    " for that agent, through `fsrvp-snap` and vfs_shell_snap. A change needs a restart.",
    "`no` to keep Samba's own agent.",
    needs_restart=True,
)
MAX_BACKUP_AGE = Option(
    "fsrvpd:max backup age",
    count,
    "0",
    "Age, in days, from which on the last completed backup of a share is a problem for `fsrvpctl"
    " fsrvpd status`. A share that was never backed up is none. 0: a backup job that does not run"
    " at all is no problem.",
    "Set it if `status` is to notice that a backup job no longer runs: to 2 if all shares are"
    " backed up daily.",
)
METRICS_FILE = Option(
    "fsrvpd:metrics file",
    metrics_file,
    "",
    "File to which metrics are written every 15 seconds, for the textfile collector of the"
    " Prometheus node exporter. Its name should end in `.prom`. Empty: no file.",
    "With a node exporter on this host.",
)
METRICS_PORT = Option(
    "fsrvpd:metrics port",
    metrics_port,
    "0",
    "TCP port on 127.0.0.1 from which Prometheus can fetch metrics. 0: no port.",
    "Without a node exporter. Every local user can read the port.",
)
GLOBAL_OPTION_GROUPS: dict[str, tuple[Option[Any], ...]] = {
    "Security of calls": (REQUIRE_RPC_INTEGRITY, REQUIRE_RPC_PRIVACY),
    "Behaviour towards clients": (
        *(DIALECT, SEQUENCE_TIMEOUT, PARALLEL_SETS, SHARED_VOLUMES),
        *(OWNER_NAME, ADDITIONAL_HOST_NAMES),
    ),
    "Limits": (
        *(MAX_SETS, MAX_SETS_PER_CLIENT, MIN_FREE_SPACE),
        *(AUTO_RELEASE_MAX_AGE, PERSISTENT_MAX_AGE, REBOOT_ENDS_SETS, ONE_AGENT),
    ),
    "Administration": (ADMIN_GROUP, MAX_BACKUP_AGE, METRICS_FILE, METRICS_PORT),
    "Samba's own agent": (SERVE_PIPE, SNAPSHOT_GROUP),
}
GLOBAL_OPTIONS = tuple(option for group in GLOBAL_OPTION_GROUPS.values() for option in group)
# What counts if a value cannot be understood, where it is not the default.
_CAUTIOUS = {REQUIRE_RPC_PRIVACY.name: "yes"}
IGNORED = ("fss:prune stale",)  # an option of Samba's own agent


class DaemonSettings(NamedTuple):
    """Everything in smb.conf that concerns the daemon."""

    agent: AgentSettings
    requirement: RequiredProtection
    host_names: tuple[str, ...]
    admin_group: str = ""
    max_backup_age: int = 0  # days
    metrics_file: str = ""
    metrics_port: int = 0
    min_free_space: int = 0  # megabytes
    serve_pipe: bool = True
    snapshot_group: str = ""
    one_agent: bool = False


def read(given: Mapping[str, str], netbios_name: str) -> DaemonSettings:
    """The settings, from the options of [global] by full name.

    Raises: ConfigError naming the option, its value and what is wanted instead.
    """
    agent = AgentSettings(
        owner_machine_name=OWNER_NAME.read(given) or netbios_name,
        dialect=DIALECT.read(given),
        sequence_timeout=SEQUENCE_TIMEOUT.read(given) or None,
        parallel_sets=PARALLEL_SETS.read(given),
        shared_volumes=SHARED_VOLUMES.read(given),
        max_sets=MAX_SETS.read(given),
        max_sets_per_client=MAX_SETS_PER_CLIENT.read(given),
        auto_release_max_age=AUTO_RELEASE_MAX_AGE.read(given),
        persistent_max_age=PERSISTENT_MAX_AGE.read(given),
        reboot_ends_sets=REBOOT_ENDS_SETS.read(given),
    )
    requirement = RequiredProtection(
        integrity=REQUIRE_RPC_INTEGRITY.read(given), privacy=REQUIRE_RPC_PRIVACY.read(given)
    )
    return DaemonSettings(
        agent,
        requirement,
        host_names=ADDITIONAL_HOST_NAMES.read(given),
        admin_group=ADMIN_GROUP.read(given),
        max_backup_age=MAX_BACKUP_AGE.read(given),
        metrics_file=METRICS_FILE.read(given),
        metrics_port=METRICS_PORT.read(given),
        min_free_space=MIN_FREE_SPACE.read(given),
        serve_pipe=SERVE_PIPE.read(given),
        snapshot_group=SNAPSHOT_GROUP.read(given),
        one_agent=ONE_AGENT.read(given),
    )


def understood(given: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The options of [global] by full name, each of which can be read, and a sentence for each
    that cannot: the default counts instead, or what protects more."""
    kept, faults = dict(given), []
    for option in GLOBAL_OPTIONS:
        try:
            option.read(given)
        except ConfigError as error:
            kept[option.name] = _CAUTIOUS.get(option.name, option.default)
            counts = f"`{kept[option.name]}`" if kept[option.name] else "no value"
            faults.append(f"{error}; fsrvpd starts with {counts} until it is corrected in [global]")
    return kept, faults


def unknown(given: Mapping[str, str]) -> list[str]:
    """A warning for each option that does not exist, given by full name.

    Options of shares are valid in [global], too, as defaults for all shares.
    """
    known = [option.name for option in (*GLOBAL_OPTIONS, *SHARE_OPTIONS)]
    bare = {name.partition(":")[2]: name for name in known}
    sentences = []
    for name in given:
        if name in known or name in IGNORED:
            continue
        # What all names begin with would make any two of them alike.
        near = difflib.get_close_matches(name.partition(":")[2], bare, 1, 0.55)
        hint = f"; did you mean {bare[near[0]]}?" if near else ""
        sentences.append(f"{name}: no such option{hint}")
    return sentences
