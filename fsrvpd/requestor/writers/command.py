"""The writer `command`: a command that freezes and one that thaws, or a directory of hooks.

Such a directory is that of QEMU's guest agent, /etc/qemu/fsfreeze-hook.d: each program in it is
called with `freeze` and later with `thaw`. QEMU's wrapper ignores how they end; here the freeze
fails with the first hook that does. Hooks freeze in the order of their names, and thaw in the
opposite one.
"""

from __future__ import annotations

import os
import secrets
import stat
import threading
import time
from typing import NamedTuple, Optional, Sequence, Tuple

from fsrvpd.requestor.writers.ports import SharedTree, ThawRecipe, WriterFailed
from fsrvpd.requestor.writers.script import Script, kill_marked

KIND = "command"
TIMEOUT = 5.0  # s, for all that freezes, and for each command that thaws

_IGNORED = ("~", ".bk", ".bak", ".orig", ".rej", ".rpmnew", ".rpmorig", ".rpmsave")


class Commands(NamedTuple):
    """What freezes one thing, and what thaws it; () for nothing."""

    freeze: Tuple[str, ...]
    thaw: Tuple[str, ...]


class CommandWriter:
    """`freeze` and `thaw` are argument vectors, run without a shell; `hooks` is a directory in
    place of them. A thaw command is called for each freeze command that was begun, also for one
    that has failed."""

    kind = KIND

    def __init__(
        self,
        name: str,
        *,
        freeze: Sequence[str] = (),
        thaw: Sequence[str] = (),
        hooks: Optional[str] = None,
        priority: int = 0,
        required: bool = True,
        timeout: float = TIMEOUT,
    ) -> None:
        self.name, self.priority, self.required, self.timeout = name, priority, required, timeout
        self._hooks = hooks
        self._commands = [] if hooks else [Commands(tuple(freeze), tuple(thaw))]
        self._lock = threading.Lock()
        self._begun: list[Commands] = []
        self._script: Optional[Script] = None  # the last one
        self._is_over = False  # nothing more is frozen
        self._mark = secrets.token_hex(16)

    def prepare(self) -> None:
        if self._hooks:
            self._commands = commands_of(self.name, self._hooks)

    def freeze(self) -> None:
        deadline = time.monotonic() + self.timeout
        self._begun, self._script, self._is_over = [], None, False
        for commands in self._commands:
            if commands.freeze:
                script = self._begin(commands, deadline)
                script.run(max(0.0, deadline - time.monotonic()))

    def thaw(self) -> None:
        with self._lock:
            self._is_over = True
            begun, self._begun = self._begun, []
        if self._script is not None:
            self._script.stop()
        _thaw(self.name, [commands.thaw for commands in begun], self.timeout)

    def complete(self, copies: Sequence[SharedTree]) -> None:
        """The commands know nothing of copies."""

    def thaw_recipe(self) -> Optional[ThawRecipe]:
        commands = [list(each.thaw) for each in self._commands]
        values = {"commands": commands, "timeout": self.timeout, "mark": self._mark}
        return ThawRecipe(KIND, self.name, values)

    def close(self) -> None:
        """Nothing of it outlives its steps."""

    def _begin(self, commands: Commands, deadline: float) -> Script:
        with self._lock:
            if self._is_over:
                raise WriterFailed(self.name, "it was thawed before all of it was frozen")
            if time.monotonic() >= deadline:  # it was stopped, and the keeper may have thawed
                raise WriterFailed(self.name, "its time was over before all of it was frozen")
            self._begun.append(commands)
            self._script = Script(self.name, commands.freeze, mark=self._mark)
            return self._script


def thaw(recipe: ThawRecipe) -> None:
    """Run the thaw commands, whatever was frozen, once nothing freezes any more. Raises:
    WriterFailed."""
    kill_marked(recipe.values.get("mark", ""))
    _thaw(recipe.writer, recipe.values["commands"], recipe.values["timeout"])


def _thaw(writer: str, commands: Sequence[Sequence[str]], timeout: float) -> None:
    """All of them, the last one first. Raises: WriterFailed for the first failure."""
    errors = []
    for argv in reversed(commands):
        try:
            if argv:
                Script(writer, argv).run(timeout)
        except WriterFailed as error:
            errors.append(error)
    if errors:
        raise errors[0]


def commands_of(writer: str, directory: str) -> list[Commands]:
    """The hooks of a directory, in the order of their names. Raises: WriterFailed."""
    try:
        names = sorted(os.listdir(directory))
    except OSError as error:
        cause = f"cannot read the directory {directory}: {error.strerror or error}"
        raise WriterFailed(writer, cause, "correct `hooks`") from error
    paths = [os.path.join(directory, name) for name in names if _is_hook(name)]
    hooks = [path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)]
    for path in (directory, *hooks):
        _check_owner(writer, path)
    if not hooks:
        cause = f"no program in {directory} can be run, so nothing would be frozen"
        raise WriterFailed(writer, cause, "correct `hooks`, or chmod +x what is in it")
    return [Commands((path, "freeze"), (path, "thaw")) for path in hooks]


def _check_owner(writer: str, path: str) -> None:
    """As for the configuration, which names commands as well. Raises: WriterFailed."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise WriterFailed(writer, f"{path}: {error.strerror}", "correct `hooks`") from error
    if status.st_uid not in (0, os.geteuid()):
        next_step = f"chown {os.geteuid()} {path}, if you trust it"
        raise WriterFailed(writer, f"{path} belongs to another user", next_step)
    if status.st_mode & stat.S_IWOTH:
        raise WriterFailed(writer, f"everybody may write to {path}", f"chmod o-w {path}")


def _is_hook(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(_IGNORED) and ".dpkg-" not in name
