"""What an admin types: Debian's smbcontrol and our fsrvpctl at a running daemon."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.interop.site import TORTURE_SHARE, Site
from tests.lab import fss
from tests.lab.namespaces import wait_until

STRANGER = "fsrvpd:max setz"


def smbcontrol(site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    return site.samba.run(["smbcontrol", "-s", site.samba.conf, *words], check=False)


def test_smbcontrol_finds_us_and_is_answered(site: Site) -> None:
    answer = smbcontrol(site, "fsrvpd", "ping")
    assert answer.stdout == f"PONG from pid {site.daemon.ask('ping')['pid']}\n"
    everybody = smbcontrol(site, "-t", "1", "all", "ping").stdout
    assert answer.stdout in everybody
    assert len(everybody.splitlines()) > 1


def test_smbcontrol_sets_and_tells_the_debug_level(site: Site) -> None:
    pid = site.daemon.ask("ping")["pid"]
    assert smbcontrol(site, "fsrvpd", "debug", "5").returncode == 0
    assert f"PID {pid}: all:5\n" in smbcontrol(site, "fsrvpd", "debuglevel").stdout
    assert site.daemon.ctl("debuglevel").stdout == f"PID {pid}: all:5\n"
    assert site.daemon.ask("debug", "3") == {"pid": pid, "level": 3}


@pytest.mark.parametrize("destination", ["fsrvpd", "all"])
def test_smbcontrol_reloads(site: Site, destination: str) -> None:
    before = site.daemon.read_log().count("event=configuration-loaded")
    assert smbcontrol(site, destination, "reload-config").returncode == 0
    wait_until(
        "the configuration is loaded",
        lambda: site.daemon.read_log().count("event=configuration-loaded") == before + 1,
    )


def test_smbcontrol_shuts_us_down_in_order(site: Site) -> None:
    pid = site.daemon.ask("ping")["pid"]
    assert smbcontrol(site, "fsrvpd", "shutdown").returncode == 0
    wait_until("it has ended", lambda: "event=ended" in site.daemon.read_log())
    wait_until("its process is gone", lambda: pid not in site.lab.processes())
    assert "Can't find pid" in smbcontrol(site, "fsrvpd", "ping").stderr
    assert site.daemon.ctl("ping", check=False).returncode == 3
    site.daemon.start()


def test_a_bad_option_changes_nothing(site: Site) -> None:
    dialect = site.daemon.ask("status")["dialect"]
    other = "ws2012" if dialect == "current" else "current"
    with_both = {"fsrvpd:dialect": other, "fsrvpd:max sets": "many"}
    for name, value in with_both.items():
        site.samba.set_option(name, value)
    try:
        reload = site.daemon.ctl("reload-config", check=False)
        check = site.daemon.command("check-config", check=False)
        assert reload.returncode == check.returncode == 1
        for said in (reload, check):
            assert "fsrvpd:max sets = many: want a whole number" in said.stderr
        assert site.daemon.ask("status")["dialect"] == dialect
        site.samba.set_option("fsrvpd:max sets", None)
        site.daemon.ctl("reload-config")
        assert site.daemon.ask("status")["dialect"] == other
    finally:
        for name in with_both:
            site.samba.set_option(name, None)
        site.daemon.ctl("reload-config")


def test_a_stranger_among_the_options_is_named_with_its_neighbour(site: Site) -> None:
    site.samba.set_option(STRANGER, "5")
    try:
        for said in (site.daemon.ctl("reload-config"), site.daemon.command("check-config")):
            assert f"{STRANGER}: there is no such option; did you mean fsrvpd:max sets?" in (
                said.stdout
            )
    finally:
        site.samba.set_option(STRANGER, None)


def test_sets_are_listed_shown_and_deleted(site: Site) -> None:
    [copy] = fss.create_expose(site.samba, TORTURE_SHARE)
    fss.recovery_complete(site.samba, copy)
    [one] = site.daemon.ask("list-sets")
    assert site.daemon.ask("show-set", copy.set_id) == one
    assert one["set"].lower() == f"{{{copy.set_id}}}"
    table = site.daemon.ctl("list-sets").stdout.splitlines()
    assert [line.split()[0] for line in table] == ["SET", one["set"]]
    assert max(map(len, table)) <= 80
    assert copy.share in site.daemon.ctl("show-set", copy.set_id).stdout
    refused = site.daemon.ctl("abort-set", copy.set_id, check=False)
    assert refused.returncode == 1
    assert "delete-set" in refused.stderr

    would = site.daemon.ask("delete-set", copy.set_id, "--dry-run")
    assert would["shares"] == [copy.share]
    assert not would["removed"]
    assert site.daemon.ask("list-sets") == [one]
    did = site.daemon.ask("delete-set", copy.set_id)
    assert did == {**would, "removed": True}
    site.assert_nothing_is_left()
    assert "list-sets" in site.daemon.ctl("delete-set", copy.set_id, check=False).stderr


def test_events_are_seen_live(site: Site) -> None:
    output = site.lab.directory / "watched"
    argv = [*site.daemon.fsrvpctl, "fsrvpd", "watch-events", "--json"]
    watcher = site.lab.popen(argv, output=output)
    try:
        wait_until("it watches", lambda: _events(site, output) != [])
        [copy] = fss.create_expose(site.samba, TORTURE_SHARE)
        fss.delete(site.samba, copy)
        wait_until("the last call is seen", lambda: "DeleteShareMapping" in output.read_text())
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


def _events(site: Site, output: Path) -> list[str]:
    """A call of ours makes events until the watcher has seen one."""
    site.samba.rpcclient("fss_get_sup_version")
    return output.read_text().splitlines()


def test_only_root_and_the_group_may_ask(site: Site) -> None:
    stranger, admin = site.samba.add_user("stranger"), site.samba.add_user("admin")

    def ping(user: str) -> subprocess.CompletedProcess[str]:
        argv = ["runuser", "-u", user, "--", *site.daemon.fsrvpctl, "fsrvpd", "ping"]
        return site.lab.run(argv, check=False)

    site.lab.run(["chmod", "0644", site.samba.conf])
    assert ping(admin.name).returncode == 1
    site.samba.set_option("fsrvpd:admin group", admin.name)
    try:
        site.daemon.ctl("reload-config")
        assert ping(admin.name).stdout.startswith("PONG")
        refused = ping(stranger.name)
        assert refused.returncode == 1
        assert "`fsrvpd:admin group`" in refused.stderr
        site.samba.set_option("fsrvpd:admin group", "no-such-group")
        refused = site.daemon.ctl("reload-config", check=False)
        assert "groupadd --system no-such-group" in refused.stderr
        assert ping(admin.name).returncode == 0
    finally:
        site.samba.set_option("fsrvpd:admin group", None)
        site.daemon.ctl("reload-config")
    assert ping(admin.name).returncode == 1


def test_debug_level_10_traces_what_was_asked_and_answered(site: Site) -> None:
    site.daemon.ctl("debug", "10")
    try:
        [copy] = fss.create_expose(site.samba, TORTURE_SHARE)
        fss.delete(site.samba, copy)
    finally:
        site.daemon.ctl("debug", "3")
    log = site.daemon.read_log()
    assert "AddToShadowCopySet(client_shadow_copy_id={" in log
    assert f"shadow_copy_set_id={{{copy.set_id.upper()}}}" in log
    assert ": ShareMappingResponse(result=ZERO (0x00000000)" in log
    assert site.samba.root.password not in log


def test_who_is_not_root_is_told_so(site: Site) -> None:
    nobody = ["setpriv", "--reuid=65534", "--clear-groups"]
    argv = [*nobody, *site.daemon.fsrvpctl, "share-config", TORTURE_SHARE]
    done = site.lab.run(argv, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith("(you are not root: try it with sudo)\n")


def test_wrong_usage_has_a_status_of_its_own(site: Site) -> None:
    for words in (["show-set"], ["ping", "now"], ["status", "--dry-run"], ["no-such-message"]):
        done = site.daemon.ctl(*words, check=False)
        assert done.returncode == 2, words
        assert "usage: fsrvpctl" in done.stderr


def keys(answer: object) -> set[str]:
    """The names of all fields; of what is counted by name only the name of the whole."""
    if isinstance(answer, list):
        return {key for one in answer for key in keys(one)}
    if not isinstance(answer, dict):
        return set()
    inner = (value for key, value in answer.items() if key not in ("calls", "failures", "refusals"))
    return {*answer, *(key for value in inner for key in keys(value))}


def test_every_field_of_an_answer_is_described(site: Site) -> None:
    page = (Path(__file__).parents[2] / "docs/json.md").read_text()
    sections = {part.partition("\n")[0]: part for part in page.split("\n## ")}
    [copy] = fss.create_expose(site.samba, TORTURE_SHARE)
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
        answer = site.daemon.ask(message, *parameters)
        for key in keys(answer):
            assert f"`{key}`" in section or f'"{key}":' in section, f"{message}: {key}"
    site.daemon.ask("delete-set", copy.set_id)
