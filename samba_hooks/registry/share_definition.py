"""A share as the agent sees it, from the parameters that Samba prints."""

from __future__ import annotations

import shlex
from functools import cached_property
from typing import Dict, Mapping, NamedTuple

from fsrvpd.options.option import is_yes, unquoted
from fsrvpd.options.share import faults
from fsrvpd.protocol.ports import Share
from samba_hooks import testparm
from samba_hooks.registry.parameters import (
    INHERITED,
    PARAMETERS,
    REFUSED,
    module_treatment,
    treatment,
)

SET_MARKER = "fsrvp:shadow copy set"
COPY_MARKER = "fsrvp:shadow copy"
BASE_MARKER = "fsrvp:base share"
IN_NAMES_OF_COPIES = "@{"  # before the id
# What `admin users` is from the end of recovery on; empty afterwards.
SEALED_ADMINS = "fsrvp:admin users once sealed"

_REFUSED = [(name, each.why) for name, each in PARAMETERS.items() if each.kind == REFUSED]
_SECTION_NAMES_OF_GLOBALS = ("global", "globals")
_WITHOUT_A_PATH = ("homes", "printers")
_FORBIDDEN = frozenset('\\/\0\r\n[]"')


class Defaults(Dict[str, str]):
    """[global] and the defaults of all shares, by `testparm.parameter_name`. Not to be changed."""

    @cached_property
    def share_options(self) -> Mapping[str, str]:
        """Those of our options that are the same for all shares."""
        return testparm.options(self, "fsrvp")


class Definition(NamedTuple):
    """`section` holds the parameters of the share's section that differ from the defaults. Names
    as in `testparm.parameter_name`. `per_client` says why the definition is another one for other
    clients, or at other times; "" if it is not."""

    name: str
    section: Mapping[str, str]
    defaults: Defaults
    from_registry: bool
    per_client: str = ""

    def value(self, parameter: str) -> str:
        return self.section.get(parameter, self.defaults.get(parameter, ""))

    @property
    def path(self) -> str:
        """As smbd reads it, with `%S`, the share's own name, in place. In [homes], which has no
        directory, it is the user's."""
        path = unquoted(self.value("path"))
        return path if self.name.lower() in _WITHOUT_A_PATH else path.replace("%S", self.name)

    def refusal(self) -> str:
        """Why the share can have no shadow copies; "" if nothing in its definition says so."""
        for name, why in _REFUSED:
            if is_yes(self.value(name)):
                return why
        for module in testparm.words(self.value("vfs objects")):
            each = module_treatment(module)
            if each.kind == REFUSED and not (each.unless and is_yes(self.value(each.unless))):
                return f"its vfs object {module}: {each.why}"
        if unquoted(self.value("root directory")):
            return "smb.conf sets `root directory`, so its path is not a path of this machine"
        if "%" in self.name:
            return "its name contains a %, in which smbd would expand the macro after it"
        return self._charset_refusal() or self.per_client

    def _charset_refusal(self) -> str:
        """Samba's registry holds UTF-16, and smbd itself cannot list a path that it cannot turn
        into that."""
        charset = charset_of(self.defaults)
        if not self.name.isascii() and not _is_utf8(charset):
            return (
                f"its name has letters outside ASCII in `unix charset` {charset}, and fsrvpd knows"
                " such names in UTF-8 alone; rename the share, or convert what has such a name to"
                " UTF-8"
            )
        for name, value in self.section.items():
            if value.isascii() or not (name == "path" or treatment(name).kind == INHERITED):
                continue
            if not _is_in_charset(value, charset):
                return (
                    f"its `{name}` is not in Samba's `unix charset` ({charset}), so no copy can"
                    f" have it; rename what it names to {charset}, and save smb.conf in {charset}"
                )
        return ""

    def mistake(self, options: Mapping[str, str]) -> str:
        """What in the definition is surely not as intended, and the cure; "" if nothing is."""
        wrong = [
            f"{why}; correct it in [{self.name if option in self.section else 'global'}]"
            for option, why in faults(options)
        ]
        if wrong:
            return "; ".join(wrong)
        if self.path or is_yes(self.value("printable")) or self.name.lower() in _WITHOUT_A_PATH:
            return ""
        cure = f"write `path = DIRECTORY` into [{self.name}]"
        if self.from_registry:
            cure = f"type `net conf setparm {shlex.quote(self.name)} path DIRECTORY`"
        return f"it has no path, so smbd does not serve it; {cure}"

    def share(self) -> Share:
        options = {**self.defaults.share_options, **testparm.options(self.section, "fsrvp")}
        return Share(
            name=self.name,
            path=self.path,
            from_registry=self.from_registry,
            available=is_yes(self.value("available")),
            read_only=is_yes(self.value("read only")),
            refusal=self.refusal(),
            mistake=self.mistake(options),
            per_client=self.per_client,
            vfs_objects=testparm.words(self.value("vfs objects")),
            options=options,
            shadow_copy_id=self.section.get(COPY_MARKER),
            veto_files=unquoted(self.value("veto files")),
        )


def charset_of(parameters: Mapping[str, str]) -> str:
    """`unix charset`."""
    return unquoted(parameters.get("unix charset", "")) or "UTF-8"


def as_read(name: str, charset: str) -> str:
    """A client's name in the form in which names of smb.conf are read: its bytes in the charset,
    as if they were UTF-8. Unchanged if Python does not know the charset, or it has no such name."""
    if name.isascii() or _is_utf8(charset):
        return name
    try:
        return name.encode(charset).decode("utf-8", "surrogateescape")
    except (UnicodeEncodeError, LookupError):
        return name


def _is_utf8(charset: str) -> bool:
    return charset.upper() in ("UTF-8", "UTF8")


def _is_in_charset(value: str, charset: str) -> bool:
    """Of one that Python does not know, everything is."""
    try:
        value.encode("utf-8", "surrogateescape").decode(charset)
    except UnicodeDecodeError:
        return False
    except LookupError:
        pass
    return True


def is_share_name(name: str) -> bool:
    """Whether a share can have this name. Samba ignores blanks when it looks for [global], and a
    backslash would lead to another key of its registry."""
    squeezed = "".join(name.lower().split())
    return bool(squeezed) and squeezed not in _SECTION_NAMES_OF_GLOBALS and not _FORBIDDEN & {*name}
