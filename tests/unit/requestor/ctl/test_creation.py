"""`create`: a set that stays, unless nobody learns of it."""

from __future__ import annotations

import errno
import functools
import io
import itertools
import json
import os
import signal
import sys
from typing import Any

import pytest

from fsrvpd.requestor.ctl import configuration, creation
from fsrvpd.requestor.ctl.main import main, parse
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.ctl.settings import read
from fsrvpd.requestor.ctl.signals import Interrupted, Signals
from tests.unit.requestor.ctl.fake_requestor import COPY, SET, FakeRequestor
from tests.unit.requestor.interrupts import interrupting
from tests.unit.requestor.world import SHARES, World

SHARE = "\\\\nas\\data\\sub"


@pytest.fixture
def requestor(monkeypatch: pytest.MonkeyPatch) -> FakeRequestor:
    fake = FakeRequestor()
    monkeypatch.setattr(creation, "open_requestor", lambda settings, output: fake)
    monkeypatch.setattr(configuration, "load", lambda: configuration.Configuration())
    return fake


@pytest.mark.parametrize(("options", "context"), [([], 0x10), (["--persistent"], 0x19)])
def test_a_set_is_made_and_stays(
    requestor: FakeRequestor,
    options: list[str],
    context: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["create", *options, "--wait", "5", SHARE]) == 0
    [(_, shares, given)] = requestor.log
    assert shares == (SHARE,)
    assert callable(given.pop("completed"))
    set_options = {name: value for name, value in given.items() if value is not None}
    assert set_options == {"context": context, "keep": True, "job": "", "wait": 5.0}
    printed = capsys.readouterr().out
    assert f"set      {SET}\n" in printed
    assert f"  as     \\\\nas\\data@{COPY}\n" in printed
    assert f"fsrvpshadow delete --set '{SET}'" in printed


@pytest.mark.parametrize(("context", "server_removes_it"), [(0x10, True), (0x19, False)])
def test_how_long_the_set_stays(
    requestor: FakeRequestor,
    context: int,
    server_removes_it: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    requestor.context = context
    assert main(["create", SHARE]) == 0
    printed = capsys.readouterr().out
    assert ("fsrvpd after a day" in printed) == server_removes_it
    assert printed.endswith(f"you type\n         fsrvpshadow delete --set '{SET}'\n")


def test_json(requestor: FakeRequestor, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "create", SHARE]) == 0
    event, created = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert event == {"event": "set-created", **created}
    assert created["set"] == SET
    [copy] = created["copies"]
    assert (copy["share"], copy["given"], copy["prefix"]) == ("\\\\nas\\data", SHARE, "sub")
    assert copy["shadow_share"] == f"\\\\nas\\data@{COPY}"


def test_variables_for_a_shell(
    requestor: FakeRequestor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["create", "--export-env", SHARE]) == 0
    assert f"export FSRVPSHADOW_SET='{SET}'\n" in capsys.readouterr().out


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_set_of_which_nobody_knows_is_deleted(
    requestor: FakeRequestor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", Full())
    assert main(["create", SHARE]) == 1
    assert requestor.log[-1] == "delete"
    assert "No space left" in capsys.readouterr().err


def test_a_signal_between_the_making_and_the_printing(
    requestor: FakeRequestor, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = creation.make_set

    def then_a_signal(*arguments: Any, **options: Any) -> Any:
        created = made(*arguments, **options)
        os.kill(os.getpid(), signal.SIGTERM)
        return created

    monkeypatch.setattr(creation, "make_set", then_a_signal)
    assert main(["create", SHARE]) == 143
    assert requestor.log[-1] == "delete"


def test_no_shares(requestor: FakeRequestor, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["create"]) == 2
    assert capsys.readouterr().err.startswith("fsrvpshadow: SHARE: none was given; name one")


def test_a_signal_at_any_moment_after_the_set_is_complete(requestor: FakeRequestor) -> None:
    """It is undone, or it is the caller's, who asks for signals."""
    settings = read(parse(["create", SHARES[0]]))
    for number in itertools.count():
        world, signals = World(), Signals()
        signal_arrives = functools.partial(signals._note, signal.SIGINT, None)
        with interrupting(number, signal_arrives, creation.make_set) as interrupted:
            try:
                created = creation.make_set(world.requestor, settings, signals, Output())
            except Interrupted:
                created = None
        if created is not None:
            assert (signals.received is None) == (not interrupted), number
            created.delete()
        world.restart_host()  # a lock may not be released before the end of the process
        world.assert_clean()
        if not interrupted:
            break
    assert number > 100
