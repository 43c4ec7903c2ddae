"""The parameters of a shadow copy share, from those of its base share by `parameters`' tables.

* Macros keep their meaning. `%S` and `%P`, the name and path of the share itself, are replaced by
  those of the base share, so that `valid users = %S` goes on meaning the same user.
* What is switched off is written into the copy where the base share or [global] switch it on, and
  `guest ok` and `wide links` always: [global] may set them later. (To write them all would add a
  millisecond of processor time to the two that a copy takes.)
* Where everybody was made the guest (`guest only`), the copy demands a user and then acts as the
  guest account, which is no more than before.
* `admin users` stay in a read-only copy: they read everything through the base share too, and
  cannot write to a read-only share. `fsrvp:backup users` join them, once nobody can write.
* The copy of a `$` share is not browseable.
* The copy of a whole volume does not show `.fsrvpd`, which is empty there.

Samba: smb.conf(5); the agent of Samba itself inherits everything but path and comment.
"""

from __future__ import annotations

import os
from typing import Mapping

from fsrvpd.errors import RegistryError
from fsrvpd.options.option import is_yes, unquoted
from fsrvpd.options.share import BACKUP_USERS
from fsrvpd.protocol.ports import ShadowShare
from samba_hooks import testparm
from samba_hooks.registry.parameters import (
    INHERITED,
    LISTS,
    NOT_COPIED,
    OPTIONS,
    PARAMETERS,
    REFUSED,
    SWITCHED_OFF,
    module_treatment,
    treatment,
)
from samba_hooks.registry.share_definition import (
    BASE_MARKER,
    COPY_MARKER,
    SEALED_ADMINS,
    SET_MARKER,
    Definition,
)

# Script -> what turns its failure into a refusal.
GATES = {"preexec": "preexec close", "root preexec": "root preexec close"}
ALWAYS_WRITTEN = ("guest ok", "wide links")
_OFF = {
    name: each.value
    for name, each in {**PARAMETERS, **OPTIONS}.items()
    if each.kind == SWITCHED_OFF
}


def parameters_of(base: Definition, shadow: ShadowShare) -> list[tuple[str, str]]:
    """All parameters of the shadow copy share, in the order to write them.

    Raises: RegistryError when the base share must not, or can no longer, have this copy.
    """
    _check(base, shadow)
    chosen = {
        name: value for name, value in base.section.items() if treatment(name).kind == INHERITED
    }
    chosen.update(_defaults_by_name(base))
    chosen.update(_scripts(base))
    chosen.update(_modules(base))
    chosen.update(_access(base, shadow))
    named = {name: _of_the_base_share(base, name, value) for name, value in chosen.items()}
    return [*{**named, **_switched_off(base)}.items(), *_identity(shadow).items()]


def _check(base: Definition, shadow: ShadowShare) -> None:
    """The definition may have changed since the share was added to the set."""
    if "%" in shadow.path:
        raise RegistryError(f"{shadow.path}: Samba would expand the % in the path of a share")
    refusal = base.refusal()
    if refusal:
        raise RegistryError(f"share {base.name} can have no shadow copy: {refusal}")
    path = base.path
    if shadow.directory not in (path, os.path.realpath(path)):
        raise RegistryError(
            f"share {base.name} now leads to {path}, but the snapshot is of {shadow.directory}: the"
            " share's users are not those of the snapshot; delete the set and create it again"
        )


def _defaults_by_name(base: Definition) -> dict[str, str]:
    """Defaults of [global] that mean another thing in a share of another name or path."""
    return {
        name: base.defaults[name]
        for name, each in PARAMETERS.items()
        if each.kind == INHERITED
        and name not in base.section
        and any(macro in base.defaults.get(name, "") for macro in ("%S", "%P"))
    }


def _scripts(base: Definition) -> dict[str, str]:
    """A script stays where its failure refuses the connection, for then it is an access check."""
    return {
        script: base.value(script) if is_yes(base.value(gate)) else ""
        for script, gate in GATES.items()
        if script in base.section or base.value(script)
    }


def _modules(base: Definition) -> dict[str, str]:
    """`vfs objects` of the base share, or of [global] if there is a module not to inherit."""
    modules = testparm.words(base.value("vfs objects"))
    kept = [each for each in modules if module_treatment(each).kind not in (NOT_COPIED, REFUSED)]
    if "vfs objects" in base.section or len(kept) != len(modules):
        return {"vfs objects": " ".join(kept)}
    return {}


def _access(base: Definition, shadow: ShadowShare) -> dict[str, str]:
    access = {
        name: base.section[name] for name in ("read only", "write list") if name in base.section
    }
    if is_yes(base.value("guest only")) and not unquoted(base.value("force user")):
        access["force user"] = base.value("guest account")
    if shadow.read_only:
        access["read only"] = "Yes"
        if base.value("write list"):
            access["write list"] = ""
    admins = _admins_once_sealed(base)
    if admins:
        access["admin users" if shadow.read_only else SEALED_ADMINS] = admins
    if base.value("csc policy") in ("documents", "programs"):
        access["csc policy"] = "disable"
    if base.name.endswith("$"):
        access["browseable"] = "No"
    if shadow.hidden:
        access["veto files"] = testparm.with_veto(base.value("veto files"), shadow.hidden)
    return access


def _admins_once_sealed(base: Definition) -> str:
    """With the backup users, "" if there are none."""
    given = {BACKUP_USERS.name: base.value(BACKUP_USERS.name)}
    backup_users = BACKUP_USERS.read_or_default(given)
    if not backup_users:
        return ""
    return testparm.joined([*testparm.command_words(base.value("admin users")), *backup_users])


def _switched_off(base: Definition) -> dict[str, str]:
    return {
        name: off
        for name, off in _OFF.items()
        if name in ALWAYS_WRITTEN or _differs(base.value(name), off)
    }


def _differs(value: str, off: str) -> bool:
    return is_yes(value) if off == "No" else value not in ("", off)


def _of_the_base_share(base: Definition, name: str, value: str) -> str:
    """A value in which the macros for the share itself mean the base share."""
    if name not in LISTS and name != SEALED_ADMINS:
        return _expanded(base, value)
    return testparm.joined(_expanded(base, item) for item in testparm.command_words(value))


def _expanded(base: Definition, value: str) -> str:
    return value.replace("%S", base.name).replace("%P", base.path)


def _identity(shadow: ShadowShare) -> Mapping[str, str]:
    return {
        "path": shadow.path,
        "comment": shadow.comment,
        SET_MARKER: shadow.shadow_copy_set_id,
        COPY_MARKER: shadow.shadow_copy_id,
        BASE_MARKER: shadow.base,
    }
