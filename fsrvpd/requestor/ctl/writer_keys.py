"""The keys of [writer.NAME], by kind of writer."""

from __future__ import annotations

from typing import Mapping, NamedTuple, Sequence, Tuple

from fsrvpd.requestor.ctl.keys import (
    Key,
    boolean,
    file,
    files,
    limit,
    mode,
    number,
    string,
    strings,
)

KIND = "kind"
COMMAND = "command"  # of a writer that says no kind

KEYS_OF_WRITERS = (
    Key(KIND, "KIND", "What it freezes: one of the kinds below; `command` if not given.", string),
    Key(
        "required",
        "true or false",
        "Whether there is no backup if it cannot be frozen, as if nothing is said. With `false`"
        " there is a warning, and its data are as after a loss of power.",
        boolean,
    ),
    Key(
        "priority",
        "NUMBER",
        "Writers with a lower number are frozen earlier and thawed later, those of one number at"
        " the same time: an application before the database that it writes to. 0 if nothing is"
        " said.",
        number,
    ),
)


class Kind(NamedTuple):
    """`needs`: a writer has all keys of one of these, and none of the others."""

    meaning: str
    keys: Sequence[Key]
    needs: Sequence[Tuple[str, ...]] = ()


_TIMEOUT = Key(
    "timeout",
    "TIME",
    "How long freezing it may take, within the window of the job.",
    limit,
)
_USER = Key(
    "user",
    "ACCOUNT",
    "The account of this host that the client runs as, such as `postgres`, where the server takes"
    " that for the login.",
    string,
)
KINDS: Mapping[str, Kind] = {
    "postgresql": Kind(
        "A cluster of PostgreSQL. `psql` is run.",
        (
            Key(
                "connect",
                "CONNINFO",
                "How to connect, as libpq has it: `service=nas`, or `host=/run/postgresql"
                " user=backup dbname=postgres`. No password: that stands in the service's"
                " `passfile`, or in ~/.pgpass.",
                string,
            ),
            _USER,
            Key(
                "mode",
                "MODE",
                "`checkpoint`: a CHECKPOINT before, and the cluster must lie in one copy. `backup`:"
                " backup mode, whose WAL is put beside the copies. `auto`, as if nothing is said:"
                " what its place demands.",
                mode,
            ),
        ),
    ),
    "mariadb": Kind(
        "A server of MariaDB, 10.4 or newer. `mariadb` is run.",
        (
            Key(
                "option_file",
                "FILE",
                "An option file of MariaDB, with `socket` or `host`, `user` and `password` below"
                " `[client]`, which only its owner may read.",
                file,
            ),
            _USER,
            _TIMEOUT,
        ),
    ),
    "guest-agent": Kind(
        "Guests of QEMU, by the agent in them.",
        (
            Key("domains", "[NAME, ...]", "The guests, as libvirt knows them.", strings),
            Key("uri", "URI", "libvirt's; `qemu:///system` if nothing is said.", string),
            Key("sockets", "[PATH, ...]", "The agents' sockets, without libvirt.", files),
            _TIMEOUT,
        ),
        (("domains",), ("sockets",)),
    ),
    "fsfreeze": Kind(
        "File systems of this host, such as one on a disk that is an image on the share.",
        (Key("mountpoints", "[PATH, ...]", "Where they are mounted.", files), _TIMEOUT),
        (("mountpoints",),),
    ),
    COMMAND: Kind(
        "Commands of your own.",
        (
            Key("freeze", "[WORD, ...]", "Freezes, word by word; no shell.", strings),
            Key("thaw", "[WORD, ...]", "Thaws what `freeze` has frozen.", strings),
            Key(
                "hooks",
                "DIRECTORY",
                "Instead of both: a directory of programs that are called with `freeze` or `thaw`,"
                " as QEMU's guest agent has them in fsfreeze-hook.d. Unlike there each exit status"
                " counts.",
                file,
            ),
            _TIMEOUT,
        ),
        (("freeze", "thaw"), ("hooks",)),
    ),
}
