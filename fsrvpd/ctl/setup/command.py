"""`fsrvpctl setup`: configures Samba for fsrvpd; with --undo, restores what it has changed.

It can be repeated and prints what it does; with --dry-run it changes nothing. It asks before
it changes smb.conf, unless --yes is given.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import Optional

from fsrvpd.config.daemon_options import SERVE_PIPE
from fsrvpd.ctl.setup import registry_shares
from fsrvpd.ctl.setup.registry_shares import Change
from fsrvpd.errors import ConfigError, FsrvpdError
from fsrvpd.options.option import full_names
from fsrvpd.samba_command_line import open_registry, samba_tools
from samba_hooks import samba_agent
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.registry.share_definition import is_share_name
from samba_hooks.tools import SambaTools

NOTHING = "nothing to do"
AGENT = "Samba's own agent"
SHARES = "registry shares"
EXIT_FAILED = 1


def setup(arguments: argparse.Namespace) -> int:
    """Status 1 when the agent could not be moved; smb.conf is changed nevertheless."""
    status = _change_agent(arguments)
    if not arguments.agent_only:
        if arguments.undo:
            _disable_registry_shares(arguments)
        else:
            change = registry_shares.addition(_configuration(arguments))
            _change(arguments, change, f"already enabled, {NOTHING}")
    return status


def _change_agent(arguments: argparse.Namespace) -> int:
    try:
        if arguments.undo:
            _restore_agent(samba_agent.find(), f"in its place, {NOTHING}", arguments)
        else:
            _disable_agent(samba_agent.find(), arguments)
    except ConfigError as error:
        if arguments.agent_only:
            raise
        print(f"{AGENT}: {error}", file=sys.stderr)
        return EXIT_FAILED
    return 0


def _disable_agent(agent: samba_agent.SambaAgent, arguments: argparse.Namespace) -> None:
    if agent.directory is None:
        print(f"{AGENT}: this Samba has none that could take over the pipe")
    elif not _serves_pipe(arguments):
        _restore_agent(agent, "left in place (fsrvpd:serve pipe = no)", arguments)
    elif not agent.active:
        print(f"{AGENT}: already disabled, {NOTHING}")
    else:
        _print_commands(samba_agent.divert(agent, dry_run=arguments.dry_run), arguments)
        print("a running samba-dcerpcd keeps it until it ends: restart smbd")


def _restore_agent(
    agent: samba_agent.SambaAgent, otherwise: str, arguments: argparse.Namespace
) -> None:
    if agent.moved:
        _print_commands(samba_agent.undivert(agent, dry_run=arguments.dry_run), arguments)
    else:
        print(f"{AGENT}: {otherwise}")


def _disable_registry_shares(arguments: argparse.Namespace) -> None:
    """Unless somebody else needs them by now."""
    change = registry_shares.removal(_configuration(arguments))
    others = _others_shares(arguments) if change else []
    if others:
        print(
            f"{SHARES}: left on: {', '.join(others)} would no longer be served, because Samba's"
            " registry defines them (net conf list)"
        )
    else:
        _change(arguments, change, f"not enabled by setup, {NOTHING}")


def _others_shares(arguments: argparse.Namespace) -> list[str]:
    """The shares in Samba's registry that are not shadow copies."""
    with contextlib.closing(open_registry(arguments)) as registry:
        copies = registry.shadow_shares()
    listed = samba_tools(arguments).run("net", "conf", "listshares").splitlines()
    return [name for name in listed if is_share_name(name) and name not in copies]


def _serves_pipe(arguments: argparse.Namespace) -> bool:
    """True when there is no configuration yet: a package is installed before it is configured."""
    try:
        return SERVE_PIPE.read(full_names(_configuration(arguments).options))
    except FsrvpdError:
        return True


def _configuration(arguments: argparse.Namespace) -> SambaConfiguration:
    with contextlib.closing(open_registry(arguments)) as registry:
        return registry.configuration()


def _print_commands(commands: list[str], arguments: argparse.Namespace) -> None:
    verb = "would run" if arguments.dry_run else "ran"
    for command in commands:
        print(f"{AGENT}: {verb} {command}")


def _change(arguments: argparse.Namespace, change: Optional[Change], otherwise: str) -> None:
    if change is None:
        print(f"{SHARES}: {otherwise}")
    elif arguments.dry_run:
        print(f"{SHARES}: would {change.description}")
    elif arguments.yes or _is_confirmed(change):
        tools = samba_tools(arguments)
        registry_shares.apply(change, tools)
        _confirm_effect(arguments, change, tools)
        print(f"{SHARES}: done: {change.description}")
        _reload_samba(tools)
    else:
        raise FsrvpdError(
            f"{SHARES}: not changed; to {change.description}, answer yes, or give --yes"
        )


def _confirm_effect(arguments: argparse.Namespace, change: Change, tools: SambaTools) -> None:
    """Samba's own answer decides. Raises: FsrvpdError; the change is undone then."""
    if change.enables and not _configuration(arguments).registry_shares:
        registry_shares.apply(change.undone(), tools)
        raise ConfigError(
            f"{change.path}: left as it was, because Samba reads `registry shares = no` elsewhere:"
            " testparm -sv"
        )


def _reload_samba(tools: SambaTools) -> None:
    try:
        tools.run("smbcontrol", "all", "reload-config")
    except FsrvpdError as error:
        print(f"{SHARES}: Samba could not be notified: {error}; restart it")


def _is_confirmed(change: Change) -> bool:
    """Ask, at a terminal only: no answer is no consent."""
    if not sys.stdin.isatty():
        return False
    try:
        return input(f"{SHARES}: {change.description}? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False
