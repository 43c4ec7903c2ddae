"""An admin's commands against a running daemon: Debian's smbcontrol, and fsrvpctl."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from lab import fss
from lab.namespaces import wait_until
from tests.interop.nas import TORTURE_SHARE, Nas

STRANGER = "fsrvpd:max setz"


def smbcontrol(nas: Nas, *words: str) -> subprocess.CompletedProcess[str]:
    return nas.samba.run(["smbcontrol", "-s", nas.samba.conf, *words], check=False)


def test_smbcontrol_finds_us_and_is_answered(nas: Nas) -> None:
    answer = smbcontrol(nas, "fsrvpd", "ping")
    assert answer.stdout == f"PONG from pid {nas.daemon.ask('ping')['pid']}\n"
    everybody = smbcontrol(nas, "-t", "1", "all", "ping").stdout
    assert answer.stdout in everybody
    assert len(everybody.splitlines()) > 1


def test_smbcontrol_sets_and_tells_the_debug_level(nas: Nas) -> None:
    pid = nas.daemon.ask("ping")["pid"]
    assert smbcontrol(nas, "fsrvpd", "debug", "5").returncode == 0
    assert f"PID {pid}: all:5\n" in smbcontrol(nas, "fsrvpd", "debuglevel").stdout
    assert nas.daemon.ctl("debuglevel").stdout == f"PID {pid}: all:5\n"
    assert nas.daemon.ask("debug", "3") == {"pid": pid, "level": 3}


@pytest.mark.parametrize("destination", ["fsrvpd", "all"])
def test_smbcontrol_reloads(nas: Nas, destination: str) -> None:
    before = nas.daemon.read_log().count("event=configuration-loaded")
    assert smbcontrol(nas, destination, "reload-config").returncode == 0
    wait_until(
        "the configuration is loaded",
        lambda: nas.daemon.read_log().count("event=configuration-loaded") == before + 1,
    )


def test_smbcontrol_shuts_us_down_in_order(nas: Nas) -> None:
    pid = nas.daemon.ask("ping")["pid"]
    assert smbcontrol(nas, "fsrvpd", "shutdown").returncode == 0
    wait_until("it has ended", lambda: "event=stopped" in nas.daemon.read_log())
    wait_until("its process is gone", lambda: pid not in nas.lab.processes())
    assert "Can't find pid" in smbcontrol(nas, "fsrvpd", "ping").stderr
    assert nas.daemon.ctl("ping", check=False).returncode == 3
    nas.daemon.start()


def test_a_bad_option_changes_nothing(nas: Nas) -> None:
    dialect = nas.daemon.ask("status")["dialect"]
    other = "ws2012" if dialect == "current" else "current"
    with_both = {"fsrvpd:dialect": other, "fsrvpd:max sets": "many"}
    for name, value in with_both.items():
        nas.samba.set_option(name, value)
    try:
        reload = nas.daemon.ctl("reload-config", check=False)
        check = nas.daemon.command("check-config", check=False)
        assert reload.returncode == check.returncode == 1
        for said in (reload, check):
            assert "fsrvpd:max sets = many: want a whole number" in said.stdout + said.stderr
        assert nas.daemon.ask("status")["dialect"] == dialect
        nas.samba.set_option("fsrvpd:max sets", None)
        nas.daemon.ctl("reload-config")
        assert nas.daemon.ask("status")["dialect"] == other
    finally:
        for name in with_both:
            nas.samba.set_option(name, None)
        nas.daemon.ctl("reload-config")


def test_a_stranger_among_the_options_is_named_with_its_neighbour(nas: Nas) -> None:
    nas.samba.set_option(STRANGER, "5")
    try:
        checked = nas.daemon.command("check-config", check=False)
        assert checked.returncode == 1
        for said in (nas.daemon.ctl("reload-config"), checked):
            assert f"{STRANGER}: no such option; did you mean fsrvpd:max sets?" in (said.stdout)
    finally:
        nas.samba.set_option(STRANGER, None)


def test_sets_are_listed_shown_and_deleted(nas: Nas) -> None:
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
    fss.recovery_complete(nas.samba, copy)
    [one] = nas.daemon.ask("list-sets")
    assert nas.daemon.ask("show-set", copy.set_id) == one
    assert one["set"].lower() == f"{{{copy.set_id}}}"
    table = nas.daemon.ctl("list-sets").stdout.splitlines()
    assert [line.split()[0] for line in table] == ["SET", one["set"]]
    assert max(map(len, table)) <= 80
    assert copy.share in nas.daemon.ctl("show-set", copy.set_id).stdout
    refused = nas.daemon.ctl("abort-set", copy.set_id, check=False)
    assert refused.returncode == 1
    assert "delete-set" in refused.stderr

    would = nas.daemon.ask("delete-set", copy.set_id, "--dry-run")
    assert would["shares"] == [copy.share]
    assert not would["removed"]
    assert nas.daemon.ask("list-sets") == [one]
    did = nas.daemon.ask("delete-set", copy.set_id)
    assert did == {**would, "removed": True}
    nas.assert_nothing_is_left()
    assert "list-sets" in nas.daemon.ctl("delete-set", copy.set_id, check=False).stderr


def test_events_are_seen_live(nas: Nas) -> None:
    output = nas.lab.directory / "watched"
    argv = [*nas.daemon.fsrvpctl, "fsrvpd", "watch-events", "--json"]
    watcher = nas.lab.popen(argv, output=output)
    try:
        wait_until("it watches", lambda: "resync" in output.read_text())
        [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
        fss.delete(nas.samba, copy)
        last = ("DeleteShareMapping", '"Gone"')
        wait_until("the set is gone", lambda: all(each in output.read_text() for each in last))
        seen = [json.loads(line) for line in output.read_text().splitlines()]
    finally:
        watcher.kill()
    calls = [each["fields"]["method"] for each in seen if each["event"] == "call"]
    assert calls[-1] == "DeleteShareMapping"
    assert "CommitShadowCopySet" in calls
    commit = next(e for e in seen if e["fields"].get("method") == "CommitShadowCopySet")
    assert commit["id"] == 200
    assert commit["fields"]["set"].lower() == f"{{{copy.set_id}}}"
    assert commit["fields"]["result"] == "ZERO"
    assert commit["fields"]["sid"].startswith("S-1-")
    assert commit["fields"]["client"].startswith("127.")
    changes = [change for each in seen for change in each["changed"]]
    statuses = [each["status"] for each in changes if each["name"] == commit["fields"]["set"]]
    seen_once = [each for each in dict.fromkeys(statuses) if each != "Removing"]  # for a moment
    assert seen_once == ["Added", "Committed", "Exposed", "Gone"]
    started = next(e for e in seen if e["fields"].get("method") == "StartShadowCopySet")
    assert {"kind": "set", "name": None, "status": None} in started["changed"]


def test_only_root_and_the_group_may_ask(nas: Nas) -> None:
    stranger, admin = nas.samba.add_user("stranger"), nas.samba.add_user("admin")

    def ping(user: str) -> subprocess.CompletedProcess[str]:
        argv = ["runuser", "-u", user, "--", *nas.daemon.fsrvpctl, "fsrvpd", "ping"]
        return nas.lab.run(argv, check=False)

    nas.lab.run(["chmod", "0644", nas.samba.conf])
    assert ping(admin.name).returncode == 1
    nas.samba.set_option("fsrvpd:admin group", admin.name)
    try:
        nas.daemon.ctl("reload-config")
        assert ping(admin.name).stdout.startswith("PONG")
        refused = ping(stranger.name)
        assert refused.returncode == 1
        assert "`fsrvpd:admin group`" in refused.stderr
        nas.samba.set_option("fsrvpd:admin group", "no-such-group")
        refused = nas.daemon.ctl("reload-config", check=False)
        assert "groupadd --system no-such-group" in refused.stderr
        assert ping(admin.name).returncode == 0
    finally:
        nas.samba.set_option("fsrvpd:admin group", None)
        nas.daemon.ctl("reload-config")
    assert ping(admin.name).returncode == 1


def test_debug_level_10_traces_what_was_asked_and_answered(nas: Nas) -> None:
    nas.daemon.ctl("debug", "10")
    try:
        [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
        fss.delete(nas.samba, copy)
    finally:
        nas.daemon.ctl("debug", "3")
    log = nas.daemon.read_log()
    assert "AddToShadowCopySet(client_shadow_copy_id={" in log
    assert f"shadow_copy_set_id={{{copy.set_id.upper()}}}" in log
    assert ": ShareMappingResponse(result=ZERO (0x00000000)" in log
    assert nas.samba.root.password not in log


def test_who_is_not_root_is_told_so(nas: Nas) -> None:
    nobody = ["setpriv", "--reuid=65534", "--clear-groups"]
    argv = [*nobody, *nas.daemon.fsrvpctl, "share-config", TORTURE_SHARE]
    done = nas.lab.run(argv, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith("(you are not root: try sudo)\n")


def test_wrong_usage_has_a_status_of_its_own(nas: Nas) -> None:
    for words in (["show-set"], ["ping", "now"], ["status", "--dry-run"], ["no-such-message"]):
        done = nas.daemon.ctl(*words, check=False)
        assert done.returncode == 2, words
        assert "usage: fsrvpctl" in done.stderr


def keys(answer: object) -> set[str]:
    """Return the names of all fields. Counters by name are listed once, as a whole."""
    if isinstance(answer, list):
        return {key for one in answer for key in keys(one)}
    if not isinstance(answer, dict):
        return set()
    inner = (value for key, value in answer.items() if key not in ("calls", "failures", "refusals"))
    return {*answer, *(key for value in inner for key in keys(value))}


def test_every_field_of_an_answer_is_described(nas: Nas) -> None:
    page = (Path(__file__).parents[2] / "docs/json.md").read_text()
    sections = {part.partition("\n")[0]: part for part in page.split("\n## ")}
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
    asked = (
        ("status",),
        ("ping",),
        ("debuglevel",),
        ("list-sets",),
        ("show-set", copy.set_id),
        ("list-snapshots",),
        ("delete-set", copy.set_id, "--dry-run"),
        ("check-path", TORTURE_SHARE),
        ("reload-config",),
    )
    for message, *parameters in asked:
        [section] = [text for title, text in sections.items() if message in title.split(", ")]
        answer = nas.daemon.ask(message, *parameters)
        for key in keys(answer):
            assert f"`{key}`" in section or f'"{key}":' in section, f"{message}: {key}"
    nas.daemon.ask("delete-set", copy.set_id)
