"""EXEC: a program of the user, with the aliases and the shadow copy shares in its environment."""

from __future__ import annotations

import os
import subprocess
from typing import Mapping, Optional, Sequence

from fsrvpd.requestor.ctl.command_environment import Copy, variables
from fsrvpd.requestor.ctl.signals import Signals
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.shell.texts import ListedCopy


def environment_of(
    inherited: Mapping[str, str], aliases: Mapping[str, str], copies: Sequence[ListedCopy]
) -> dict[str, str]:
    """What `fsrvpshadow run` has in it, of the last set, and the aliases by their names."""
    of_set = [Copy(copy.copy_id, copy.device, copy.prefix) for copy in copies]
    named = variables(copies[0].set_id, of_set) if copies else {}
    return {**inherited, **named, **aliases}


def run_program(
    path: str, environment: Mapping[str, str], stdin: Optional[int], signals: Signals
) -> None:
    """Without a shell, to its end; `path` is looked for in the current directory, never in PATH.
    Raises: RequestorError if it does not end with status 0, Interrupted after a signal."""

    def start() -> subprocess.Popen[bytes]:
        argv = [os.path.abspath(path)]
        return subprocess.Popen(argv, env=dict(environment), stdin=stdin)  # noqa: S603 (the user's)

    try:
        status = signals.run(start)
    except OSError as error:
        raise RequestorError(path, f"cannot run it: {error.strerror}", _hint(path)) from error
    signals.check()
    if status < 0:
        raise RequestorError(path, f"signal {-status} ended it", "see what it printed")
    if status:
        raise RequestorError(path, f"it ended with exit status {status}", "see what it printed")


def _hint(path: str) -> str:
    if not os.path.exists(path):
        return "name a file of this computer"
    if not os.access(path, os.X_OK):
        return "make it executable: chmod +x"
    return "a script begins with #! and its interpreter; commands of Windows do not run here"
