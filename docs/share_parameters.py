"""The page share-parameters.md, from the tables of `samba_hooks/registry/parameters.py`."""

from __future__ import annotations

from typing import Mapping

from samba_hooks.registry.parameters import (
    MODULES,
    NAMESPACES,
    OPTIONS,
    PARAMETERS,
    SWITCHED_OFF,
    Treatment,
)


def page(note: str) -> str:
    namespaces = {f"{prefix}:…": each for prefix, each in NAMESPACES.items()}
    return f"""# What a copy inherits from its share

<!-- {note} -->

A shadow copy share has the parameters of its base share, except that nobody may do more through the
copy than through the share, and nothing in a copy leads to live data. This page lists all share
parameters of Samba 4.13 to 4.25; `fsrvpctl doctor` says when this machine's Samba has others. How
rights work in a copy is described in [permissions](permissions.md).

* **inherited**: the copy has the share's value, or the default of [global].
* **replaced**: the copy has another value, as the table says.
* **switched off**: the copy has the value in the table, whatever the share or [global] says.
* **not copied**: it has no effect in a copy.
* **refused**: a share that sets it has no shadow copies.

Macros are inherited as they are written, so that smbd expands them for each client: `valid users =
@%G` means the same in the copy. `%S` and `%P`, the share's own name and path, are replaced by those
of the base share.

A parameter that fsrvpd does not know, of a later Samba or of a vendor, is inherited: it may be what
restricts access. That it grants nothing more in a copy is for you to check.

## Configuration that depends on the client

smbd reads smb.conf again for each client. If the name of an included file has a macro for the
client (`include = /etc/samba/%U.conf`, `%m`, `%I`, `%L`, `%T`, …), a share may have another
definition for each client, but its copy has one for all. Such a share is refused
(`FSRVP_E_NOT_SUPPORTED`); `fsrvpctl check-config` names file and line.

* In a share's section, such an `include` rules out the share, and the shares that `copy` it.
* In [global] it rules out all shares, unless the files that exist set nothing but log options.
* `config file` with such a macro, and an `include` with a relative name, rule out all shares.

The remedy is to write what the share needs into its own section, where `valid users`, `hosts
allow` and `%U` in values distinguish clients.

## Parameters

{_table("parameter", PARAMETERS)}

`security mask`, `directory security mask`, `force security mode` and `force directory security
mode` are still in the manual page, but no longer in Samba.

## VFS modules

In `vfs objects`. A module that is not listed is inherited.

{_table("module", MODULES)}

## Options of modules and of fsrvpd

Others are inherited.

{_table("option", {**OPTIONS, **namespaces})}
"""


def _table(what: str, rows: Mapping[str, Treatment]) -> str:
    lines = [f"| `{name}` | {_kind(each)} | {each.why} |" for name, each in sorted(rows.items())]
    return "\n".join([f"| {what} | in the copy | why |", "| --- | --- | --- |", *lines])


def _kind(each: Treatment) -> str:
    if each.kind != SWITCHED_OFF:
        return each.kind
    return f"switched off: `{each.value}`" if each.value else "switched off: empty"
