"""`fsrvpctl setup` and `remove`: what stands between Samba and fsrvpd, put aside and back.

Both can be repeated; both say what they do; with --dry-run that is all they do.
"""

from __future__ import annotations

import argparse
import contextlib

from fsrvpd.command_line import open_registry
from fsrvpd.errors import FsrvpdError
from samba_hooks import dcerpcd

NOTHING = "nothing to do"


def setup(arguments: argparse.Namespace) -> int:
    agent = dcerpcd.own_agent()
    if agent.directory is None:
        print("Samba's own agent: this Samba has none that could take the pipe")
    elif not agent.in_the_way:
        print(f"Samba's own agent: out of the way already, {NOTHING}")
    else:
        _tell("Samba's own agent", dcerpcd.divert(agent, dry_run=arguments.dry_run), arguments)
        print("a samba-dcerpcd that runs keeps it until it ends: restart smbd")
    return _check_registry_shares(arguments)


def remove(arguments: argparse.Namespace) -> int:
    agent = dcerpcd.own_agent()
    if agent.moved:
        _tell("Samba's own agent", dcerpcd.undivert(agent, dry_run=arguments.dry_run), arguments)
    else:
        print(f"Samba's own agent: in its place, {NOTHING}")
    return 0


def _tell(what: str, commands: list[str], arguments: argparse.Namespace) -> None:
    verb = "would run" if arguments.dry_run else "ran"
    for command in commands:
        print(f"{what}: {verb} {command}")


def _check_registry_shares(arguments: argparse.Namespace) -> int:
    """Shadow copy shares are made in Samba's registry: it must look there."""
    with contextlib.closing(open_registry(arguments)) as registry:
        configuration = registry.configuration()
    if configuration.registry_shares:
        print("registry shares: on")
        return 0
    raise FsrvpdError(
        f"registry shares: off, so Samba would not see a shadow copy share; add"
        f" `registry shares = yes` to [global] of {configuration.config_file}, then"
        " `smbcontrol all reload-config`"
    )
