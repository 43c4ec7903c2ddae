"""Thaws by recipes until it is certain: for the keeper, and for `clean`."""

from __future__ import annotations

import threading
import time
from typing import Callable, Optional, Sequence

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.writers import recipes
from fsrvpd.requestor.writers.ports import ThawRecipe

_PAUSE, _LONGEST_PAUSE = 0.1, 10.0  # s between two attempts

Thaw = Callable[[ThawRecipe], None]


def thaw_until(
    recipe: ThawRecipe,
    deadline: float,
    *,
    thaw: Thaw = recipes.thaw,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Optional[RequestorError]:
    """Try until `deadline`, on the clock of `time.monotonic`. Returns why it may be frozen, if it
    may."""
    pause = _PAUSE
    while True:
        try:
            thaw(recipe)
            return None
        except Exception as error:  # of a record that others have written, too
            if clock() + pause > deadline:
                return _failure(recipe, error)
        sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _failure(recipe: ThawRecipe, error: Exception) -> RequestorError:
    if isinstance(error, RequestorError):
        return error
    cause = f"what is needed to thaw it is damaged: {type(error).__name__}: {error}"
    return RequestorError(f"writer {recipe.writer}", cause, "thaw the application by hand")


def thaw_all(
    wanted: Sequence[ThawRecipe], seconds: float, thaw: Thaw = recipes.thaw
) -> Sequence[Optional[RequestorError]]:
    """Side by side: one that does not answer holds up no other. The outcomes, in their order."""
    outcomes: list[Optional[RequestorError]] = [None] * len(wanted)
    deadline = time.monotonic() + seconds

    def run(number: int) -> None:
        outcomes[number] = thaw_until(wanted[number], deadline, thaw=thaw)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(wanted))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
