"""What a command works with: its options, and the configuration where they say nothing."""

from __future__ import annotations

import argparse
from typing import NamedTuple, Optional, Tuple

from fsrvpd.requestor.ctl import configuration
from fsrvpd.requestor.ctl.configuration import WriterSection
from fsrvpd.requestor.ctl.exit_status import EXIT_USAGE
from fsrvpd.requestor.errors import RequestorError

WINDOW = 10.0  # s, as long as VSS lets the storage of Windows hold writes back


class WrongUsage(RequestorError):
    def __init__(self, what: str, cause: str, next_step: str) -> None:
        super().__init__(what, cause, next_step, exit_status=EXIT_USAGE)


class Settings(NamedTuple):
    shares: Tuple[str, ...]
    run: Tuple[str, ...]
    job: str  # "" without -c
    credentials: Optional[str]  # a file
    user: Optional[str]
    kerberos: bool
    encrypt: bool
    wait: Optional[float]  # s; None: nothing was said
    owners: Tuple[str, ...]
    fqdn: bool
    writers: Tuple[WriterSection, ...]
    window: float  # s that writers are frozen at most
    mount: bool
    cifs: bool  # mount with the kernel's file system
    metrics: Optional[str]  # a directory


def read(arguments: argparse.Namespace) -> Settings:
    """Raises: WrongUsage, WrongConfiguration."""
    check_user(arguments)
    found = configuration.load()
    job = getattr(arguments, "job", None) or ""
    return _settings(arguments, found, job, found.job(job) if job else found.common)


def read_for_job(arguments: argparse.Namespace, job: str) -> Settings:
    """Those with which the sets of a job are removed: `job` is "" in them where the configuration
    has no such job, or none any more, and where the command line says who logs in.

    Raises: WrongUsage, WrongConfiguration.
    """
    check_user(arguments)
    found = configuration.load()
    if job not in found.jobs or any(_who(arguments)):
        return _settings(arguments, found, "", found.common)
    return _settings(arguments, found, job, found.job(job))


def _settings(
    arguments: argparse.Namespace,
    found: configuration.Configuration,
    job: str,
    section: configuration.Section,
) -> Settings:
    on_line = _Line(arguments)
    return Settings(
        shares=on_line.words("shares") or section.shares or (),
        run=on_line.words("words") or section.run or (),
        job=job,
        credentials=arguments.authentication_file or on_line.unless_user(section.credentials),
        user=arguments.user,
        kerberos=arguments.kerberos,
        encrypt=arguments.encrypt or bool(section.encrypt),
        wait=section.wait if arguments.wait is None else arguments.wait,
        owners=section.owners or (),
        fqdn=arguments.fqdn,
        writers=tuple(map(found.writer, on_line.words("writers") or section.writers or ())),
        window=getattr(arguments, "window", None) or section.window or WINDOW,
        mount=section.mount is not False and not getattr(arguments, "no_mount", False),
        cifs=bool(getattr(arguments, "cifs", False)),
        metrics=section.metrics,
    )


class _Line(NamedTuple):
    """The command line."""

    arguments: argparse.Namespace

    def words(self, name: str) -> Tuple[str, ...]:
        return tuple(getattr(self.arguments, name, None) or ())

    def unless_user(self, file: Optional[str]) -> Optional[str]:
        """The configuration's file, unless the command line says who logs in."""
        return None if self.arguments.user or self.arguments.kerberos else file


def check_user(arguments: argparse.Namespace) -> None:
    """They may stand before and behind COMMAND, which argparse cannot compare.

    Raises: WrongUsage.
    """
    if sum(map(bool, _who(arguments))) > 1:
        raise WrongUsage("-A, -U and -k", "each says who logs in", "give one of them")
    if arguments.user and "%" in arguments.user:
        raise WrongUsage(
            "-U",
            "a password on a command line can be read by every user of this host",
            "leave out % and what follows, to be asked for it, or use -A FILE",
        )


def _who(arguments: argparse.Namespace) -> Tuple[object, ...]:
    """What of the command line says who logs in."""
    return arguments.authentication_file, arguments.user, arguments.kerberos


def need_shares(settings: Settings) -> Tuple[str, ...]:
    """Raises: WrongUsage."""
    if settings.shares:
        return settings.shares
    if settings.job:
        next_step = f"add shares = ['\\\\host\\share'] to [job.{settings.job}]"
        raise WrongUsage(f"job {settings.job}", "it has no shares", next_step)
    raise WrongUsage("SHARE", "none was given", "name one, '\\\\host\\share', or a job with -c")
