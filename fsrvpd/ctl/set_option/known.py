"""Which option is meant, and whether a value is one of it."""

from __future__ import annotations

import difflib
import unicodedata
from typing import Any, List, Optional, Sequence

from fsrvpd.config.daemon_options import GLOBAL_OPTIONS
from fsrvpd.errors import ConfigError
from fsrvpd.options.option import Option
from fsrvpd.options.share import ANY_PROVIDER, PROVIDER, SHARE_OPTIONS
from fsrvpd.providers import selection
from samba_hooks.registry.smb_conf_lines import key

_ALL = (*GLOBAL_OPTIONS, *SHARE_OPTIONS)
_MOST_NAMES = 3
_ALIKE = 0.55  # of two names, without what all begin with


def option_named(name: str, *, of_share: bool) -> Option[Any]:
    """By name, in which case and blanks do not matter. Raises: ConfigError, with similar ones."""
    found = next((each for each in _ALL if key(each.name) == key(name)), None)
    if found is None:
        raise ConfigError(f"{name}: no such option{_meant(name)}")
    if of_share and found not in SHARE_OPTIONS:
        raise ConfigError(
            f"{found.name}: is an option of the server, not of a share; leave --share out"
        )
    return found


def require_value(option: Option[Any], value: str) -> None:
    """Raises: ConfigError if the option cannot have this value."""
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise ConfigError(f"{option.name} = {value!r}: want one line, without control characters")
    try:
        chosen = option.parse(value)
    except ValueError as error:
        raise ConfigError(f"{option.name} = {value}: {error}") from error
    if option is PROVIDER and chosen not in (ANY_PROVIDER, *selection.NAMES):
        why = selection.unknown(chosen, selection.NAMES)
        raise ConfigError(f"{option.name} = {value}: {why}")


def _meant(name: str) -> str:
    bare = {key(each.name).partition(":")[2]: each.name for each in _ALL}
    near = nearest(key(name).partition(":")[2] or key(name), [*bare])
    names = " or ".join(bare[each] for each in near)
    return f"; did you mean {names}?" if near else "; fsrvpd.conf-options(5) lists them"


def nearest(name: str, names: Sequence[str]) -> List[str]:
    return difflib.get_close_matches(name, names, _MOST_NAMES, _ALIKE)


def same_value(option: Option[Any], text: Optional[str], wanted: str) -> bool:
    """Whether what Samba reads is what was wanted. Raises: ConfigError."""
    return text is not None and option.read({option.name: text}) == option.parse(wanted)
