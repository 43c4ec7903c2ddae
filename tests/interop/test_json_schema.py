"""All that `fsrvpctl --json` prints on a real server is as its schema says, field for field."""

from __future__ import annotations

import contextlib
import json
import signal
from pathlib import Path
from typing import Any, Iterator

from fsrvpd.ctl.json_schema import COMMANDS, whole
from fsrvpd.ctl.messages import MESSAGES
from lab import fss
from lab.namespaces import wait_until
from tests.described_json import assert_described
from tests.interop.nas import TORTURE_SHARE, Nas

NAMES = {*(message.name for message in MESSAGES), *COMMANDS}


class Asking:
    """Runs commands and compares what they print with the schema."""

    def __init__(self, nas: Nas) -> None:
        self._nas = nas
        self.asked: set[str] = set()

    def message(self, name: str, *parameters: str) -> Any:
        return self._compare(name, ("fsrvpd", name, *parameters, "--json"))

    def command(self, name: str, *words: str) -> Any:
        return self._compare(name, (name, "--json", *words))

    def lines(self, name: str, output: Path) -> list[Any]:
        printed = [json.loads(line) for line in output.read_text().splitlines()]
        for each in printed:
            assert_described(name, each)
        self.asked.add(name)
        return printed

    def _compare(self, name: str, words: tuple[str, ...]) -> Any:
        done = self._nas.daemon.command(*words, check=False)
        assert done.stdout, done.stderr
        printed = json.loads(done.stdout)
        assert_described(name, printed)
        self.asked.add(name)
        return printed


@contextlib.contextmanager
def watching(nas: Nas) -> Iterator[Path]:
    output = nas.lab.directory / "watched"
    argv = [*nas.daemon.fsrvpctl, "fsrvpd", "watch-events", "--json"]
    watcher = nas.lab.popen(argv, output=output)
    try:
        wait_until("it watches", lambda: "resync" in output.read_text())
        yield output
    finally:
        watcher.signal(signal.SIGTERM)
        watcher.wait()


def test_everything_that_is_printed_is_described(nas: Nas) -> None:
    ask = Asking(nas)
    with watching(nas) as output:
        of_daemon(ask)
        of_sets(ask, nas)
        of_kept_copies(ask)
        of_discrepancies(ask, nas)
        of_refusals(ask, nas)
        of_configuration(ask)
        status = ask.message("status")
        assert status["running"]
        assert status["shares"]
        wait_until("an event of a set is there", lambda: '"set-removed"' in output.read_text())
    events = ask.lines("watch-events", output)
    assert {"resync", "call", "set-removed"} <= {event["event"] for event in events}
    pid = ask.message("shutdown")["pid"]
    wait_until("it has ended", lambda: pid not in nas.lab.processes())
    assert not ask.message("status")["running"]
    nas.daemon.start()
    assert ask.asked == NAMES


def of_daemon(ask: Asking) -> None:
    ask.message("ping")
    ask.message("debug", "3")
    ask.message("debuglevel")
    ask.message("reload-config")
    assert ask.message("check-path", "deep")["supported"]
    assert not ask.message("check-path", "plain")["supported"]


def of_sets(ask: Asking, nas: Nas) -> None:
    made = ask.message("create-set", "deep", "vault")
    assert ask.message("show-set", made["set"])["status"] == "Recovered"
    assert ask.message("list-sets")
    assert ask.message("list-snapshots")
    assert not ask.message("delete-set", made["set"], "--dry-run")["removed"]
    assert ask.message("delete-set", made["set"])["removed"]
    writable = ask.message("create-set", "--writable", "deep")
    ask.message("complete-set", writable["set"])
    ask.message("delete-set", writable["set"])
    writable = ask.message("create-set", "--writable", "deep")
    ask.message("abort-set", writable["set"])
    ask.message("delete-set", ask.message("self-test", "deep")["set"])


def of_kept_copies(ask: Asking) -> None:
    made = ask.message("create-set", "--keep", "deep")
    assert ask.message("keep-set", made["set"])["held"]
    assert ask.message("delete-set", made["set"])["kept"]
    assert [copy["status"] for copy in ask.message("list-kept")] == ["held"]
    assert ask.message("list-snapshots")[0]["owner"] == "kept"
    assert not ask.message("release-set", made["set"])["held"]
    assert not ask.message("delete-kept", made["set"], "--dry-run")[0]["deleted"]
    assert ask.message("delete-kept", made["set"])[0]["deleted"]


def of_discrepancies(ask: Asking, nas: Nas) -> None:
    made = ask.message("create-set", "deep")
    nas.samba.net("conf", "delshare", made["shares"][0]["shadow_copy_share"])
    assert [each["what"] for each in ask.message("prune", "--dry-run")] == ["share-gone"]
    assert [each["action"] for each in ask.message("prune")] == ["recreate"]
    ask.message("delete-set", made["set"])


def of_refusals(ask: Asking, nas: Nas) -> None:
    fss.refusal(nas.samba, "fss_create_expose backup ro plain")
    fss.delete(nas.samba, fss.create_expose(nas.samba, TORTURE_SHARE)[0])

    def is_remembered() -> bool:
        history = ask.message("history")
        outcomes = {each["outcome"] for each in history["sets"]}
        return bool(history["refusals"]) and {"completed", "removed"} <= outcomes

    wait_until("sets and refusals are remembered", is_remembered)


def of_configuration(ask: Asking) -> None:
    assert ask.command("check-config")["file"]
    assert {each["severity"] for each in ask.command("doctor", "--no-self-test")} > {"ok"}
    assert ask.command("set-option", "-n", "--share", "deep", "fsrvp:keep", "yes")["change"]
    assert ask.command("set-option", "--share", "deep", "fsrvp:keep", "yes")["changed"]
    assert ask.command("unset-option", "--share", "deep", "fsrvp:keep")["changed"]


def test_the_schema_is_installed(nas: Nas) -> None:
    assert json.loads(nas.daemon.command("json-schema").stdout) == whole()
