"""The interactive shell: a prompt, its history, and completion of words, aliases and files."""

from __future__ import annotations

import glob
import os
import readline
import signal
from contextlib import contextmanager, suppress
from typing import Iterable, Iterator, Mapping, Optional, Sequence

from fsrvpd.requestor.ctl.signals import Signals
from fsrvpd.requestor.shell.session import Session
from fsrvpd.requestor.shell.texts import PROMPT
from fsrvpd.requestor.shell.words import AFTER_VOLUME, FOLLOWING

_HISTORY_LENGTH = 1000  # lines
_UNSEEN = 0.2  # s: the longest time that a signal waits for
_FILES = (("exec",), ("set", "metadata"), ("load", "metadata"))


class Terminal:
    """Reads lines; keeps the history of lines in a file that only its owner reads."""

    def __init__(self, session: Session, signals: Signals, history: Optional[str] = None) -> None:
        self._session = session
        self._signals = signals
        self._history = history or history_path(os.environ)
        self._found: list[str] = []

    def __enter__(self) -> Terminal:
        readline.set_history_length(_HISTORY_LENGTH)
        with suppress(OSError):  # no reason to refuse a session
            readline.read_history_file(self._history)
        readline.set_completer_delims(" \t")
        readline.set_completer(self._complete)
        readline.parse_and_bind("tab: complete")
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            os.makedirs(os.path.dirname(self._history), mode=0o700, exist_ok=True)
            os.close(os.open(self._history, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            readline.write_history_file(self._history)

    def read(self) -> Optional[str]:
        """A line, or None at the end of the input. Raises: Interrupted."""
        try:
            with self._signals.interrupting(), _alarms():
                return input(PROMPT)
        except EOFError:
            return None

    def _complete(self, text: str, number: int) -> Optional[str]:
        """readline asks for one after the other until there is none."""
        if number == 0:
            before = readline.get_line_buffer()[: readline.get_begidx()].split()
            self._found = completions(before, text, self._session)
        return self._found[number] if number < len(self._found) else None


@contextmanager
def _alarms() -> Iterator[None]:
    """Interrupt whoever waits for a key, again and again: Python's readline looks for signals only
    then, and one that came just before the wait would be seen at the next key."""
    before = signal.signal(signal.SIGALRM, lambda number, frame: None)
    try:
        signal.setitimer(signal.ITIMER_REAL, _UNSEEN, _UNSEEN)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def history_path(environment: Mapping[str, str]) -> str:
    state = environment.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(state, "fsrvpshadow", "shell-history")


def completions(before: Sequence[str], text: str, session: Session) -> list[str]:
    """What may stand for `text` behind these words: each with a blank, unless it goes on."""
    path = tuple(word.casefold() for word in before)
    if path in _FILES:
        return _files(text)
    fitting = (
        each for each in _values(path, session) if each.casefold().startswith(text.casefold())
    )
    return [_as_typed(each, text) + " " for each in fitting]


def _values(path: tuple[str, ...], session: Session) -> Iterable[str]:
    if path in FOLLOWING:
        return FOLLOWING[path]
    if path[:2] == ("set", "option"):
        return FOLLOWING[("set", "option")]
    if path[:2] == ("add", "volume"):
        return AFTER_VOLUME if len(path) in (3, 5) else ()
    if path[:1] in (("list",), ("delete",)) and len(path) == 3:
        return _selected(path[2], session)
    return ()


def _selected(kind: str, session: Session) -> Iterable[str]:
    """The values of LIST SHADOWS and DELETE SHADOWS."""
    if kind in ("set", "id"):
        return [f"%{name}%" for name in session.aliases.named()]
    return session.shadows.paths(kind) if kind in ("volume", "oldest", "exposed") else ()


def _files(text: str) -> list[str]:
    found = sorted(glob.glob(glob.escape(os.path.expanduser(text)) + "*"))
    return [f"{path}/" if os.path.isdir(path) else f"{path} " for path in found]


def _as_typed(word: str, text: str) -> str:
    """In capitals if the user types capitals."""
    return word.upper() if text.isupper() and word.islower() else word
