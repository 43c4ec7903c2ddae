"""From settings to what the commands work with: who logs in, names, connections, state."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Callable, Mapping, Optional

from fsrvpd.requestor.checks.check import Check
from fsrvpd.requestor.ctl.call_log import LoggingConnector
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.ctl.settings import Settings, WrongUsage
from fsrvpd.requestor.events import Event
from fsrvpd.requestor.names.owner import owners
from fsrvpd.requestor.names.resolve import Names
from fsrvpd.requestor.names.system_look_up import SystemLookUp
from fsrvpd.requestor.ports import AgentConnection
from fsrvpd.requestor.sets.requestor import Requestor
from fsrvpd.requestor.smb import credentials
from fsrvpd.requestor.smb.credentials import Credentials
from fsrvpd.requestor.state.files import StateFiles
from fsrvpd.requestor.state.mounts import MountFiles

# What speaks SMB takes 0.3 s to import: each function does so that contacts a server.
if TYPE_CHECKING:
    from fsrvpd.requestor.smb.connector import SmbConnector

Note = Callable[[Event], None]


def open_store(output: Output) -> StateFiles:
    return StateFiles.of_user(output.warning)


def open_mounts(output: Output) -> MountFiles:
    return MountFiles.of_user(output.warning)


def open_requestor(
    settings: Settings,
    output: Output,
    note: Optional[Note] = None,
    *,
    connector: Optional[SmbConnector] = None,
) -> Requestor:
    """Events are printed, and told to `note`. Without `connector`, it may ask for a password.
    Raises: RequestorError."""
    connector = connector or open_connector(settings)
    names = names_of(settings, connector)
    report = _printed(output, note)
    return Requestor(LoggingConnector(connector), open_store(output), names, report=report)


def open_cleaner(settings: Settings, output: Output) -> Requestor:
    """For `clean` alone: nobody has to log in where nothing is left or to be changed."""
    connector = LoggingConnector(_LoginWhenNeeded(settings))
    names, report = names_of(settings, None), _printed(output)
    return Requestor(connector, open_store(output), names, report=report)


def _printed(output: Output, note: Optional[Note] = None) -> Note:
    def report(event: Event) -> None:
        output.event(event.name, event.text, **event.fields)
        if note is not None:
            note(event)

    return report


class _LoginWhenNeeded:
    """A `Connector` that is made by its first use. May ask for a password then."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connector: Optional[SmbConnector] = None

    def connect(self, host: str, *, deadline: Optional[float] = None) -> AgentConnection:
        if self._connector is None:
            self._connector = open_connector(self._settings)
        return self._connector.connect(host, deadline=deadline)


def open_connector(settings: Settings, who: Optional[Credentials] = None) -> SmbConnector:
    """Without `who`, it may ask for a password. Raises: RequestorError."""
    from fsrvpd.requestor.smb.connector import SmbConnector

    return SmbConnector(who or who_logs_in(settings), encrypt=settings.encrypt)


def who_logs_in(settings: Settings, environment: Mapping[str, str] = os.environ) -> Credentials:
    """Raises: RequestorError, also if nothing says it."""
    if settings.credentials is not None:
        return credentials.from_file(settings.credentials)
    if settings.user is not None:
        return credentials.ask(settings.user)
    from_systemd = credentials.from_systemd(environment)
    if from_systemd is not None and not settings.kerberos:
        return from_systemd
    if settings.kerberos or _has_tickets(environment):
        return credentials.from_cache()
    next_step = "use -A FILE, -U USER or -k, or write `credentials` into the configuration"
    raise WrongUsage("the login", "nothing says as whom", next_step)


def _has_tickets(environment: Mapping[str, str]) -> bool:
    """Where most systems have them; for another place there is -k."""
    default = f"/tmp/krb5cc_{os.geteuid()}"  # noqa: S108 (libkrb5's, which checks the owner)
    return "KRB5CCNAME" in environment or os.path.exists(default)


def names_of(settings: Settings, connector: Optional[SmbConnector]) -> Names:
    """A server that is asked for links of DFS keeps its session for the agent's pipe."""
    listed = owners(settings.owners)
    if connector is None:
        return Names(SystemLookUp(), None, fqdn=settings.fqdn, listed=listed)
    from fsrvpd.requestor.smb.dfs import DfsReferrals

    return Names(SystemLookUp(), DfsReferrals(connector), fqdn=settings.fqdn, listed=listed)


def open_names(settings: Settings) -> Names:
    """May ask for a password: servers tell links of DFS to those who log in. Where nothing says
    who that is, nobody is asked."""
    try:
        connector = open_connector(settings)
    except WrongUsage:
        return names_of(settings, None)
    return names_of(settings, connector)


def open_check(settings: Settings) -> Check:
    """To be closed. May ask for a password. Raises: RequestorError."""
    from fsrvpd.requestor.smb.server_look import ServerLooks

    connector = open_connector(settings)
    names = names_of(settings, connector)
    return Check(names, ServerLooks(connector), LoggingConnector(connector))
