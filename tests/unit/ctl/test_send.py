"""`fsrvpctl fsrvpd MESSAGE`: what is sent, printed and returned."""

from __future__ import annotations

import errno
import json
import os
from types import SimpleNamespace
from typing import Any

import pytest

from fsrvpd.ctl import send
from fsrvpd.ctl.client import REPLY_TIMEOUT, NotRunning
from fsrvpd.ctl.messages import BY_NAME, MESSAGES, Message
from fsrvpd.errors import FsrvpdError


class Daemon:
    """Replies to everything, after some events."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reply: Any = None
        self.events: list[Any] = []
        self.answers: list[Any] = []
        self.asked: list[Any] = []
        monkeypatch.setattr(send, "ask", self._ask)
        monkeypatch.setattr(send, "samba_parameter", lambda arguments, name: "/var/lib/samba")

    def _ask(self, path: str, message: str, parameters: Any, on_event: Any, timeout: Any) -> Any:
        self.asked.append((path, message, parameters, timeout))
        self.answers = [on_event(event) for event in self.events]
        return self.reply


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Daemon:
    return Daemon(monkeypatch)


def run(message: str, *parameters: str, as_json: bool = False, **options: Any) -> int:
    given = {each.name.strip("-").replace("-", "_"): None for each in BY_NAME[message].options}
    arguments: Any = SimpleNamespace(
        message=message, parameters=list(parameters), json=as_json, **{**given, **options}
    )
    return send.send(arguments)


def test_a_message_is_sent_and_its_reply_printed(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.reply = {"pid": 7}
    assert run("ping") == 0
    assert capsys.readouterr().out == "PONG from pid 7\n"
    socket = "/var/lib/samba/fsrvpd/control.socket"
    assert daemon.asked == [(socket, "ping", [], REPLY_TIMEOUT)]
    assert run("ping", as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == {"pid": 7}


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.name)
def test_usage(daemon: Daemon, message: Message) -> None:
    if message.takes(0) and message.takes(1):
        return  # any number of parameters
    words = () if message.takes(2) else (*message.parameters, "more")
    with pytest.raises(send.WrongUsage, match=f"^usage: fsrvpctl fsrvpd {message.name}"):
        run(message.name, *words)
    assert daemon.asked == []


def test_a_dry_run_is_asked_of_the_daemon(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.reply = {"set": "{S}", "removed": False, "shares": [], "snapshots": [], "kept": []}
    assert run("delete-set", "{S}", dry_run=True) == 0
    assert daemon.asked[0][2] == ["--dry-run", "{S}"]
    assert capsys.readouterr().out == "would remove set {S}\n"


def test_a_name_that_looks_like_an_option_is_sent_as_a_name(daemon: Daemon) -> None:
    daemon.reply = {}
    run("create-set", "--keep", keep=True, as_json=True)
    run("create-set", "data", "-x", as_json=True)
    assert [each[2] for each in daemon.asked] == [["--keep", "--", "--keep"], ["data", "-x"]]


def test_progress_goes_to_standard_error_and_not_into_json(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.reply = {"snapshot": "/s", "shadow_copy_share": "x\x1b[2J"}
    daemon.events = [{"step": "SetContext"}]
    assert run("self-test", "data") == 0
    printed = capsys.readouterr()
    assert printed.err == "… SetContext\n"
    assert printed.out == "copied to /s, shared as x\\x1b[2J\n"
    assert run("self-test", "data", as_json=True) == 0
    assert capsys.readouterr().err == ""


def test_events_are_the_result_of_an_endless_message(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    event = {"time": 0, "id": 302, "event": "set-removed", "text": "gone", "fields": {}}
    daemon.reply, daemon.events = event, [event]
    assert run("watch-events", as_json=True) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0]) == event
    assert daemon.asked[0][3] is None, "for ever"
    assert run("watch-events") == 0
    assert capsys.readouterr().out.splitlines()[0].endswith(" 302 set-removed gone")


def test_the_pages_of_a_reply_are_one(
    monkeypatch: pytest.MonkeyPatch, daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = [{"sets": [1], "refusals": [7], "more": "a"}, {"sets": [2, 3], "more": None}]
    asked = []

    def answer(path: str, message: str, parameters: Any, *_: object) -> Any:
        asked.append(parameters)
        return pages.pop(0)

    monkeypatch.setattr(send, "ask", answer)
    assert run("history", as_json=True, share="data") == 0
    assert asked == [["--share=data"], ["--share=data", "--after=a"]]
    shown = json.loads(capsys.readouterr().out)
    assert shown == {"sets": [1, 2, 3], "refusals": [7], "more": None}


def test_status_says_what_to_type_when_nobody_answers(
    monkeypatch: pytest.MonkeyPatch, daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> Any:
        raise NotRunning("nobody answers")

    monkeypatch.setattr(send, "ask", fail)
    assert run("status") == send.EXIT_NOT_RUNNING
    assert "next: systemctl start fsrvpd" in capsys.readouterr().out
    with pytest.raises(NotRunning):
        run("ping")


def test_a_share_that_is_not_supported_is_status_1(daemon: Daemon) -> None:
    daemon.reply = {
        "share": "tmp",
        "path": "/tmp",
        "directory": "",
        "supported": False,
        "result": "FSRVP_E_NOT_SUPPORTED",
        "reason": "tmpfs",
        "refusals": {},
    }
    assert run("check-path", "tmp") == send.EXIT_NOT_WELL


@pytest.mark.parametrize(
    ("ids", "deleted", "dry_run", "status"),
    [
        (["{C}", "{D}"], [True, False], None, send.EXIT_NOT_WELL),
        (["{C}"], [True], None, 0),
        (["{C}"], [False], True, 0),
        ([], [True, False], None, 0),  # what the options do not want; the next run tries again
    ],
)
def test_a_kept_copy_that_is_named_and_not_deleted_is_status_1(
    ids: list[str], deleted: list[bool], dry_run: Any, status: int, daemon: Daemon
) -> None:
    copy = {"copy": "{C}", "share": "a", "created": 0, "reason": "held", "dry_run": bool(dry_run)}
    daemon.reply = [{**copy, "deleted": each} for each in deleted]
    assert run("delete-kept", *ids, dry_run=dry_run) == status


MADE = {
    "set": "{S}",
    "context": "backup (0x0)",
    "max_age": 86400,
    "complete_within": None,
    "shares": [{"share": "a", "shadow_copy_share": "a@{C}", "path": "/p", "keep": True}],
}


def test_a_result_to_confirm_is_printed_once_and_then_confirmed(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.events, daemon.reply = [{"step": "SetContext"}, {"result": MADE}], MADE
    assert run("create-set", "a", context="backup", keep=True, as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == MADE
    assert daemon.answers == [None, {"confirmed": True}]
    assert daemon.asked[0][2:] == (["--context=backup", "--keep", "a"], None)
    assert run("create-set", "a") == 0
    assert "a, kept\n  as       a@{C}\n  path     /p\n" in capsys.readouterr().out


def test_a_result_that_cannot_be_printed_is_not_confirmed(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.events = [{"result": MADE}]
    full: Any = SimpleNamespace(write=lambda text: len(text), flush=refuse)
    monkeypatch.setattr("sys.stdout", full)
    with pytest.raises(FsrvpdError, match="No space left on device; what was made is removed"):
        run("create-set", "a")
    assert daemon.answers == []


def refuse() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
