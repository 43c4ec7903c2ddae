"""An option in smb.conf: its name, default and documentation, and how its value is parsed.

A parser turns the text of a value into the value. It raises ValueError with a message that
begins with what is wanted: "want a whole number, zero or more".
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from math import inf
from typing import Callable, Dict, Generic, List, Mapping, Tuple, TypeVar

from fsrvpd.errors import ConfigError

T = TypeVar("T")
_SEPARATORS = " \t,;"
_ACCOUNT = re.compile(r'(?:"([^"]+)"|([^ \t,;"]+))(?=[ \t,;]|$)')
MAX_PERCENT = 100
MAX_NAME = 255
_BOOLEANS = {
    **dict.fromkeys(("yes", "true", "on", "1"), True),
    **dict.fromkeys(("no", "false", "off", "0"), False),
}


@dataclass(frozen=True)
class Option(Generic[T]):
    """`name` is the full name: `fsrvpd:max sets`. `meaning` says what the option does, `when`
    in which case to change it, `needs_restart` that a reload does not put a change in force."""

    name: str
    parse: Callable[[str], T]
    default: str
    meaning: str
    when: str
    needs_restart: bool = False

    def read(self, given: Mapping[str, str]) -> T:
        """The value among options by full name, or the default.

        Raises: ConfigError naming the option, its value and what is wanted instead.
        """
        text = given.get(self.name, self.default)
        try:
            return self.parse(text)
        except ValueError as error:
            raise ConfigError(f"smb.conf: {self.name} = {text}: {error}") from error

    def read_or_default(self, given: Mapping[str, str]) -> T:
        """As `read`, but a value that cannot be parsed counts as the default."""
        try:
            return self.read(given)
        except ConfigError:
            return self.parse(self.default)


def full_names(options: Mapping[str, Mapping[str, str]]) -> Dict[str, str]:
    """Options by namespace and name as options by full name."""
    return {
        f"{namespace}:{name}": text
        for namespace, given in options.items()
        for name, text in given.items()
    }


def boolean(text: str) -> bool:
    """As Samba parses one (`set_boolean` in lib/util): case and blanks do not matter."""
    try:
        return _BOOLEANS["".join(text.split()).lower()]
    except KeyError:
        raise ValueError("want yes or no") from None


def is_yes(text: str) -> bool:
    """Whether a parameter that Samba has printed is set; a missing one ("") is not."""
    return _BOOLEANS.get("".join(text.split()).lower(), False)


def unquoted(text: str) -> str:
    """A text as Samba reads most of its own: without the quotes around it, unless there is another
    quote between them.

    Samba: source3/param/loadparm.c, loadparm_s3_global_substitution_fn.
    """
    inner = text.strip('"')
    return text if '"' in inner else inner


def count(text: str) -> int:
    """A whole number, zero or more."""
    if not text.strip().isdecimal():
        raise ValueError("want a whole number, zero or more")
    return int(text)


def percent(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= MAX_PERCENT:
        raise ValueError("want a number from 0 to 100")
    return number


def seconds(text: str) -> int:
    number = count(text)
    if not number:
        raise ValueError("want a number of seconds, one or more")
    return number


def time_limit(text: str) -> float:
    """Seconds; 0 is no limit."""
    return count(text) or inf


def command(text: str) -> List[str]:
    """An argument vector, quoted as for a shell, that begins with an absolute path; [] for
    an empty text."""
    argv = shlex.split(text)
    if argv and not argv[0].startswith("/"):
        raise ValueError("want a command with its absolute path")
    return argv


def paths_or_ids(text: str) -> Tuple[str, ...]:
    """Paths below a directory, quoted as for a shell, without slashes at their ends; numbers."""
    try:
        words = [word.strip("/") for word in shlex.split(text)]
    except ValueError as error:
        raise ValueError(f"want paths below the share, or ids of subvolumes: {error}") from None
    if any({"", ".", ".."} & {*word.split("/")} for word in words):
        raise ValueError("want paths below the share, such as docker/volumes, or ids of subvolumes")
    return tuple(words)


def keyword(text: str) -> str:
    return unquoted(text).strip().lower()


def printable(text: str) -> str:
    """A text that a protocol can send."""
    if not text.isprintable() or len(text) > MAX_NAME:
        raise ValueError(f"want printable characters in UTF-8, {MAX_NAME} at most")
    return unquoted(text).strip()


def patterns(text: str) -> str:
    """Names of files, written like `veto files`."""
    return unquoted(text).strip()


def accounts(text: str) -> Tuple[str, ...]:
    """Names as in Samba's lists of users. A macro could name every user who connects."""
    if "%" in text:
        raise ValueError("want names of users and groups, without macros")
    if _ACCOUNT.sub("", text).strip(_SEPARATORS):
        raise ValueError('want names, with quotes around those with blanks: "+backup group"')
    return tuple(quoted or plain for quoted, plain in _ACCOUNT.findall(text))


def words(text: str) -> Tuple[str, ...]:
    """Words separated by blanks or commas; quotes around them do not matter."""
    return tuple(text.replace(",", " ").replace('"', " ").split())
