"""What a shadow copy share inherits from its base share, and what it must not.

The rule: whoever could not do a thing through the base share cannot do it through the
copy. So everything that restricts is inherited (users, hosts, encryption, forced
identity, vetoed files, the audit and ACL modules), and the following is not:

* `path`, `comment`: replaced. `include`, `copy`: their effect is in the values already.
* guest access: off. Where everybody was made the guest (`guest only`), the copy demands
  a user and then acts as the guest account, which is no more than before.
* scripts at connect and disconnect, `magic script`: they run with the path of a copy that
  may be read-only, and did not ask for it. Kept when a script's failure refuses the
  connection (`preexec close`, `root preexec close`), for then it is an access check.
* modules that make or show snapshots, or move deleted files aside: a copy has no
  previous versions of its own, and no recycle bin.
* `write list` of a read-only copy, since it makes users writers all the same. `admin
  users` stay: they read everything through the base share too, and cannot write to
  a read-only share.
* announcements: Time Machine, Spotlight; the copy of a `$` share is not browseable.
* our own marks and options of the base share.

`%S`, the name of the share itself, is replaced by the base share's name, so that
`valid users = %S` goes on meaning the same user.

Samba: smb.conf(5); the agent of Samba itself inherits everything but path and comment.
"""

from __future__ import annotations

from typing import Mapping

from fsrvpd.errors import RegistryError
from fsrvpd.protocol.ports import ShadowShare
from samba_hooks import dump
from samba_hooks.share_definition import BASE_MARK, COPY_MARK, SET_MARK, Definition

# Parameter -> the value that means "nothing of the kind", written only where [global] or
# the base share says otherwise.
NEUTRAL = {
    "guest ok": "No",
    "guest only": "No",
    "postexec": "",
    "root postexec": "",
    "magic script": "",
    "magic output": "",
    "spotlight": "No",
}
# Script -> what turns its failure into a refusal.
GATES = {"preexec": "preexec close", "root preexec": "root preexec close"}

NOT_INHERITED = frozenset({"path", "comment", "include", "copy"})
NOT_INHERITED_OPTIONS = frozenset({"fruit:time machine", "fruit:time machine max size"})
# Parametric namespaces that go with a module, or that are ours.
NOT_INHERITED_NAMESPACES = frozenset(
    {"fsrvp", "shadow", "snapper", "shell_snap", "btrfs", "recycle"}
)
NOT_INHERITED_MODULES = frozenset(
    {
        "btrfs",
        "ceph_snapshots",
        "recycle",
        "shadow_copy",
        "shadow_copy2",
        "shell_snap",
        "snapper",
        "zfs_fsrvp",
    }
)


def parameters_of(base: Definition, shadow: ShadowShare) -> list[tuple[str, str]]:
    """All parameters of the shadow copy share, in the order to write them.

    Raises: RegistryError when Samba could not export the path.
    """
    if "%" in shadow.path:
        raise RegistryError(f"{shadow.path}: Samba would expand the % in the path of a share")
    chosen = {name: value for name, value in base.own.items() if _is_inherited(name)}
    chosen.update(_refusals(base))
    chosen.update(_modules(base))
    chosen.update(_access(base, shadow))
    inherited = {name: value.replace("%S", base.name) for name, value in chosen.items()}
    return [*inherited.items(), *_identity(shadow).items()]


def _is_inherited(name: str) -> bool:
    namespace = name.partition(":")[0] if ":" in name else ""
    return (
        name not in NOT_INHERITED
        and name not in NOT_INHERITED_OPTIONS
        and namespace not in NOT_INHERITED_NAMESPACES
    )


def _refusals(base: Definition) -> dict[str, str]:
    refused = {
        name: neutral for name, neutral in NEUTRAL.items() if _differs(base.value(name), neutral)
    }
    for script, gate in GATES.items():
        if base.value(script) and not dump.is_yes(base.value(gate)):
            refused[script] = ""
    return refused


def _differs(value: str, neutral: str) -> bool:
    return dump.is_yes(value) if neutral == "No" else value != neutral


def _modules(base: Definition) -> dict[str, str]:
    modules = dump.words(base.value("vfs objects"))
    kept = [module for module in modules if _module_name(module) not in NOT_INHERITED_MODULES]
    return {} if len(kept) == len(modules) else {"vfs objects": " ".join(kept)}


def _module_name(module: str) -> str:
    """Samba allows `name:instance` and a path to a module."""
    return module.partition(":")[0].rpartition("/")[2].lower()


def _access(base: Definition, shadow: ShadowShare) -> dict[str, str]:
    access = {}
    if dump.is_yes(base.value("guest only")) and not base.value("force user"):
        access["force user"] = base.value("guest account")
    if shadow.read_only:
        access["read only"] = "Yes"
        if base.value("write list"):
            access["write list"] = ""
    if base.name.endswith("$"):
        access["browseable"] = "No"
    return access


def _identity(shadow: ShadowShare) -> Mapping[str, str]:
    return {
        "path": shadow.path,
        "comment": shadow.comment,
        SET_MARK: shadow.shadow_copy_set_id,
        COPY_MARK: shadow.shadow_copy_id,
        BASE_MARK: shadow.base,
    }
