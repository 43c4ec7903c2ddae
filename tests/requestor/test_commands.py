"""The commands, against our agent: what they print, and what a set's life looks like."""

from __future__ import annotations

from typing import Iterator

import pytest

from lab import fss
from tests.requestor.command_host import ENVIRONMENT, HOST, Host, Server, open_host

Opened = tuple[Server, Host]


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    with open_host() as found:
        yield found


def answered(server: Server) -> list[str]:
    return [call.method for call in server.daemon.calls()]


def test_a_command_finds_the_copies_and_nothing_is_left(opened: Opened) -> None:
    server, host = opened
    server.samba.write("data", "file", "old")
    host.lab.run(["mkdir", "-p", server.directory("data") / "sub"])
    file = host.directory / "environment"
    read = f'smbclient "$FSRVPSHADOW_SHARE_1" -A {host.credentials} -c "get file -" 2>&1'
    script = f"{ENVIRONMENT.format(file=file)}; {read}; exit 3"
    before = len(answered(server))
    done = host.run("run", rf"\\{HOST}\data\sub", f"//{HOST}/more", "--", "sh", "-c", script)
    assert done.returncode == 3, done.stderr
    assert "old" in done.stdout
    found = dict(line.split("=", 1) for line in file.read_text().splitlines())
    assert found["FSRVPSHADOW_SHARE_1"].startswith(rf"\\{HOST}\data@{{")
    assert found["FSRVPSHADOW_PREFIX_1"] == "sub"
    assert found["FSRVPSHADOW_SHARE_2"].startswith(rf"\\{HOST}\more@{{")
    assert found["FSRVPSHADOW_MOUNT"].startswith("/run/fsrvpshadow/mnt/sh-")
    assert found["FSRVPSHADOW_MOUNT_2"] == f"{found['FSRVPSHADOW_MOUNT']}/more"
    assert found["FSRVPSHADOW_SET"] == found["VSS_SHADOW_SET"]
    assert found["FSRVPSHADOW_SHARE_1"].endswith(found["VSS_SHADOW_1"])
    assert "CommitShadowCopySet" in answered(server)[before:]
    server.assert_nothing_is_left()
    host.assert_no_state_is_left()


def test_a_set_is_created_listed_and_deleted(opened: Opened) -> None:
    server, host = opened
    [created] = [line for line in host.ask("create", rf"\\{HOST}\more") if "event" not in line]
    assert created["kept"]
    [copy] = created["copies"]
    [listed] = host.ask("list")
    assert (listed["set"], listed["state"], listed["kept"]) == (created["set"], "Recovered", True)
    assert listed["copies"][0]["shadow_share"] == copy["shadow_share"]
    assert created["set"] in host.done("list")
    assert host.ask("list", rf"\\{HOST}\more") == [{"share": rf"\\{HOST}\more", "present": True}]
    [kept] = host.ask("clean", "-n")
    assert (kept["set"], kept["outcome"]) == (created["set"], "kept")
    assert "kept until it is deleted" in host.done("clean")
    assert "deleted" in host.done("delete", "--set", created["set"])
    server.assert_nothing_is_left()
    host.assert_no_state_is_left()


@pytest.mark.parametrize("options", [[], ["--persistent"]])
def test_a_shell_gets_the_variables(opened: Opened, options: list[str]) -> None:
    server, host = opened
    lines = host.done("create", "--export-env", *options, rf"\\{HOST}\more")
    script = f'{lines}\nprintf \'%s %s\' "$FSRVPSHADOW_SET" "$FSRVPSHADOW_SHARE_1"'
    set_id, share = host.lab.run(["sh", "-c", script]).stdout.split()
    assert share.startswith(rf"\\{HOST}\more@")
    host.done("delete", "--set", set_id)
    server.assert_nothing_is_left()


def test_rpcclient_and_the_command_delete_each_others_sets(opened: Opened) -> None:
    server, host = opened
    [copy] = fss.create_expose(server.samba, "more", binding="sign")
    words = ["--set", copy.set_id, "--copy", copy.copy_id, rf"\\{HOST}\more"]
    assert "deleted" in host.done("delete", *words)
    server.assert_nothing_is_left()
    [created] = [line for line in host.ask("create", rf"\\{HOST}\more") if "event" not in line]
    [listed] = host.ask("list")
    ids = [listed["server_set"].strip("{}"), created["copies"][0]["copy"].strip("{}")]
    server.samba.rpcclient(f"fss_delete more {' '.join(ids)}", binding="sign")
    host.done("delete", "--set", created["set"])
    server.assert_nothing_is_left()
    host.assert_no_state_is_left()


def test_names_are_resolved(opened: Opened) -> None:
    _, host = opened
    [found] = host.ask("resolve", rf"\\{HOST}\data\a\b")
    assert found["root"] == rf"\\{HOST}\data"
    assert found["below"] == r"a\b"
    assert rf"root    \\{HOST}\data" in host.done("resolve", f"//{HOST}/data/a")


def test_a_check_says_what_will_work_and_changes_nothing(opened: Opened) -> None:
    server, host = opened
    done = host.run("check", rf"\\{HOST}\more")
    assert done.returncode == 0, done.stdout
    assert "a backup will work" in done.stdout
    [report] = host.ask("check", rf"\\{HOST}\more")
    assert report["root"] == rf"\\{HOST}\more"
    assert not report["will_fail"]
    refused = host.run("check", rf"\\{HOST}\plain")
    assert refused.returncode == 1
    assert "a backup will FAIL" in refused.stdout
    server.assert_nothing_is_left()


def test_a_job_of_the_configuration(opened: Opened) -> None:
    server, host = opened
    host.write_configuration(
        f"credentials = '{host.credentials}'\n[job.nightly]\nshares = ['\\\\{HOST}\\more']\n"
        "run = ['sh', '-c', 'printf %s \"$FSRVPSHADOW_SHARE_1\"']\n"
    )
    assert host.done("run", "-c", "nightly").startswith(rf"\\{HOST}\more@")
    [*events] = host.ask("run", "-c", "nightly")
    names = [event["event"] for event in events]
    assert names.index("set-committed") < names.index("command-started")
    assert names.index("command-ended") < names.index("set-removed")
    server.assert_nothing_is_left()
