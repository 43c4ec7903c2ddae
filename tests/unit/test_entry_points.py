"""What a command must not import: each side runs without the other, and all without test peers."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.modules import MODULES, dotted, is_inside
from tests.paths import ROOT

PEERS = ("impacket", "smb")  # pysmb's package is `smb`
AGENT = ("samba", "samba_hooks", *(f"fsrvpd.{name}" for name in ("config", "ctl", "daemon")))
AGENT += tuple(f"fsrvpd.{name}" for name in ("exports", "providers", "shares", "store"))
REQUESTOR = ("fsrvpd.requestor", "smbprotocol", "spnego")
SCRIPT = """
import importlib, sys
refused = {refused!r}
class Refuse:
    def find_spec(self, name, path=None, target=None):
        for each in refused:
            assert name != each and not name.startswith(each + "."), name + " was imported"
sys.meta_path.insert(0, Refuse())
for name in {names!r}:
    importlib.import_module(name)
"""
NAMES = [dotted(path) for path in MODULES if path.name != "__main__.py"]
COMMANDS = dict(
    re.findall(r'(?m)^([\w-]+) = "(fsrvpd\.[\w.]+):main"$', (ROOT / "pyproject.toml").read_text())
)


def run(names: list[str], refused: tuple[str, ...]) -> None:
    argv = [sys.executable, "-c", SCRIPT.format(names=names, refused=refused)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_each_side_has_its_commands() -> None:
    sides = {name: is_inside(module, "fsrvpd.requestor") for name, module in COMMANDS.items()}
    agent = dict.fromkeys(("fsrvpd", "fsrvpctl", "fsrvp-snap"), False)
    assert sides == {**agent, "fsrvpshadow": True}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_imports_the_other_side_or_a_peer_of_tests(command: str) -> None:
    other = AGENT if is_inside(COMMANDS[command], "fsrvpd.requestor") else REQUESTOR
    run([COMMANDS[command]], (*PEERS, *other))


def test_nothing_of_the_requestor_imports_the_agent() -> None:
    run([name for name in NAMES if is_inside(name, "fsrvpd.requestor")], (*PEERS, *AGENT))


def test_nothing_of_the_agent_imports_the_requestor() -> None:
    run([name for name in NAMES if not is_inside(name, "fsrvpd.requestor")], (*PEERS, *REQUESTOR))
