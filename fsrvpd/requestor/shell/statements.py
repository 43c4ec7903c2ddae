"""What a line asks for: one record for each command, made from the words of the line.

Words of the language are compared without case; names, paths and values stay as they are.
"""

from __future__ import annotations

from typing import Callable, Mapping, NamedTuple, NoReturn, Optional, Sequence, Union

from fsrvpd.core.messages import parse_guid
from fsrvpd.requestor.shell.lines import WrongWord
from fsrvpd.requestor.shell.texts import shown_guid
from fsrvpd.requestor.shell.words import (
    AFTER_VOLUME,
    BY_WORDS,
    FOLLOWING,
    REFUSED,
    Path,
    shown,
    shown_path,
)


class ShowSettings(NamedTuple):
    pass


class SetContext(NamedTuple):
    persistent: bool
    writers: bool


class SetOption(NamedTuple):
    auto_recovery: bool


class SetMetadata(NamedTuple):
    path: str


class SetVerbose(NamedTuple):
    on: bool


class Reset(NamedTuple):
    pass


class LoadMetadata(NamedTuple):
    path: str


class VerifyWriter(NamedTuple):
    writer: str  # a name or a GUID


class ExcludeWriter(NamedTuple):
    writer: str


class ShowVolumes(NamedTuple):
    pass


class AddVolume(NamedTuple):
    unc: str
    alias: Optional[str] = None
    provider: Optional[str] = None


class AddAlias(NamedTuple):
    name: str
    value: str


class Create(NamedTuple):
    pass


class Exec(NamedTuple):
    path: str


class Begin(NamedTuple):
    session: str  # "backup" or "restore"


class End(NamedTuple):
    session: str


class ListWriters(NamedTuple):
    pass


class ListProviders(NamedTuple):
    pass


class Selection(NamedTuple):
    """Which shadow copies. `kind` is the word before the value."""

    kind: str
    value: str = ""


class ListShadows(NamedTuple):
    which: Selection


class DeleteShadows(NamedTuple):
    which: Selection


class Help(NamedTuple):
    pass


class Exit(NamedTuple):
    pass


Statement = Union[
    ShowSettings,
    SetContext,
    SetOption,
    SetMetadata,
    SetVerbose,
    Reset,
    LoadMetadata,
    VerifyWriter,
    ExcludeWriter,
    ShowVolumes,
    AddVolume,
    AddAlias,
    Create,
    Exec,
    Begin,
    End,
    ListWriters,
    ListProviders,
    ListShadows,
    DeleteShadows,
    Help,
    Exit,
]
Parameters = Sequence[str]
Parser = Callable[[Path, Parameters], Statement]


def parse(words: Sequence[str]) -> Statement:
    """What the words of a line, at least one, ask for. Raises: WrongWord."""
    path = command_of(words)
    return _PARSERS[path](path, words[len(path) :])


def command_of(words: Sequence[str]) -> Path:
    """The words that name the command: one or two of them. Raises: WrongWord."""
    first = _word((), words[0])
    if first not in FOLLOWING:
        return first
    if len(words) > 1:
        return _word(first, words[1])
    if first not in BY_WORDS:
        _missing(first, shown(FOLLOWING[first]))
    return first


def _word(before: Path, word: str) -> Path:
    """The path with this word, which may follow it. Raises: WrongWord."""
    path = (*before, word.casefold())
    if path in REFUSED:
        cause, instead = REFUSED[path]
        raise WrongWord(shown_path(path), cause, instead)
    if path[-1] not in FOLLOWING[before]:
        where = f" after {shown_path(before)}" if before else ""
        known = f"known: {shown(FOLLOWING[before])}"
        raise WrongWord(word, f"no such word{where}", known)
    return path


def _missing(path: Path, what: str) -> NoReturn:
    raise WrongWord(shown_path(path), "a word is missing", f"add {what}")


def _nothing(path: Path, parameters: Parameters) -> None:
    if parameters:
        raise WrongWord(parameters[0], f"nothing may follow {shown_path(path)}", "remove it")


def _only(path: Path, parameters: Parameters, what: str) -> str:
    """The one parameter of a command. Raises: WrongWord."""
    if not parameters or not parameters[0]:
        _missing(path, what)
    if len(parameters) > 1:
        raise WrongWord(
            parameters[1],
            f"only one {what} may follow {shown_path(path)}",
            'write a name with blanks in "quotes"',
        )
    return parameters[0]


def _alone(statement: Statement) -> Parser:
    def parser(path: Path, parameters: Parameters) -> Statement:
        _nothing(path, parameters)
        return statement

    return parser


