"""What all our commands share: Samba's own options, and where a running daemon listens."""

from __future__ import annotations

import argparse
import os

from fsrvpd import __version__, core
from fsrvpd.errors import ConfigError
from samba_hooks import open_registry as samba
from samba_hooks.samba_tools import SambaTools

STATE_FOLDER = "fsrvpd"  # below Samba's state directory
CONTROL_SOCKET = "control.socket"
OWN_KEYTAB = "krb5.keytab"
SNAP_SOCKET = "fsrvpd-snap/socket"  # below Samba's pid directory, which is empty after a boot
TOOL_TIMEOUT = 30.0  # s


def add_samba_arguments(parser: argparse.ArgumentParser) -> None:
    """-s, -d, --option and -V, as every program of Samba has them."""
    parser.add_argument(
        "-s", "--configfile", metavar="FILE", help="smb.conf to use, not the one of Samba's build"
    )
    parser.add_argument(
        "-d", "--debuglevel", type=int, metavar="LEVEL", help="log level, 0 to 10, over smb.conf's"
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a global option of smb.conf",
    )
    parser.add_argument(
        "-V", "--version", action="version", version=f"%(prog)s {__version__} ({core.describe()})"
    )


def not_root() -> str:
    """What is to be said after an error: most of Samba's data is open to root alone."""
    return "" if os.geteuid() == 0 else " (you are not root: try it with sudo)"


def state_folder(state_directory: str) -> str:
    """Where our own state lies, given Samba's."""
    return os.path.join(state_directory, STATE_FOLDER)


def control_socket(state_directory: str) -> str:
    return os.path.join(state_folder(state_directory), CONTROL_SOCKET)


def own_keytab(state_directory: str) -> str:
    """The machine's Kerberos keys, where smb.conf names no keytab for them."""
    return os.path.join(state_folder(state_directory), OWN_KEYTAB)


def snap_socket(pid_directory: str) -> str:
    """Where `fsrvp-snap` asks."""
    return os.path.join(pid_directory, SNAP_SOCKET)


def open_registry(arguments: argparse.Namespace) -> samba.Registry:
    """Samba's configuration as the command line wants it. Raises: ConfigError."""
    return samba.open_registry(arguments.configfile, _overrides(arguments))


def samba_tools(arguments: argparse.Namespace) -> SambaTools:
    """Samba's own tools, reading the same configuration. Raises: ConfigError."""
    return SambaTools(arguments.configfile, _overrides(arguments), TOOL_TIMEOUT)


def samba_parameter(arguments: argparse.Namespace, name: str) -> str:
    """One parameter of [global], also for who is not root. Raises: FsrvpdError."""
    return samba_tools(arguments).parameter(name)


def _overrides(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    return [_pair(text) for text in arguments.option]


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"--option={text}: want NAME=VALUE")
    return name.strip(), value.strip()
