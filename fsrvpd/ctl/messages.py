"""The messages of `fsrvpctl fsrvpd MESSAGE`: the whole list.

Command, manual and completion are made from it.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from fsrvpd.ctl import show


class Message(NamedTuple):
    """`deletes`: takes --dry-run. `endless`: ends only with the daemon or with Ctrl-C."""

    name: str
    parameters: tuple[str, ...]
    meaning: str
    show: Callable[[Any], str]
    deletes: bool = False
    endless: bool = False

    @property
    def usage(self) -> str:
        options = (" [--dry-run]",) if self.deletes else ()
        return " ".join([self.name, *self.parameters]) + "".join(options)


MESSAGES = (
    Message("ping", (), "Is it there? Answers with the daemon's process id.", show.ping),
    Message(
        "status",
        (),
        "Version, pipe and whose it is, sets by status, calls and failures since the start.",
        show.status,
    ),
    Message("list-sets", (), "Every shadow copy set, one line each.", show.list_sets),
    Message("show-set", ("ID",), "One set with its copies, snapshots and shares.", show.show_set),
    Message(
        "list-snapshots",
        (),
        "Every snapshot of fsrvpd's on the volumes, whose it is, and where; also those that"
        " were taken for Samba's own agent.",
        show.list_snapshots,
    ),
    Message(
        "delete-set",
        ("ID",),
        "Remove a set, its shares and its snapshots, whatever its status; ends when they are gone.",
        show.removal,
        deletes=True,
    ),
    Message(
        "abort-set",
        ("ID",),
        "The same for a set that is still being created; refused for one that is Recovered.",
        show.removal,
        deletes=True,
    ),
    Message(
        "prune",
        (),
        "Compare the sets with disks and registry: remove what no set knows, make lost shares"
        " again, let go of sets whose snapshots are gone.",
        show.prune,
        deletes=True,
    ),
    Message(
        "check-path",
        ("SHARE",),
        "Can shadow copies of this share be made? Its directory, volume and provider, or"
        " exactly why not. Exit status 1 when not.",
        show.check_path,
    ),
    Message(
        "debug", ("LEVEL",), "Set the debug level, until smb.conf is loaded anew.", show.debug_level
    ),
    Message("debuglevel", (), "Tell the debug level.", show.debug_level),
    Message(
        "reload-config",
        (),
        "Load smb.conf anew, all of it or, when something is wrong, nothing; the answer says what.",
        show.reload_config,
    ),
    Message("shutdown", (), "End the daemon in order.", show.shutdown),
    Message(
        "watch-events",
        (),
        "Print events as they happen, whatever the debug level, until interrupted.",
        show.event,
        endless=True,
    ),
    Message(
        "self-test",
        ("SHARE",),
        "Make a shadow copy of a share as a client would, and leave it; `fsrvpctl doctor` uses it.",
        show.self_test,
    ),
)
BY_NAME = {message.name: message for message in MESSAGES}
