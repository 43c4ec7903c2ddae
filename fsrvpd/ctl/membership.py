"""What `fsrvpctl doctor` looks at on a member of a domain: winbind, keys, clock, callers."""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import Iterator, Optional

from fsrvpd.command_line import own_keytab
from fsrvpd.ctl.circumstances import Circumstances, installation, says
from fsrvpd.ctl.findings import Finding, Grade
from fsrvpd.errors import AuthenticationError
from samba_hooks import keytab

OPERATORS = "BUILTIN\\Backup Operators"
ADMINISTRATORS = "BUILTIN\\Administrators"
PRIVILEGE = "SeBackupPrivilege"
NOTICEABLE_SKEW = 60  # s
KERBEROS_SKEW = 300  # s, beyond which every KDC and server refuses
NOT_USED = "not a member of a domain: not used"


def winbind(now: Circumstances) -> Iterator[Finding]:
    if not now.is_member:
        yield Finding(Grade.NOTE, "winbind", NOT_USED)
    elif shutil.which("wbinfo") is None:
        text = "is not installed: no account of the domain can be checked"
        yield Finding(Grade.FAIL, "winbind", text, installation("winbind"))
    elif says("wbinfo", "--ping") is None:
        text = "does not run: no account of the domain can be checked"
        yield Finding(Grade.FAIL, "winbind", text, "systemctl enable --now winbind")
    elif says("wbinfo", "--ping-dc") is None:
        text = "does not reach a domain controller: no account of the domain can be checked"
        yield Finding(Grade.FAIL, "winbind", text, "wbinfo --ping-dc; net ads testjoin")
    else:
        yield Finding(Grade.GOOD, "winbind", "reaches a domain controller")


def kerberos(now: Circumstances) -> Iterator[Finding]:
    samba = now.configuration.samba
    if not keytab.is_used(samba):
        yield Finding(Grade.NOTE, "Kerberos", NOT_USED)
        return
    if importlib.util.find_spec("gssapi") is None:
        text = "the Python package gssapi is missing, so that only NTLM is left"
        yield Finding(Grade.WARN, "Kerberos", text, installation("python3-gssapi"))
        return
    dedicated = keytab.dedicated(samba)
    path = (dedicated or own_keytab(samba.state_directory)).removeprefix("FILE:")
    mend = "net ads keytab create -P" if dedicated else "systemctl restart fsrvpd"
    if not os.path.exists(path):
        why = "smb.conf names it" if dedicated else "fsrvpd makes it when it starts"
        text = f"no keytab {path}, so that only NTLM is left; {why}"
        yield Finding(Grade.WARN, "Kerberos", text, f"net ads testjoin && {mend}")
        return
    yield _keytab(now, path, mend)


def _keytab(now: Circumstances, path: str, mend: str) -> Finding:
    """Whether it has the key with which domain controllers encrypt tickets for this server."""
    try:
        held = keytab.key_versions(path)
    except AuthenticationError as error:
        return Finding(Grade.FAIL, "Kerberos", str(error), f"rm {path} && {mend}")
    current = _key_version(now)
    if current is None:
        text = f"keytab {path}; the domain does not tell whether it is current"
        return Finding(Grade.WARN, "Kerberos", text, "net ads testjoin")
    if current not in held:
        text = (
            f"keytab {path} is stale: it ends with key version {max(held)}, and the domain has"
            f" {current}, so that clients with new tickets are refused"
        )
        return Finding(Grade.FAIL, "Kerberos", text, mend)
    return Finding(Grade.GOOD, "Kerberos", f"keytab {path}, with current key version {current}")


def _key_version(now: Circumstances) -> Optional[int]:
    name = "msDS-KeyVersionNumber"
    account = f"(sAMAccountName={now.configuration.samba.netbios_name}$)"
    return now.net_value(name, "ads", "search", account, name, "-P")


def clock(now: Circumstances) -> Iterator[Finding]:
    """Against the domain's where there is one, which is what Kerberos measures with."""
    skew = None
    if keytab.is_used(now.configuration.samba):
        skew = now.net_value("Server time offset", "ads", "info")
    if skew is not None:
        yield _skew(abs(skew))
        return
    said = says("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if said == "yes":
        yield Finding(Grade.GOOD, "clock", "synchronized")
    elif said == "no":
        text = "not synchronized: the ages of sets are wrong"
        yield Finding(Grade.WARN, "clock", text, "timedatectl set-ntp true")
    else:
        yield Finding(Grade.NOTE, "clock", "timedatectl does not answer; not looked at")


def _skew(seconds: int) -> Finding:
    text = f"{seconds} s away from the domain controller's"
    if seconds >= KERBEROS_SKEW:
        text += ": Kerberos refuses everything beyond five minutes"
        return Finding(Grade.FAIL, "clock", text, "timedatectl set-ntp true")
    if seconds >= NOTICEABLE_SKEW:
        text += ": Kerberos fails beyond five minutes"
        return Finding(Grade.WARN, "clock", text, "timedatectl set-ntp true")
    return Finding(Grade.GOOD, "clock", text)


def callers(now: Circumstances) -> Iterator[Finding]:
    """Who may ask for shadow copies, besides root."""
    found = {group: _members(now, group) for group in (OPERATORS, ADMINISTRATORS)}
    holders = [each for each in now.net("sam", "rights", "list", PRIVILEGE) or [] if each]
    for group, names in found.items():
        if names:
            yield Finding(Grade.GOOD, "callers", f"members of {group}: {', '.join(names)}")
    direct = [each for each in holders if each not in found]
    if direct:
        yield Finding(Grade.GOOD, "callers", f"holders of {PRIVILEGE}: {', '.join(direct)}")
    if not found[OPERATORS] and not direct:
        yield Finding(Grade.WARN, "callers", _nobody(now), _grant(now))


def _members(now: Circumstances, group: str) -> list[str]:
    lines = now.net("sam", "listmem", group)
    return [line.strip() for line in lines[1:]] if lines else []


def _nobody(now: Circumstances) -> str:
    text = (
        f"{OPERATORS} has no members and nobody holds {PRIVILEGE}: only administrators"
        " can ask for shadow copies. Windows asks as the computer account, too"
    )
    if now.is_member:
        text += ". The domain's Backup Operators are its controllers', not this server's"
    return text


def _grant(now: Circumstances) -> str:
    return f"net sam rights grant '{now.account_domain}\\backup' {PRIVILEGE}"


CHECKS = (winbind, kerberos, clock, callers)
