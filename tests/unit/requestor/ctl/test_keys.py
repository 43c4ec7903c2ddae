"""What the keys of the configuration take."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from fsrvpd.requestor.ctl import keys


@pytest.mark.parametrize(
    ("given", "seconds"), [(0, 0.0), (1.5, 1.5), ("90", 90.0), ("15m", 900.0), ("2h", 7200.0)]
)
def test_times(given: object, seconds: float) -> None:
    assert keys.duration(given) == seconds


@pytest.mark.parametrize(
    ("read", "values"),
    [
        (keys.duration, ["soon", -1, True, "1d", 1e9, None]),
        (keys.limit, [0, "0s", "soon"]),
        (keys.strings, [[], "x", ["a\0b"], [""], [1]]),
        (keys.string, ["", 1, "a\0b"]),
        (keys.boolean, [1, "yes"]),
        (keys.mode, ["wal", "", 1, []]),
        (keys.number, [True, 1001, -1001, "1", 1.5]),
        (keys.file, ["x", "", 1, "/a\0b"]),
        (keys.files, ["/x", [], ["x"], [1]]),
    ],
)
def test_what_is_refused(read: Callable[[Any], Any], values: list[Any]) -> None:
    for value in values:
        with pytest.raises(ValueError, match=r"^(a |true|the )"):
            read(value)


def test_a_path_may_begin_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/root")
    assert keys.file("~/x") == "/root/x"
    assert keys.files(["/a", "~/x"]) == ("/a", "/root/x")
