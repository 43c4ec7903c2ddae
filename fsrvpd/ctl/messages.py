"""The list of all messages of `fsrvpctl fsrvpd MESSAGE`.

The command, the manual and the completion are generated from it.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional

from fsrvpd.ctl import render


class Option(NamedTuple):
    """An option of one message. `value`: what it takes, "" for none."""

    name: str
    value: str
    meaning: str

    @property
    def usage(self) -> str:
        return f"{self.name} {self.value}".rstrip()

    def given(self, value: Any) -> Optional[str]:
        """The word to send for what the command line has; None if it does not have the option."""
        if not value:
            return None
        return f"{self.name}={value}" if self.value else self.name


SINCE = Option("--since", "TIME", "Only from then on: 7d, 36h, 2026-11-01 or 2026-11-01T08:30.")
SHARE = Option("--share", "SHARE", "Only what concerns this share.")
SERVER = Option(
    "--server", "NAME", "Also remove what this server, an earlier name of this one, left behind."
)
EVEN_SHARED = Option(
    "--even-shared",
    "",
    "Also what another state file knew on storage that several servers, or the nodes of a cluster,"
    " may use at a time: none of them may have it in a set.",
)
DRY_RUN = Option("--dry-run", "", "Print what would be deleted, change nothing.")


class Message(NamedTuple):
    """The last parameter may be "NAME...", any number of them but none, or "[NAME...]".
    `confirms`: the result is final once this command has printed it. `endless`: runs until the
    daemon ends or Ctrl-C is pressed."""

    name: str
    parameters: tuple[str, ...]
    meaning: str
    render: Callable[[Any], str]
    options: tuple[Option, ...] = ()
    confirms: bool = False
    endless: bool = False

    @property
    def usage(self) -> str:
        options = (f"[{each.usage}]" for each in self.options)
        return " ".join([self.name, *self.parameters, *options])

    def takes(self, number: int) -> bool:
        """Whether it may have this many parameters."""
        last = self.parameters[-1] if self.parameters else ""
        least = len(self.parameters) - last.startswith("[")
        return number == least or (number > least and last.rstrip("]").endswith("..."))


# Imported when it is needed: a ping does without.


def _history(answer: Any) -> str:
    from fsrvpd.ctl import render_history

    return render_history.history(answer)


def _status(answer: Any) -> str:
    from fsrvpd.ctl import render_status

    return render_status.status(answer)


MESSAGES = (
    Message("ping", (), "Check that the daemon answers; print its process id.", render.ping),
    Message(
        "status",
        (),
        "Say on one screen whether all is well: the agent and its pipe, callers, shares that can be"
        " copied and why others cannot, sets, kept copies, space, last backups and refusals, and"
        " for each problem what to type. Exit status 1 if there is one, 3 if fsrvpd does not run.",
        _status,
    ),
    Message("list-sets", (), "List all shadow copy sets, one line each.", render.list_sets),
    Message(
        "show-set", ("ID",), "Show a set with its copies, snapshots and shares.", render.show_set
    ),
    Message(
        "list-snapshots",
        (),
        "List all snapshots that fsrvpd has created, with owner and path, including those for"
        " Samba's own agent.",
        render.list_snapshots,
    ),
    Message(
        "create-set",
        ("SHARE...",),
        "Make a set of these shares, all at one moment, as a backup program would, and print the"
        " shares and paths of the copies. The set stays until `delete-set` or its maximum age"
        " ends it. After a failure, or when this command is killed, nothing is left.",
        render.creation,
        options=(
            Option(
                "--context",
                "NAME",
                "The kind of set: file-share-backup (the default), backup, app-rollback or"
                " nas-rollback; the last two survive a reboot and have no maximum age by default.",
            ),
            Option("--keep", "", "Keep the snapshots when the set ends, as with fsrvp:keep."),
            Option(
                "--writable",
                "",
                "Let users of the shares write to the copies until `complete-set`, for half an"
                " hour at most.",
            ),
        ),
        confirms=True,
    ),
    Message(
        "complete-set",
        ("ID",),
        "Complete a set that is Exposed: its copies become read-only, and no timer removes it.",
        render.completion,
    ),
    Message(
        "delete-set",
        ("ID",),
        "Remove a set of any status, its shares and its snapshots, except kept snapshots of a"
        " complete set; wait until they are removed.",
        render.removal,
        (DRY_RUN,),
    ),
    Message(
        "list-kept",
        (),
        "List the kept copies with age, size, the options that want them, and what retention will"
        " do: delete them, or why not. A size is what deletion would free, where btrfs' quotas or"
        " ZFS know it.",
        render.list_kept,
    ),
    Message(
        "keep-set",
        ("ID",),
        "Keep the copies of a complete set until `release-set`, whatever the options say. The id"
        " may be that of a set which is gone, or of a kept copy.",
        render.holds,
    ),
    Message(
        "release-set",
        ("ID",),
        "Let retention and `delete-kept` delete these copies again.",
        render.holds,
    ),
    Message(
        "delete-kept",
        ("[ID...]",),
        "Delete kept copies by their ids or those of their sets, or without an id those that the"
        " options of their shares do not want, as the daemon does every ten minutes. A copy that is"
        " exposed, held or open is never deleted. Exit status 1 if a copy that"
        " an id names is not deleted.",
        render.delete_kept,
        (DRY_RUN,),
    ),
    Message(
        "abort-set",
        ("ID",),
        "Remove a set that is still being created; a set that is Recovered is refused.",
        render.removal,
        (DRY_RUN,),
    ),
    Message(
        "prune",
        (),
        "Compare the sets with storage and registry: remove orphan snapshots and shares, recreate"
        " missing shares, forget copies whose snapshots are missing.",
        render.prune,
        (DRY_RUN, SERVER, EVEN_SHARED),
    ),
    Message(
        "check-path",
        ("SHARE",),
        "Check whether shadow copies of a share can be created: show its directory, volume and"
        " provider, or why not. Exit status 1 if not.",
        render.check_path,
    ),
    Message(
        "history",
        (),
        "List the sets of the last 35 days, the newest first, with their shares, the time for which"
        " applications were frozen and how they ended; then the last refusals.",
        _history,
        (SINCE, SHARE),
    ),
    Message(
        "debug",
        ("LEVEL",),
        "Set the debug level until smb.conf is reloaded.",
        render.debug_level,
    ),
    Message("debuglevel", (), "Show the debug level.", render.debug_level),
    Message(
        "reload-config",
        (),
        "Reload smb.conf, completely or, if it has an error, not at all; show the error or the"
        " warnings.",
        render.reload_config,
    ),
    Message("shutdown", (), "Shut the daemon down cleanly.", render.shutdown),
    Message(
        "watch-events",
        (),
        "Print events as they happen, at any debug level, until interrupted.",
        render.event,
        endless=True,
    ),
    Message(
        "self-test",
        ("SHARE",),
        "Create a shadow copy of a share as a client would and keep it. `fsrvpctl doctor` uses it.",
        render.self_test,
    ),
)
BY_NAME = {message.name: message for message in MESSAGES}
