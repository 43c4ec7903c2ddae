"""A writer that does what a test says, and notes what it was told to do."""

from __future__ import annotations

import threading
from typing import Callable, Optional, Sequence

from fsrvpd.requestor.writers.ports import SharedTree, ThawRecipe


def nothing() -> None:
    """Do it at once."""


class FakeWriter:
    kind = "fake"

    def __init__(
        self,
        name: str,
        calls: Optional[list[str]] = None,
        *,
        priority: int = 0,
        required: bool = True,
        timeout: float = 20.0,
        has_recipe: bool = False,
    ) -> None:
        self.name, self.priority, self.required, self.timeout = name, priority, required, timeout
        self.calls: list[str] = [] if calls is None else calls
        self.on: dict[str, Callable[[], None]] = {}
        self._recipe = ThawRecipe("fake", name, {}) if has_recipe else None

    def prepare(self) -> None:
        self._do("prepare")

    def freeze(self) -> None:
        self._do("freeze")

    def thaw(self) -> None:
        self._do("thaw")

    def complete(self, copies: Sequence[SharedTree]) -> None:
        self._do("complete")

    def thaw_recipe(self) -> Optional[ThawRecipe]:
        return self._recipe

    def close(self) -> None:
        self._do("close")

    def _do(self, step: str) -> None:
        self.calls.append(f"{self.name} {step}")
        self.on.get(step, nothing)()


class FakeKeeper:
    def __init__(self, calls: list[str]) -> None:
        self.calls = calls

    def start(self, recipes: Sequence[ThawRecipe]) -> None:
        self.calls.append(f"keeper start {' '.join(recipe.writer for recipe in recipes)}")

    def freezing(self, seconds: float) -> None:
        self.calls.append(f"keeper freezing {seconds:g}")

    def thawed(self) -> None:
        self.calls.append("keeper thawed")

    def close(self) -> None:
        self.calls.append("keeper close")


class Hanging:
    """Hangs until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.let_go = threading.Event()

    def __call__(self) -> None:
        self.entered.set()
        assert self.let_go.wait(20)
