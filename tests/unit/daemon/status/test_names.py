"""The names of shares come later rather than hold anybody up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fsrvpd.daemon.status import names as module
from fsrvpd.daemon.status.names import ShareNames
from fsrvpd.errors import RegistryError
from lab.namespaces import wait_until


def test_they_are_asked_for_in_a_thread_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [["Data"], RegistryError("locked"), ["x"]]

    def shares() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [SimpleNamespace(name=name) for name in answer]

    names = ShareNames(SimpleNamespace(shares=shares))
    try:
        assert names.current() is None
        wait_until("they are known", lambda: names.current() == {"data"})
        assert len(answers) == 2
        monkeypatch.setattr(module, "INTERVAL", -1.0)
        wait_until("they are asked for again", lambda: names.current() == {"x"})
    finally:
        monkeypatch.undo()
        names.close()
