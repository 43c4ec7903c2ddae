"""rpcclient's fss commands as typed calls."""

from __future__ import annotations

import re
from typing import NamedTuple

from lab.accounts import ROOT, User
from lab.samba import Samba

EXPOSED = re.compile(
    r"^(?P<set>[-0-9a-f]{36})\((?P<copy>[-0-9a-f]{36})\): "
    r"share (?P<share>.+) exposed as a snapshot of \\\\(?P<host>[^\\\n]+)\\(?P<base>[^\\\n]+)\\?$",
    re.MULTILINE,
)
MAPPED = re.compile(
    r"^(?P<set>[-0-9a-f]{36})\((?P<copy>[-0-9a-f]{36})\): "
    r"share (?P<share>.+) is a shadow-copy of \\\\(?P<host>[^\\\n]+)\\(?P<base>[^\\\n]+)\\? at .+$",
    re.MULTILINE,
)


class ShadowCopy(NamedTuple):
    """One mapped share of a set, with the ids as rpcclient prints them."""

    set_id: str
    copy_id: str
    base: str
    share: str


def create_expose(
    samba: Samba,
    *shares: str,
    context: str = "backup",
    mode: str = "ro",
    user: User = ROOT,
    binding: str = "",
) -> list[ShadowCopy]:
    """Make a whole set, from IsPathSupported to GetShareMapping, with one copy for each share."""
    names = " ".join(f'"{share}"' for share in shares)
    command = f"fss_create_expose {context} {mode} {names}"
    done = samba.rpcclient(command, user=user, binding=binding)
    copies = exposed(done.stdout)
    assert [copy.base for copy in copies] == list(shares), done.stdout
    return copies


def exposed(output: str) -> list[ShadowCopy]:
    """Parse the copies in the output of `fss_create_expose`."""
    return [_copy(found) for found in EXPOSED.finditer(output)]


def get_mapping(samba: Samba, copy: ShadowCopy, *, binding: str = "") -> ShadowCopy:
    command = f'fss_get_mapping "{copy.base}" {copy.set_id} {copy.copy_id}'
    done = samba.rpcclient(command, binding=binding)
    found = MAPPED.search(done.stdout)
    assert found is not None, done.stdout
    return _copy(found)


def recovery_complete(samba: Samba, copy: ShadowCopy) -> None:
    done = samba.rpcclient(f"fss_recovery_complete {copy.set_id}")
    assert "marked recovery complete" in done.stdout, done.stdout


def delete(samba: Samba, copy: ShadowCopy, *, binding: str = "") -> None:
    command = f'fss_delete "{copy.base}" {copy.set_id} {copy.copy_id}'
    done = samba.rpcclient(command, binding=binding)
    assert " shadow-copy deleted" in done.stdout, done.stdout


def has_shadow_copy(samba: Samba, share: str) -> bool:
    done = samba.rpcclient(f'fss_has_shadow_copy "{share}"')
    return " has an associated shadow-copy" in done.stdout


def refusal(samba: Samba, command: str, *, user: User = ROOT) -> int:
    """Return the result with which the agent refuses a command."""
    done = samba.rpcclient(command, user=user, check=False)
    found = re.search(r"(?:result|response): (0x[0-9a-f]+)", done.stderr + done.stdout)
    assert found is not None, f"{command} was not refused\n{done.stdout}\n{done.stderr}"
    return int(found.group(1), 16)


def _copy(found: re.Match[str]) -> ShadowCopy:
    return ShadowCopy(found["set"], found["copy"], found["base"], found["share"])
