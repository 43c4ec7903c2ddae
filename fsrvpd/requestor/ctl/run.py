"""`fsrvpshadow run SHARE... -- COMMAND`: a set for as long as COMMAND runs.

Writers prepare and are frozen, the set is made, they are thawed; the copies are mounted, COMMAND
runs, they are unmounted, and the set is deleted.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Mapping, Optional

from fsrvpd.requestor.ctl import metrics
from fsrvpd.requestor.ctl.creation import environment, make_set, tell
from fsrvpd.requestor.ctl.exit_status import EXIT_INCOMPLETE, RUN_FAILED, of_command
from fsrvpd.requestor.ctl.kept_time import KeptTime
from fsrvpd.requestor.ctl.mount import report
from fsrvpd.requestor.ctl.opening import open_store
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.ctl.program import CannotRun, cannot_run, found_at, require
from fsrvpd.requestor.ctl.run_events import RunEvents
from fsrvpd.requestor.ctl.run_parts import RunParts
from fsrvpd.requestor.ctl.settings import Settings, WrongUsage, need_shares, read
from fsrvpd.requestor.ctl.signals import Interrupted, Signals
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.mount.mounts import Mounts, Unshown
from fsrvpd.requestor.mount.problems import KINDS
from fsrvpd.requestor.sets.shadow_copy_set import ShadowCopySet

_LONGEST_NAME = 32
_KEEP = "let the server keep copies for longer (on fsrvpd's: `fsrvpd:auto release max age`)"


def run(arguments: argparse.Namespace, output: Output) -> int:
    """The exit status of COMMAND, or one of its own."""
    with Signals() as signals:
        return _status(output, lambda: _measured(arguments, output, signals))


def _status(output: Output, function: Callable[[], int]) -> int:
    try:
        return function()
    except Interrupted as stop:
        return output.interrupted(stop)
    except CannotRun as error:
        return output.failed(error, error.exit_status)
    except RequestorError as error:
        return output.failed(error, RUN_FAILED)
    except OSError as error:  # what is printed cannot be written
        return _unprinted(output, error, RUN_FAILED)


def _measured(arguments: argparse.Namespace, output: Output, signals: Signals) -> int:
    """Run, and write the metrics of a job however that ends."""
    settings = read(arguments)
    need_shares(settings)
    _need_command(settings)
    require(settings.run[0])
    run, began = _Run(settings, signals, output), time.monotonic()
    status = _status(output, lambda: _unless_unprinted(output, run.run()))
    if settings.job and settings.metrics:
        result = run.events.result
        result.exit_status, result.ended = status, time.time()
        result.run = time.monotonic() - began
        try:
            metrics.write(settings.metrics, settings.job, result)
        except RequestorError as error:
            output.warning(str(error))
    return status


def _unless_unprinted(output: Output, status: int) -> int:
    """The status, unless COMMAND has succeeded and a part of what --json prints is missing where
    somebody reads it."""
    try:
        output.check()
    except BrokenPipeError:
        return status
    except OSError as error:
        return _unprinted(output, error, status or RUN_FAILED)
    return status


def _unprinted(output: Output, error: OSError, status: int) -> int:
    cause = error.strerror or str(error)
    return output.failed(RequestorError("standard output", cause, ""), status)


class _Run:
    def __init__(self, settings: Settings, signals: Signals, output: Output) -> None:
        self.events = RunEvents(output)
        self._settings = settings
        self._signals = signals
        self._output = output
        self._job = settings.job or _job_of(settings)
        self._seconds = 0.0  # that COMMAND has taken
        self._was_told = False  # of a signal, so that its status says what it made of it

    def run(self) -> int:
        with self._signals.interrupting():  # it may ask for a password
            parts = RunParts(self._settings, self._job, self._output, self.events)
        kept_time = KeptTime(open_store(self._output).directory, self._job)
        self._warn(kept_time.seconds())
        with parts:
            created = self._make_set(parts)
            try:
                self._tell(created)
                status = self._back_up(created, parts)
            finally:
                deleted = self._delete(created)
        if self.events.gone:
            kept_time.was_gone_after(self._seconds)
        elif deleted:
            kept_time.was_kept_for(self._seconds)
        if status == 0 and not self._was_told:
            self._signals.check()
        return status or (0 if deleted else RUN_FAILED)

    def _make_set(self, parts: RunParts) -> ShadowCopySet:
        return make_set(
            parts.requestor,
            self._settings,
            self._signals,
            self._output,
            job=self._job,
            writers=parts.writers,
        )

    def _tell(self, created: ShadowCopySet) -> None:
        self.events.gone = False  # that of an earlier run, which was cleaned up, was told of
        tell(created, self._output)
        result = self.events.result
        result.copies, result.skew = len(created.copies), created.skew
        if result.window is None:  # without writers
            result.window = created.window

    def _back_up(self, created: ShadowCopySet, parts: RunParts) -> int:
        """The status of COMMAND, or of what it could not see. Raises: RequestorError,
        Interrupted."""
        if parts.mounts is None:
            with self._signals.interrupting():
                parts.complete(created)
            return self._command(environment(created))
        with parts.mounts as mounts:
            try:
                with self._signals.interrupting():
                    paths = mounts.mount(created, self._job)
                    parts.complete(created)
                directory = mounts.directory_of(self._job)
                status = self._command(environment(created, directory, paths), directory)
            finally:
                parts.close()
            incomplete = self._unmount(mounts)
        return status or incomplete

    def _command(self, variables: Mapping[str, str], directory: Optional[Path] = None) -> int:
        argv = self._settings.run
        self._output.event("command-started", f"{argv[0]} started", command=argv[0])
        began = time.monotonic()
        try:
            returned = self._signals.run(lambda: self._start(variables, directory))
        except OSError as error:
            raise cannot_run(argv[0], error) from error
        self._was_told = self._signals.received is not None
        status = of_command(returned)
        self._seconds = self.events.result.command = round(time.monotonic() - began, 3)
        text = f"{argv[0]} ended with status {status}"
        self._output.event("command-ended", text, exit_status=status, seconds=self._seconds)
        return status

    def _start(
        self, variables: Mapping[str, str], directory: Optional[Path]
    ) -> subprocess.Popen[bytes]:
        """With --json, standard output is ours: a program reads it line by line."""
        argv = self._settings.run
        return subprocess.Popen(  # noqa: S603 (the user's own command, without a shell)
            list(argv),
            executable=found_at(argv[0]),  # which may be relative to where we are
            cwd=directory,
            env={**os.environ, **variables},
            stdout=sys.__stderr__ if self._output.as_json else None,
        )

    def _unmount(self, mounts: Mounts) -> int:
        """The status: COMMAND may not know what the mounts could not show it."""
        try:
            unshown = mounts.unmount()
        except RequestorError as error:
            return self._output.failed(error, RUN_FAILED)
        lacking = [each for each in unshown if report(each.share, each.found, self._output)]
        self.events.result.left_out = sum(map(_lacking, lacking))
        return EXIT_INCOMPLETE if lacking else 0

    def _delete(self, created: ShadowCopySet) -> bool:
        """Whether the set was there to the end, and is no longer."""
        try:
            created.delete()
        except RequestorError as error:
            self._output.failed(error, RUN_FAILED)
            return False
        if self.events.gone:
            cause = "the server has removed the copy before COMMAND ended: it may not have read all"
            self._output.failed(RequestorError(created.id, cause, _KEEP), RUN_FAILED)
        return not self.events.gone

    def _warn(self, seconds: Optional[float]) -> None:
        if seconds is not None:
            text = f"job {self._job}: the server had removed the copies of an earlier run before"
            text += f" its end, after at most {seconds:.0f} s; a run that takes as long may not"
            self._output.warning(f"{text} read all; {_KEEP}", seconds=seconds)


def _lacking(mount: Unshown) -> int:
    """How many files a backup lacks, or something of them."""
    counts = mount.found.counts.items()
    return sum(number for kind, number in counts if KINDS[kind].incomplete)


def _need_command(settings: Settings) -> None:
    """Raises: WrongUsage."""
    if not settings.run:
        if settings.job:
            next_step = f'add run = ["…"] to [job.{settings.job}], or -- COMMAND to the line'
            raise WrongUsage(f"job {settings.job}", "it has no command", next_step)
        raise WrongUsage("COMMAND", "none was given", "put it behind the shares and --")


def _job_of(settings: Settings) -> str:
    """A name for what has none in the configuration: the same shares and command are the same job.
    A digest, since words of a command may be secrets."""
    words = "\0".join([*settings.shares, "", *settings.run])
    digest = hashlib.sha256(words.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    name = os.fsencode(os.path.basename(settings.run[0])).decode("utf-8", "backslashreplace")
    return f"{name[:_LONGEST_NAME]}-{digest}"
