"""Input for the doctor's checks in tests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Callable, Sequence

from fsrvpd.config.load import Configuration
from fsrvpd.ctl.doctor.environment import Environment
from fsrvpd.ctl.doctor.result import Finding, Severity
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.ports import Share
from samba_hooks.configuration import ROLE_STANDALONE, SambaConfiguration

SAMBA = SambaConfiguration(  # type: ignore[arg-type]
    **{
        **dict.fromkeys(SambaConfiguration._fields, ""),
        "samba_version": "4.17.12-Debian",
        "config_file": "/etc/samba/smb.conf",
        "server_role": ROLE_STANDALONE,
        "netbios_name": "NAS",
        "workgroup": "LAB",
        "registry_shares": True,
    }
)
SETTINGS = SimpleNamespace(
    requirement=SimpleNamespace(integrity=True), serve_pipe=True, admin_group=""
)
Check = Callable[[Environment], Any]


class Tools:
    """Samba's `net`, which prints for some arguments and fails for others."""

    def __init__(self, printed: dict[str, str]) -> None:
        self._printed = printed
        self.arguments: list[str] = []

    def run(self, tool: str, *arguments: str) -> str:
        command = " ".join([tool, *arguments])
        for prefix, text in self._printed.items():
            if command.startswith(prefix):
                return text
        raise FsrvpdError(f"{command}: failed")

    def all_parameters(self) -> str:
        return self.run("testparm")


def environment(
    ask: Any = None,
    printed: dict[str, str] = {},  # noqa: B006 - read only
    shares: Sequence[str] = (),
    warnings: Sequence[str] = (),
    settings: Any = SETTINGS,
    **samba: Any,
) -> Environment:
    configuration = Configuration(SAMBA._replace(**samba), settings, tuple(warnings), {})
    registry: Any = SimpleNamespace(
        shares=lambda: [
            Share(name, "/", False, vfs_objects=("acl_xattr", name)) for name in shares
        ],
    )
    tools: Any = Tools(printed)
    return Environment(registry, tools, configuration, ask or nobody)


def nobody(message: str, *parameters: str) -> Any:
    raise FsrvpdError("fsrvpd does not answer")


def severities(check: Check, about: Environment) -> list[Severity]:
    return [finding.severity for finding in check(about)]


def only(check: Check, about: Environment) -> Finding:
    [finding] = check(about)
    assert isinstance(finding, Finding)
    return finding
