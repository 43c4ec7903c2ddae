"""The benchmarks that need no Samba still run: their stand-ins have what the daemon asks for."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from benchmarks import codec, lookups, request_path, rpc_protection

MODULES: list[Any] = [codec, lookups, request_path, rpc_protection]


def once(work: Callable[[], object], *_: object) -> float:
    work()
    return 1.0


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_it_measures(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "best", once, raising=False)
    assert list(module.measure())