def _with_file(kind: Callable[[str], Statement]) -> Parser:
    return lambda path, parameters: kind(_only(path, parameters, "FILE"))


def _with_writer(kind: Callable[[str], Statement]) -> Parser:
    """A writer's name may be written without quotes."""
    return lambda path, parameters: kind(_only(path, [" ".join(parameters)], "WRITER"))


def _context(path: Path, parameters: Parameters) -> Statement:
    if not parameters:
        _missing(path, shown(FOLLOWING[path]))
    kind = _word(path, parameters[0])
    writers = True
    for word in parameters[1:2]:
        _word(kind, word)
        writers = False
    _nothing((*kind, "nowriters"), parameters[2:])
    return SetContext(persistent=kind[-1] == "persistent", writers=writers)


def _option(path: Path, parameters: Parameters) -> Statement:
    if not parameters:
        _missing(path, shown(FOLLOWING[path]))
    words = {_word(path, word)[-1] for word in parameters}
    if len(words) > 1:
        raise WrongWord(
            parameters[1], "NOAUTORECOVER and ROLLBACKRECOVER exclude one another", "keep one"
        )
    return SetOption(auto_recovery="rollbackrecover" in words)


def _verbose(path: Path, parameters: Parameters) -> Statement:
    if not parameters:
        _missing(path, shown(FOLLOWING[path]))
    word = _word(path, _only(path, parameters, "word"))
    return SetVerbose(word[-1] == "on")


def _add_volume(path: Path, parameters: Parameters) -> Statement:
    if not parameters:
        _missing(path, r"\\SERVER\SHARE")
    unc, *rest = parameters
    named: dict[str, str] = {}
    while rest:
        name = rest[0].casefold()
        if name not in AFTER_VOLUME or name in named:
            raise WrongWord(
                rest[0], "no such word after the share", f"known: {shown(AFTER_VOLUME)}"
            )
        named[name] = _only((*path, name), rest[1:2], "NAME" if name == "alias" else "ID")
        rest = rest[2:]
    return AddVolume(unc, named.get("alias"), named.get("provider"))


def _add_alias(path: Path, parameters: Parameters) -> Statement:
    if len(parameters) < 2:
        _missing(path, "NAME VALUE")
    _nothing((*path, *parameters[:2]), parameters[2:])
    return AddAlias(parameters[0], parameters[1])


def _list_writers(path: Path, parameters: Parameters) -> Statement:
    for word in parameters[:1]:
        _word(path, word)
    _nothing(path, parameters[1:])
    return ListWriters()


def _selection(path: Path, parameters: Parameters) -> Selection:
    if not parameters:
        _missing(path, shown(FOLLOWING[path]))
    kind = _word(path, parameters[0])
    if kind[-1] == "all":
        _nothing(kind, parameters[1:])
        return Selection("all")
    value = _only(kind, parameters[1:], "value")
    return Selection(kind[-1], _guid(value) if kind[-1] in ("set", "id") else value)


def _guid(text: str) -> str:
    """In the form in which DISKSHADOW prints one. Raises: WrongWord."""
    try:
        return shown_guid(parse_guid(text))
    except ValueError:
        raise WrongWord(
            text, "this is no ID", "type LIST SHADOWS ALL, or an alias as %VSS_SHADOW_1%"
        ) from None


_PARSERS: Mapping[Path, Parser] = {
    ("set",): _alone(ShowSettings()),
    ("set", "context"): _context,
    ("set", "option"): _option,
    ("set", "metadata"): _with_file(SetMetadata),
    ("set", "verbose"): _verbose,
    ("reset",): _alone(Reset()),
    ("load", "metadata"): _with_file(LoadMetadata),
    ("writer", "verify"): _with_writer(VerifyWriter),
    ("writer", "exclude"): _with_writer(ExcludeWriter),
    ("add",): _alone(ShowVolumes()),
    ("add", "volume"): _add_volume,
    ("add", "alias"): _add_alias,
    ("create",): _alone(Create()),
    ("exec",): _with_file(Exec),
    ("begin", "backup"): _alone(Begin("backup")),
    ("begin", "restore"): _alone(Begin("restore")),
    ("end", "backup"): _alone(End("backup")),
    ("end", "restore"): _alone(End("restore")),
    ("list", "writers"): _list_writers,
    ("list", "providers"): _alone(ListProviders()),
    ("list", "shadows"): lambda path, words: ListShadows(_selection(path, words)),
    ("delete", "shadows"): lambda path, words: DeleteShadows(_selection(path, words)),
    ("help",): _alone(Help()),
    ("exit",): _alone(Exit()),
}
