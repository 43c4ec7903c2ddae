"""Runs a storage tool. A failure is logged and becomes a StorageError."""

from __future__ import annotations

import logging
import shlex
import subprocess
from typing import Mapping, Optional, Sequence

from fsrvpd import run_command
from fsrvpd.errors import StorageError
from fsrvpd.run_command import DEFAULT_TIMEOUT, CommandFailed

log = logging.getLogger(__name__)


def run(
    argv: Sequence[str],
    object: str,
    *,
    timeout: float = DEFAULT_TIMEOUT,
    environment: Optional[Mapping[str, str]] = None,
    output: int = subprocess.PIPE,
    keep_open: Sequence[int] = (),
) -> str:
    """The standard output. `object` is what the command works on, for messages; the other
    parameters are those of `run_command.run`.

    Raises: StorageError with argv, exit status and stderr.
    """
    try:
        printed = run_command.run(
            argv, timeout=timeout, environment=environment, output=output, keep_open=keep_open
        )
    except CommandFailed as failed:
        error = StorageError(
            object,
            str(failed),
            error_number=failed.error_number,
            argv=argv,
            exit_status=failed.status,
            stderr=failed.stderr,
        )
        log.warning("%s: %s", shlex.join(argv), error)
        raise error from failed
    if printed.stderr:
        log.info("%s: %s", argv[0], printed.stderr)
    return printed.stdout
