"""The keeper: a process that thaws what its client has frozen, whatever happens to the client.

    python -I -m fsrvpd.requestor.writers.keeper

It reads lines from its client and answers each with one: first a JSON object with the recipes and
the files of their records; just before the first freeze the deadline, on the clock of
`time.monotonic`; at the end `thawed`. At the deadline it thaws, and at the end of its input, which
is the end of the client, as well: then it removes the records, too.

A process of its own, since a client that is killed or stopped thaws nothing. What is repeated does
no harm, but for commands of the user's, which are run once, and at the deadline only when those
that a client runs itself must have ended.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import syslog
import threading
import time
from contextlib import suppress
from typing import Any, Sequence

from fsrvpd.requestor.side_by_side import Ending
from fsrvpd.requestor.writers import recipes
from fsrvpd.requestor.writers.ports import ThawRecipe
from fsrvpd.requestor.writers.thawing import Thaw, thaw_all

READY, WATCHING, THAWED = b"ready\n", b"watching\n", b"thawed\n"
NOT_REPEATED = "command"
EXIT_NOT_THAWED = 1
_GIVE_UP = 600.0  # s; afterwards the records are there for `clean`
_PAUSE, _LONGEST_PAUSE = 0.1, 10.0  # s
_STDIN, _STDOUT = 0, 1


class Keeper:
    def __init__(self, wanted: Sequence[ThawRecipe], records: Sequence[str]) -> None:
        self._wanted = list(wanted)
        self._records = records
        self._connections = [_connection_of(recipe) for recipe in wanted]
        self._is_over = Ending()

    def watch(self, deadline: float) -> int:
        """Until the client has said that it has thawed, or has ended. Returns the exit status."""
        late = threading.Thread(target=self._thaw_late, args=(deadline,))
        late.start()
        word = sys.stdin.buffer.readline()
        self._is_over.set()
        late.join()
        if word == THAWED:
            return 0
        return self._thaw("its client has ended", self._wanted, thaw=recipes.thaw_late)

    def _thaw_late(self, deadline: float) -> None:
        """Again and again: a client that is stopped may have a freeze under way."""
        self._is_over.wait(deadline - time.monotonic())
        pause = _PAUSE
        while not self._is_over.is_set():
            late = time.monotonic() - deadline
            due = [each for each in self._wanted if late >= _longest_thaw(each)]
            later = [_longest_thaw(each) - late for each in self._wanted if each not in due]
            self._thaw("it was frozen for too long", due, seconds=0.0)
            self._is_over.wait(min([pause, *later]))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _thaw(
        self,
        why: str,
        due: Sequence[ThawRecipe],
        *,
        seconds: float = _GIVE_UP,
        thaw: Thaw = recipes.thaw,
    ) -> int:
        for connection in self._connections:
            _shut(connection)
        kept = [each for each in self._wanted if each not in due]
        failed = []
        for recipe, error in zip(due, thaw_all(due, seconds, thaw)):
            outcome = "thawed" if error is None else str(error)
            syslog.syslog(f"writer {recipe.writer}: {why}; {outcome}")
            failed += [recipe] if error else []
        self._wanted = kept + [each for each in due if each in failed or _is_repeated(each)]
        if self._is_over.is_set() and not failed and not kept:
            _remove(self._records)
        return EXIT_NOT_THAWED if failed else 0


def _is_repeated(recipe: ThawRecipe) -> bool:
    return recipe.kind != NOT_REPEATED


def _longest_thaw(recipe: ThawRecipe) -> float:
    """Seconds in which a client that has begun to thaw has ended, if it is not stopped."""
    if _is_repeated(recipe):
        return 0.0
    longest: float = recipe.values["timeout"] * len(recipe.values["commands"])
    return longest


def _connection_of(recipe: ThawRecipe) -> int:
    """The client's connection to what it freezes, which may keep all others out; or -1."""
    return int(recipe.values.get("connection", -1))


def _shut(connection: int) -> None:
    if connection >= 0:
        with suppress(OSError), socket.socket(fileno=os.dup(connection)) as ended:
            ended.shutdown(socket.SHUT_RDWR)


def _remove(records: Sequence[str]) -> None:
    for path in records:
        with suppress(OSError):
            os.unlink(path)


def main() -> int:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        # It ends when its client does. What is ignored would be so for the commands it runs, too.
        signal.signal(number, lambda *unused: None)
    syslog.openlog("fsrvpshadow", syslog.LOG_PID, syslog.LOG_DAEMON)
    order: Any = json.loads(sys.stdin.buffer.readline())
    wanted = [ThawRecipe(*recipe) for recipe in order["recipes"]]
    for recipe in wanted:
        recipes.module_of(recipe)  # loaded now, not while something is frozen
    keeper = Keeper(wanted, order["records"])
    os.write(_STDOUT, READY)
    deadline = sys.stdin.buffer.readline()
    if not deadline:
        return 0  # nothing was frozen
    with suppress(BrokenPipeError):
        os.write(_STDOUT, WATCHING)
    return keeper.watch(float(deadline))


if __name__ == "__main__":
    sys.exit(main())
