"""Whether COMMAND can be run, as far as can be known before, and what to type if it cannot."""

from __future__ import annotations

import errno
import os
import shutil

from fsrvpd.requestor.ctl.exit_status import RUN_CANNOT, RUN_NOT_FOUND
from fsrvpd.requestor.errors import RequestorError

_INTERPRETER = "its first line names an interpreter that is not there, or it has Windows' line ends"


class CannotRun(RequestorError):
    """Its exit status is a shell's."""

    def __init__(self, program: str, cause: str, next_step: str, status: int = RUN_CANNOT) -> None:
        super().__init__(program, cause, next_step, exit_status=status)


def require(program: str) -> None:
    """Before a set is made for it: no server has to work for nothing. Raises: CannotRun."""
    if shutil.which(program):
        return
    if not any(map(os.path.exists, _places(program))):
        raise _not_found(program)
    raise cannot_run(program, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def found_at(program: str) -> str:
    """Its path, which stays right in another working directory."""
    found = shutil.which(program)
    return os.path.abspath(found) if found else program


def cannot_run(program: str, error: OSError) -> CannotRun:
    """The error for one of the system, which did not start the program."""
    if isinstance(error, FileNotFoundError):
        if shutil.which(program):
            return CannotRun(program, _INTERPRETER, f"correct it: head -1 {program} | cat -A")
        return _not_found(program)
    cause = error.strerror or str(error)
    if error.errno == errno.ENOEXEC:
        return CannotRun(program, cause, "write #!/bin/sh into its first line, if it is a script")
    if error.errno == errno.E2BIG:
        return CannotRun(program, cause, "give it fewer words, or a smaller environment")
    return CannotRun(program, cause, "chmod +x it")


def _not_found(program: str) -> CannotRun:
    cause = os.strerror(errno.ENOENT)
    return CannotRun(program, cause, "install it, or write its whole path", RUN_NOT_FOUND)


def _places(program: str) -> list[str]:
    if os.path.dirname(program):
        return [program]
    return [os.path.join(folder, program) for folder in os.get_exec_path()]
