"""`resolve`: what a name leads to, and by which way."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from fsrvpd.requestor.ctl import configuration, resolution
from fsrvpd.requestor.ctl.main import main
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.names.records import Resolution, Step
from fsrvpd.requestor.ports import ShareRoot

GIVEN = "\\\\10.0.0.7\\data\\sub"
FOUND = Resolution(
    ShareRoot(GIVEN, "\\\\nas\\data", "nas", "data", "sub"),
    "\\\\10.0.0.7\\data",
    frozenset({"10.0.0.7"}),
    (Step("reverse DNS", "10.0.0.7", "nas"),),
)


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(given: str) -> Resolution:
        if given != GIVEN:
            raise RequestorError(given, "nobody knows it", "correct it", exit_status=1)
        return FOUND

    found = SimpleNamespace(resolution=find)
    monkeypatch.setattr(resolution, "open_names", lambda settings: found)
    monkeypatch.setattr(configuration, "load", lambda: configuration.Configuration())


def test_root_prefix_and_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resolve", GIVEN]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"given   {GIVEN}",
        "root    \\\\nas\\data",
        "prefix  \\\\10.0.0.7\\data",
        "below   sub",
        "way     10.0.0.7 → nas (reverse DNS)",
    ]


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resolve", "--json", GIVEN]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "given": GIVEN,
        "root": "\\\\nas\\data",
        "logical_prefix": "\\\\10.0.0.7\\data",
        "below": "sub",
        "addresses": ["10.0.0.7"],
        "steps": [{"how": "reverse DNS", "before": "10.0.0.7", "after": "nas"}],
    }


def test_one_that_leads_nowhere_stops_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resolve", "x", GIVEN]) == 1
    printed = capsys.readouterr()
    assert printed.err == "fsrvpshadow: x: nobody knows it; correct it\n"
    assert printed.out.startswith(f"given   {GIVEN}")
