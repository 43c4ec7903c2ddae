"""Checks of a member or controller of a domain: winbind, Kerberos keys, clock, callers."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
from typing import Iterator, Optional

from fsrvpd.ctl.doctor.environment import Environment, install_hint, output_of
from fsrvpd.ctl.doctor.result import Finding, Severity
from fsrvpd.errors import AuthenticationError
from fsrvpd.samba_command_line import own_keytab
from samba_hooks.accounts import keytab

OPERATORS = "BUILTIN\\Backup Operators"
ADMINISTRATORS = "BUILTIN\\Administrators"
PRIVILEGE = "SeBackupPrivilege"
NOTICEABLE_SKEW = 60  # s
KERBEROS_SKEW = 300  # s; beyond it every KDC and server refuses
NOT_USED = "not used, since this server is in no domain"


def winbind(environment: Environment) -> Iterator[Finding]:
    if not environment.is_member:
        yield Finding(Severity.NOTE, "winbind", NOT_USED)
    elif shutil.which("wbinfo") is None:
        text = "not installed, so no account of the domain can be checked"
        yield Finding(Severity.FAIL, "winbind", text, install_hint("winbind"))
    elif output_of("wbinfo", "--ping") is None:
        text = "not running, so no account of the domain can be checked"
        yield Finding(Severity.FAIL, "winbind", text, environment.start("winbind"))
    elif output_of("wbinfo", "--ping-dc") is None:
        text = "cannot reach a domain controller, so no account of the domain can be checked"
        yield Finding(Severity.FAIL, "winbind", text, "wbinfo --ping-dc; net ads testjoin")
    else:
        yield Finding(Severity.OK, "winbind", "reaches a domain controller")


def kerberos(environment: Environment) -> Iterator[Finding]:
    samba = environment.configuration.samba
    if not keytab.is_used(samba):
        yield Finding(Severity.NOTE, "Kerberos", NOT_USED)
        return
    if importlib.util.find_spec("gssapi") is None:
        text = "the Python package gssapi is missing, so only NTLM works"
        yield Finding(Severity.WARN, "Kerberos", text, install_hint("python3-gssapi"))
        return
    kept = keytab.kept_by_others(samba)
    path = (kept or own_keytab(samba.state_directory)).removeprefix("FILE:")
    if environment.is_controller:
        why = "Samba keeps the controller's keys in it"
        repair = f"samba-tool domain exportkeytab {path} --principal={samba.netbios_name}$"
    elif kept:
        why, repair = "smb.conf names it", "net ads keytab create -P"
    else:
        why, repair = "fsrvpd creates it when it starts", "systemctl restart fsrvpd"
    if not os.path.exists(path):
        text = f"no keytab {path}, so only NTLM works; {why}"
        test = "" if environment.is_controller else "net ads testjoin && "
        yield Finding(Severity.WARN, "Kerberos", text, f"{test}{repair}")
        return
    yield _keytab(environment, path, repair, ours=not kept)


def _keytab(environment: Environment, path: str, repair: str, *, ours: bool) -> Finding:
    """Whether the keytab has the key with which domain controllers encrypt tickets for this
    server."""
    try:
        held = keytab.key_versions(path)
    except AuthenticationError as error:
        if ours:
            return Finding(Severity.FAIL, "Kerberos", str(error), f"rm {path} && {repair}")
        text = f"{error}. Others use it: if it is damaged, `mv {path} {path}.damaged && {repair}`"
        return Finding(Severity.FAIL, "Kerberos", text, f"klist -k {path}")
    current = _key_version(environment)
    if current is None:
        text = f"keytab {path}; the domain cannot be asked whether it is current"
        return Finding(Severity.WARN, "Kerberos", text, "net ads testjoin")
    if current not in held:
        text = (
            f"keytab {path} is stale: its last key version is {max(held)}, the domain has"
            f" {current}; clients with new tickets are refused"
        )
        return Finding(Severity.FAIL, "Kerberos", text, repair)
    return Finding(Severity.OK, "Kerberos", f"keytab {path}, with current key version {current}")


def _key_version(environment: Environment) -> Optional[int]:
    name = "msDS-KeyVersionNumber"
    account = f"(sAMAccountName={environment.configuration.samba.netbios_name}$)"
    return environment.net_value(name, "ads", "search", account, name, "-P")


def clock(environment: Environment) -> Iterator[Finding]:
    """Compared with the domain controller's, as Kerberos does, if there is another one."""
    skew = None
    if keytab.is_used(environment.configuration.samba) and not environment.is_controller:
        skew = environment.net_value("Server time offset", "ads", "info")
    if skew is not None:
        yield _skew(abs(skew))
        return
    synchronized = output_of("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if synchronized == "yes":
        yield Finding(Severity.OK, "clock", "synchronized")
    elif synchronized == "no":
        text = "not synchronized, so the ages of sets are wrong"
        yield Finding(Severity.WARN, "clock", text, "timedatectl set-ntp true")
    else:
        yield Finding(Severity.NOTE, "clock", "not checked: timedatectl does not answer")


def _skew(seconds: int) -> Finding:
    text = f"{seconds} s away from the domain controller's"
    if seconds >= KERBEROS_SKEW:
        text += ": Kerberos refuses everything beyond five minutes"
        return Finding(Severity.FAIL, "clock", text, "timedatectl set-ntp true")
    if seconds >= NOTICEABLE_SKEW:
        text += ": Kerberos fails beyond five minutes"
        return Finding(Severity.WARN, "clock", text, "timedatectl set-ntp true")
    return Finding(Severity.OK, "clock", text)


def callers(environment: Environment) -> Iterator[Finding]:
    """Who may request shadow copies, besides root."""
    found = {group: _members(environment, group) for group in (OPERATORS, ADMINISTRATORS)}
    holders = [] if environment.is_controller else _holders(environment)
    for group, names in found.items():
        command = f"net sam delmem {shlex.quote(group)}"
        yield from _named(f"members of {group}", names, command)
    direct = [each for each in holders if each not in found]
    # `net sam rights revoke` takes no SID.
    revoke = "net rpc rights revoke -U root"
    yield from _named(f"holders of {PRIVILEGE}", direct, revoke, PRIVILEGE)
    if not _accounts(found[OPERATORS]) and not _accounts(direct):
        yield Finding(Severity.WARN, "callers", _nobody(environment), environment.grant("backup"))


def _holders(environment: Environment) -> list[str]:
    """On a controller `net sam` has rights of its own, which count for nobody."""
    return [each for each in environment.net("sam", "rights", "list", PRIVILEGE) or [] if each]


def _named(what: str, names: list[str], command: str, *more: str) -> Iterator[Finding]:
    """Samba prints the SID of an account that it cannot find."""
    accounts = _accounts(names)
    if accounts:
        yield Finding(Severity.OK, "callers", f"{what}: {', '.join(accounts)}")
    for sid in sorted({*names} - {*accounts}):
        text = (
            f"{what}: no account has the SID {sid}: it was deleted, or its domain does not answer"
        )
        yield Finding(Severity.WARN, "callers", text, " ".join([command, sid, *more]))


def _accounts(names: list[str]) -> list[str]:
    return [name for name in names if not name.startswith("S-1-")]


def _members(environment: Environment, group: str) -> list[str]:
    lines = environment.net("sam", "listmem", group)
    return [line.strip() for line in lines[1:]] if lines else []


def _nobody(environment: Environment) -> str:
    text = (
        f"{OPERATORS} has no members and nobody holds {PRIVILEGE}, so only administrators"
        " can request shadow copies. Windows also uses the computer account"
    )
    if environment.is_member and not environment.is_controller:
        text += ". The domain's Backup Operators are its controllers', not this server's"
    return text


CHECKS = (winbind, kerberos, clock, callers)
