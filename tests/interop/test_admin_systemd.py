"""A machine with systemd, Samba and a share, from README.md's three commands to the last stop.

The tests follow each other on one system, as an admin's day does.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from tests.interop.booted import Booted, open_booted
from tests.lab.fss import ShadowCopy, exposed
from tests.lab.namespaces import wait_until

ROOT = Path(__file__).parents[2]
UNIT = "fsrvpd.service"
SMB_CONF = Path("/etc/samba/smb.conf")
XFS_SHARE = "[vault]\n    path = /srv/vault\n    read only = no\n"
PASSWORD = "secret-Passw0rd"
SIGNED = ["rpcclient", "ncacn_np:nas[sign]", "-U", f"backup%{PASSWORD}"]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """The machine before fsrvpd: smbd runs, one share on btrfs and one on XFS."""
    packages = tmp_path_factory.mktemp("deb")
    subprocess.run([ROOT / "packaging/build-deb", packages], check=True, timeout=300)
    with open_booted(packages) as booted:
        booted.run("tee", "-a", str(SMB_CONF), input=XFS_SHARE)
        assert booted.active("smbd")
        yield booted


@pytest.fixture(scope="module")
def installed(system: Booted) -> Booted:
    for command in quick_start():
        typed = ["script", "--return", "--quiet", "--command", f"cd /packages && {command}"]
        done = system.run(*typed, "/dev/null", input="y\n", check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert "self-test: deleted, share and snapshot" in done.stdout
    assert "0 failed" in done.stdout
    return system


def quick_start() -> list[str]:
    """The commands of README.md, without what it says about them."""
    section = (ROOT / "README.md").read_text().split("## Put it beside")[1]
    block = section.split("```")[1].strip().splitlines()
    return [line.split(" # ")[0].strip() for line in block]


def create(system: Booted, share: str) -> ShadowCopy:
    said = system.run(*SIGNED, "-c", f"fss_create_expose backup ro {share}").stdout
    [copy] = exposed(said)
    return copy


def sets(system: Booted) -> list[dict[str, object]]:
    return list(json.loads(system.run("fsrvpctl", "fsrvpd", "list-sets", "--json").stdout))


def journal(system: Booted, *matches: str) -> list[dict[str, str]]:
    system.run("journalctl", "--sync")
    said = system.run("journalctl", "--unit", UNIT, "--output", "json", *matches).stdout
    return [json.loads(line) for line in said.splitlines()]


def test_three_commands_lead_to_a_successful_doctor(installed: Booted) -> None:
    assert len(quick_start()) == 3
    assert installed.show(UNIT, "Type") == "notify"
    assert installed.show(UNIT, "SubState") == "running"
    assert installed.show(UNIT, "StatusText") == "Serving /run/samba/ncalrpc/np/fssagentrpc"
    assert installed.run("systemctl", "is-enabled", UNIT).stdout == "enabled\n"


def test_the_unit_is_sound_where_it_is_installed(installed: Booted) -> None:
    verified = installed.run("systemd-analyze", "verify", "--man=no", f"/lib/systemd/system/{UNIT}")
    assert verified.stdout + verified.stderr == ""


def test_a_backup_operator_gets_copies_of_both_file_systems(installed: Booted) -> None:
    run = installed.run
    run("smbpasswd", "-s", "-a", "backup", input=f"{PASSWORD}\n{PASSWORD}\n")
    refused = run(*SIGNED, "-c", "fss_is_path_sup data", check=False)
    assert "0x80070005" in refused.stdout + refused.stderr
    run("net", "sam", "rights", "grant", "NAS\\backup", "SeBackupPrivilege")
    for share in ("data", "vault"):
        run("sh", "-c", f"echo before >/srv/{share}/file && chmod 0644 /srv/{share}/file")
        copy = create(installed, share)
        run("sh", "-c", f"echo after >/srv/{share}/file")
        reading = ["smbclient", f"//nas/{copy.share}", "-U", f"backup%{PASSWORD}", "-c"]
        assert "before" in run(*reading, "get file -").stdout
        deletion = f"fss_delete {share} {copy.set_id} {copy.copy_id}"
        run(*SIGNED, "-c", deletion)
    assert sets(installed) == []
    doctor = run("fsrvpctl", "doctor", "-U", f"backup%{PASSWORD}", check=False)
    assert doctor.returncode == 0, doctor.stdout
    assert "was NOT read" not in doctor.stdout


def test_the_journal_has_the_fields_of_the_events_page(installed: Booted) -> None:
    [started, *_] = journal(installed, "FSRVPD_EVENT=started")
    assert started["FSRVPD_EVENT_ID"] == "100"
    assert started["PRIORITY"] == "5"
    assert started["SYSLOG_IDENTIFIER"] == "fsrvpd"
    installed.run("smbcontrol", "fsrvpd", "debug", "3")
    copy = create(installed, "data")
    [call] = journal(installed, "FSRVPD_METHOD=CommitShadowCopySet")
    assert call["FSRVPD_EVENT"] == "call"
    assert call["FSRVPD_SET"].strip("{}").lower() == copy.set_id
    assert call["FSRVPD_RESULT"] == "ZERO"
    assert call["FSRVPD_ACCOUNT"] == "NAS\\backup"
    assert call["FSRVPD_SID"].startswith("S-1-5-21-")
    assert float(call["FSRVPD_MS"]) > 0
    page = (ROOT / "docs/events.md").read_text()
    for entry in journal(installed):
        for key in entry:
            if key.startswith("FSRVPD_") and key not in ("FSRVPD_EVENT", "FSRVPD_EVENT_ID"):
                assert f"`{key[7:].lower()}`" in page, key
    assert PASSWORD not in installed.run("journalctl", "--all").stdout


def test_a_reload_is_all_or_nothing(installed: Booted) -> None:
    installed.run("systemctl", "reload", UNIT)
    conf = installed.run("cat", str(SMB_CONF)).stdout
    bad = conf.replace("[global]", "[global]\n    fsrvpd:max sets = many", 1)
    installed.run("tee", str(SMB_CONF), input=bad)
    refused = installed.run("systemctl", "reload", UNIT, check=False)
    assert refused.returncode != 0
    assert installed.active(UNIT)
    [entry] = journal(installed, "FSRVPD_EVENT=configuration-refused")
    assert "fsrvpd:max sets" in entry["MESSAGE"]
    installed.run("tee", str(SMB_CONF), input=conf)
    installed.run("systemctl", "reload", UNIT)


def test_a_killed_daemon_comes_back_with_its_sets(installed: Booted) -> None:
    before = sets(installed)
    assert len(before) == 1
    installed.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", UNIT)
    wait_until("the restart", lambda: installed.show(UNIT, "NRestarts") == "1")
    wait_until("fsrvpd serves again", lambda: installed.active(UNIT))
    assert sets(installed) == before
    created = create(installed, "vault")
    assert {str(s["set"]).strip("{}").lower() for s in sets(installed)} >= {created.set_id}


def test_an_upgrade_restarts_it_with_its_sets(installed: Booted) -> None:
    before, pid = sets(installed), installed.show(UNIT, "MainPID")
    installed.run("sh", "-c", "dpkg -i /packages/fsrvpd_*.deb")
    assert installed.active(UNIT)
    assert installed.show(UNIT, "MainPID") != pid
    assert sets(installed) == before != []


def test_it_starts_after_smbd_and_stops_before(installed: Booted) -> None:
    installed.run("systemctl", "stop", "smbd", UNIT)
    installed.run("systemctl", "start", UNIT)
    assert installed.active("smbd")  # wanted by ours
    installed.run("systemctl", "isolate", "rescue.target")  # as at a shutdown
    wait_until("smbd has ended", lambda: not installed.active("smbd"))
    times = {
        (unit, name): int(installed.show(unit, f"{name}TimestampMonotonic"))
        for unit in ("smbd", UNIT)
        for name in ("ActiveEnter", "InactiveEnter")
    }
    assert times["smbd", "ActiveEnter"] < times[UNIT, "ActiveEnter"]
    assert times[UNIT, "InactiveEnter"] < times["smbd", "InactiveEnter"]
    assert installed.show(UNIT, "Result") == "success"
    [ended, *_] = journal(installed, "FSRVPD_EVENT=ended")
    assert ended["FSRVPD_EVENT_ID"] == "101"


def test_purged_under_systemd_it_leaves_no_unit(installed: Booted) -> None:
    installed.run("systemctl", "start", "smbd", UNIT)
    for copy_set in sets(installed):
        installed.run("fsrvpctl", "fsrvpd", "delete-set", str(copy_set["set"]))
    installed.run("apt-get", "-y", "purge", "fsrvpd")
    assert installed.show(UNIT, "LoadState") == "not-found"
    assert not re.search("registry shares", installed.run("cat", str(SMB_CONF)).stdout)
    assert installed.active("smbd")
