"""What the commands beside Samba share: its standard options, and where a running daemon listens.

A ping spends most of its time on imports, so what only some commands need is imported by the
function that needs it.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from fsrvpd.command_line import add_version_argument
from fsrvpd.errors import ConfigError, FsrvpdError

if TYPE_CHECKING:
    from samba_hooks.registry.open_registry import Registry
    from samba_hooks.tools import SambaTools

STATE_FOLDER = "fsrvpd"  # below Samba's state directory
CONTROL_SOCKET = "control.socket"
OWN_KEYTAB = "krb5.keytab"
SNAP_SOCKET = "fsrvpd-snap/socket"  # below Samba's pid directory, which is empty after a boot
TOOL_TIMEOUT = 30.0  # s
HIGHEST_DEBUG_LEVEL = 10  # Samba's own messages have none above it


def add_samba_arguments(parser: argparse.ArgumentParser) -> None:
    """-s, -d, --option and -V, as all programs of Samba have them."""
    parser.add_argument(
        "-s",
        "--configfile",
        metavar="FILE",
        help="path of smb.conf (default: the one built into Samba)",
    )
    parser.add_argument(
        "-d",
        "--debuglevel",
        type=_debug_level,
        metavar="LEVEL",
        help="log level 0-10, overrides smb.conf",
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a global option of smb.conf",
    )
    add_version_argument(parser)


def _debug_level(text: str) -> int:
    if not text.isdecimal() or int(text) > HIGHEST_DEBUG_LEVEL:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to {HIGHEST_DEBUG_LEVEL}")
    return int(text)


def root_hint() -> str:
    """A hint after an error message: only root can read most of Samba's data."""
    return "" if os.geteuid() == 0 else " (you are not root: try sudo)"


def state_folder(state_directory: str) -> str:
    """The directory of fsrvpd's state below Samba's state directory."""
    return os.path.join(state_directory, STATE_FOLDER)


def control_socket(state_directory: str) -> str:
    return os.path.join(state_folder(state_directory), CONTROL_SOCKET)


def own_keytab(state_directory: str) -> str:
    """The machine's Kerberos keys, where smb.conf names no keytab for them."""
    return os.path.join(state_folder(state_directory), OWN_KEYTAB)


def snap_socket(pid_directory: str) -> str:
    """Return the path of the socket for `fsrvp-snap`."""
    return os.path.join(pid_directory, SNAP_SOCKET)


def open_registry(arguments: argparse.Namespace, *, to_read: bool = False) -> Registry:
    """Samba's configuration, with -s and --option from the command line. `to_read`: nothing is
    written, so Samba's registry is mapped, from which 2,000 shares are read in half the time.
    Raises: ConfigError, RegistryError."""
    from samba_hooks.registry import open_registry as samba

    mapped = [("use mmap", "yes")] if to_read else []
    return samba.open_registry(arguments.configfile, [*mapped, *_overrides(arguments)])


def samba_tools(arguments: argparse.Namespace) -> SambaTools:
    """Samba's command line tools, with the same configuration. Raises: ConfigError."""
    from samba_hooks.tools import SambaTools

    return SambaTools(arguments.configfile, _overrides(arguments), TOOL_TIMEOUT)


def samba_parameter(arguments: argparse.Namespace, name: str) -> str:
    """One parameter of [global], also for users other than root. Raises: FsrvpdError."""
    try:
        return samba_tools(arguments).parameter(name)
    except FsrvpdError:
        _check_smb_conf(arguments)
        raise


def _check_smb_conf(arguments: argparse.Namespace) -> None:
    """For every user. Raises: RegistryError naming the line for which Samba refuses smb.conf."""
    from samba_hooks.registry import open_registry as samba

    without_registry = [*_overrides(arguments), ("registry shares", "no")]
    samba.open_registry(arguments.configfile, without_registry).close()


def _overrides(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    return [_pair(text) for text in arguments.option]


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"--option={text}: must be NAME=VALUE")
    return name.strip(), value.strip()
