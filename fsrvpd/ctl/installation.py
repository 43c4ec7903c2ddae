"""`fsrvpctl setup` and `remove`: what stands between Samba and fsrvpd, put aside and back.

Both can be repeated; both say what they do; with --dry-run that is all they do, and what
changes smb.conf is asked first, unless --yes.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import Optional

from fsrvpd.command_line import open_registry, samba_tools
from fsrvpd.ctl import registry_shares
from fsrvpd.ctl.registry_shares import Change
from fsrvpd.errors import ConfigError, FsrvpdError
from fsrvpd.options import SERVE_PIPE, parametric
from samba_hooks import dcerpcd
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.samba_tools import SambaTools

NOTHING = "nothing to do"
AGENT = "Samba's own agent"
SHARES = "registry shares"
EXIT_FAILED = 1


def setup(arguments: argparse.Namespace) -> int:
    """Status 1 when the agent could not be moved; smb.conf is seen to all the same."""
    try:
        _put_aside(dcerpcd.own_agent(), arguments)
        status = 0
    except ConfigError as error:
        if arguments.agent_only:
            raise
        print(f"{AGENT}: {error}", file=sys.stderr)
        status = EXIT_FAILED
    if not arguments.agent_only:
        change = registry_shares.addition(_configuration(arguments))
        _change(arguments, change, f"on already, {NOTHING}")
    return status


def _put_aside(agent: dcerpcd.OwnAgent, arguments: argparse.Namespace) -> None:
    if agent.directory is None:
        print(f"{AGENT}: this Samba has none that could take the pipe")
    elif not _serves_pipe(arguments):
        _put_back(agent, "stays, as fsrvpd:serve pipe = no wants", arguments)
    elif not agent.in_the_way:
        print(f"{AGENT}: out of the way already, {NOTHING}")
    else:
        _tell(AGENT, dcerpcd.divert(agent, dry_run=arguments.dry_run), arguments)
        print("a samba-dcerpcd that runs keeps it until it ends: restart smbd")


def remove(arguments: argparse.Namespace) -> int:
    _put_back(dcerpcd.own_agent(), f"in its place, {NOTHING}", arguments)
    if arguments.agent_only:
        return 0
    _change(arguments, registry_shares.removal(_configuration(arguments)), f"not ours, {NOTHING}")
    return 0


def _put_back(agent: dcerpcd.OwnAgent, otherwise: str, arguments: argparse.Namespace) -> None:
    if agent.moved:
        _tell(AGENT, dcerpcd.undivert(agent, dry_run=arguments.dry_run), arguments)
    else:
        print(f"{AGENT}: {otherwise}")


def _serves_pipe(arguments: argparse.Namespace) -> bool:
    """True where there is no configuration yet: a package is set up before its admin comes."""
    try:
        return SERVE_PIPE.of(parametric(_configuration(arguments).options))
    except FsrvpdError:
        return True


def _configuration(arguments: argparse.Namespace) -> SambaConfiguration:
    with contextlib.closing(open_registry(arguments)) as registry:
        return registry.configuration()


def _tell(what: str, commands: list[str], arguments: argparse.Namespace) -> None:
    verb = "would run" if arguments.dry_run else "ran"
    for command in commands:
        print(f"{what}: {verb} {command}")


def _change(arguments: argparse.Namespace, change: Optional[Change], otherwise: str) -> None:
    if change is None:
        print(f"{SHARES}: {otherwise}")
    elif arguments.dry_run:
        print(f"{SHARES}: would {change.words}")
    elif arguments.yes or _agreed(change):
        tools = samba_tools(arguments)
        registry_shares.apply(change, tools)
        print(f"{SHARES}: done: {change.words}")
        _let_samba_read_it(tools)
    else:
        raise FsrvpdError(f"{SHARES}: left as it is; to {change.words}, say yes, or give --yes")


def _let_samba_read_it(tools: SambaTools) -> None:
    try:
        tools.run("smbcontrol", "all", "reload-config")
    except FsrvpdError as error:
        print(f"{SHARES}: Samba was not told: {error}; it reads smb.conf when it starts")


def _agreed(change: Change) -> bool:
    """Asked at a terminal only: silence is no consent."""
    if not sys.stdin.isatty():
        return False
    try:
        return input(f"{SHARES}: {change.words}? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False
