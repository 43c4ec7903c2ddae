"""A share as the agent sees it, made from Samba's print of its parameters."""

from __future__ import annotations

from typing import Mapping, NamedTuple

from fsrvpd.protocol.ports import Share
from samba_hooks import dump

SET_MARK = "fsrvp:shadow copy set"
COPY_MARK = "fsrvp:shadow copy"
BASE_MARK = "fsrvp:base share"

_SECTION_NAMES_OF_GLOBALS = ("global", "globals")
_FORBIDDEN = frozenset('\\/\0\r\n[]"')


class Definition(NamedTuple):
    """`own` is what the share's section says beyond the defaults of [global]; `defaults`
    those defaults and the rest of [global]. Names as in `dump.parameter_name`."""

    name: str
    own: Mapping[str, str]
    defaults: Mapping[str, str]
    from_registry: bool

    def value(self, parameter: str) -> str:
        return self.own.get(parameter, self.defaults.get(parameter, ""))

    def share(self) -> Share:
        options = {**dump.options(self.defaults, "fsrvp"), **dump.options(self.own, "fsrvp")}
        return Share(
            name=self.name,
            path=self.value("path"),
            from_registry=self.from_registry,
            available=dump.is_yes(self.value("available")),
            printable=dump.is_yes(self.value("printable")),
            read_only=dump.is_yes(self.value("read only")),
            msdfs_root=dump.is_yes(self.value("msdfs root")),
            vfs_objects=dump.words(self.value("vfs objects")),
            options=options,
            shadow_copy_id=self.own.get(COPY_MARK),
            veto_files=self.value("veto files"),
        )


def is_share_name(name: str) -> bool:
    """Whether Samba could know a share of that name. Samba ignores blanks when it looks
    for [global], and a backslash would lead to another key of its registry."""
    squeezed = "".join(name.lower().split())
    return bool(squeezed) and squeezed not in _SECTION_NAMES_OF_GLOBALS and not _FORBIDDEN & {*name}
