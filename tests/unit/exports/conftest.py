"""A mount namespace of its own for each test, in a child process that is root."""

from __future__ import annotations

import os
import traceback
from typing import Callable

import pytest

from tests.contract.providers import private_mounts

InPrivate = Callable[[Callable[[], None]], None]


@pytest.fixture
def in_private_mounts() -> InPrivate:
    """Run a function where its mounts end with it."""

    def run(function: Callable[[], None]) -> None:
        child = os.fork()
        if child == 0:
            try:
                private_mounts.enter()
                function()
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert status == 0

    return run
