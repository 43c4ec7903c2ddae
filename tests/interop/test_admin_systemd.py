"""A machine with systemd, Samba and a share, from README.md's three commands to shutdown.

The tests run in order on one system, as an admin's day does.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Iterator

import pytest

from lab.fss import ShadowCopy, exposed
from lab.namespaces import wait_until
from tests.interop.booted import Booted, open_booted
from tests.interop.debian import Packages

ROOT = Path(__file__).parents[2]
UNIT = "fsrvpd.service"
SMB_CONF = Path("/etc/samba/smb.conf")
XFS_SHARE = "[vault]\n    path = /srv/vault\n    read only = no\n"
PASSWORD = "secret-Passw0rd"
SIGNED = ["rpcclient", "ncacn_np:nas[sign]", "-U", f"backup%{PASSWORD}"]

JOB = r"""
credentials = "/etc/nas.credentials"
[job.nightly]
shares = ['\\127.0.0.1\data']
run = ["sh", "-c", 'ls "$FSRVPSHADOW_MOUNT_1" && echo "$FSRVPSHADOW_SHARE_1" >/root/seen']
"""


@pytest.fixture(scope="module")
def system(debian_packages: Packages) -> Iterator[Booted]:
    """Boot the machine without fsrvpd: smbd runs, with one share on btrfs and one on XFS."""
    with open_booted(debian_packages.directory) as booted:
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
    """Return the commands of README.md, without its comments on them."""
    section = (ROOT / "README.md").read_text().split("\n## Install\n")[1]
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


def readme_examples() -> list[str]:
    """Return the lines that README.md shows as typed, without its comments on them."""
    text = (ROOT / "README.md").read_text()
    return [line[2:].split("  #")[0].strip() for line in text.splitlines() if line[:2] == "$ "]


def test_the_readmes_examples_run_and_their_sets_survive(installed: Booted) -> None:
    """Ids are shortened in README.md, and stand for those that the lines before have printed."""
    installed.run(
        "sh", "-c", "echo text >/srv/data/report.docx && chmod 0644 /srv/data/report.docx"
    )
    said, shown = "", ("0E5C", "2B9D", "7c1d", "9fe2", "9FE2")
    for line in readme_examples():
        ids = dict.fromkeys(
            re.findall(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", said)
        )
        found = dict(zip(shown[:2] if "rpcclient" not in said else shown[2:], ids))
        found["9FE2"] = found.get("9fe2", "").upper()
        for short, whole in found.items():
            line = re.sub(rf"{short}[-0-9A-Fa-f…]*", whole, line)
        done = installed.run("sh", "-c", f"cd /root && PASSWD='{PASSWORD}' {line}", check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        assert "failed" not in done.stdout + done.stderr
        said = said + done.stdout if "fss_create_expose" not in line else f"rpcclient{done.stdout}"
        if "fss_recovery_complete" in line:
            other = create(installed, "data")  # of the same client: it ends no complete set
            assert "Recovered" in {str(each["status"]) for each in sets(installed)}
            installed.run(*SIGNED, "-c", f"fss_delete data {other.set_id} {other.copy_id}")
    assert installed.run("cat", "/root/report.docx").stdout == "text\n"
    assert sets(installed) == []


def test_the_example_of_a_timer_keeps_as_many_copies_as_the_options_say(installed: Booted) -> None:
    run, examples = installed.run, ROOT / "examples"
    for name, place in (
        ("keep-copies", "/usr/local/sbin"),
        ("fsrvpd-keep@.service", "/etc/systemd/system"),
        ("fsrvpd-keep@.timer", "/etc/systemd/system"),
    ):
        run("tee", f"{place}/{name}", input=(examples / name).read_text())
    run("chmod", "0755", "/usr/local/sbin/keep-copies")
    units = ["fsrvpd-keep@data.service", "fsrvpd-keep@data.timer"]
    verified = run("systemd-analyze", "verify", "--man=no", *units)
    assert verified.stdout + verified.stderr == ""
    conf = run("cat", str(SMB_CONF)).stdout
    run("tee", str(SMB_CONF), input=conf.replace("[global]", "[global]\n fsrvp:keep last = 2", 1))
    run("systemctl", "daemon-reload")
    run("systemctl", "start", units[1])
    assert installed.active(units[1])
    for _ in range(3):
        run("systemctl", "start", units[0])
    kept = json.loads(run("fsrvpctl", "fsrvpd", "list-kept", "--json").stdout)
    assert [each["wanted_by"] for each in kept] == [["newest", "last"], ["last"]]
    assert sets(installed) == []
    run("systemctl", "stop", units[1])
    run("tee", str(SMB_CONF), input=conf)
    run("fsrvpctl", "fsrvpd", "delete-kept", *(each["copy"] for each in kept))


def test_it_is_in_the_mount_namespace_of_smbd(installed: Booted) -> None:
    """Copies are mounts: with a namespace of its own smbd would not see them."""
    units = [UNIT, "smbd.service"]
    pids = [installed.show(unit, "MainPID") for unit in units]
    namespaces = {installed.run("readlink", f"/proc/{pid}/ns/mnt").stdout for pid in pids}
    assert len(namespaces) == 1


def test_the_unit_lets_special_files_be_cloned(installed: Booted) -> None:
    """The device controller permits that they are made, and not that they are opened."""
    run = installed.run
    run("sh", "-c", "cd /srv/vault && mknod tty c 5 0 && mknod disk b 8 0 && mkfifo pipe")
    run("sh", "-c", "cd /srv/vault && touch suid && chmod 4755 suid")
    listing = ["find", ".", "-maxdepth", "1", "-not", "-name", ".fsrvpd", "-printf", "%f %M %s\\n"]
    live = run("sh", "-c", 'cd /srv/vault && exec "$@"', "sh", *listing).stdout
    copy = create(installed, "vault")
    path = run("net", "conf", "getparm", copy.share, "path").stdout.strip()
    cloned = run("sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", path, *listing).stdout
    special = ("tty c", "disk b", "pipe p", "suid -rws")
    for start in special:
        [line] = [line for line in live.splitlines() if line.startswith(start)]
        assert line in cloned.splitlines()
    run(*SIGNED, "-c", f"fss_delete vault {copy.set_id} {copy.copy_id}")


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
    installed.run("sh", "-c", "dpkg -i /packages/python3-fsrvpd-core_*.deb /packages/fsrvpd_*.deb")
    assert installed.active(UNIT)
    assert installed.show(UNIT, "MainPID") != pid
    assert sets(installed) == before != []


def test_the_requestor_s_unit_runs_a_job(installed: Booted) -> None:
    installed.run("sh", "-c", "dpkg -i /packages/fsrvpshadow_*.deb")
    login = f"username = backup\npassword = {PASSWORD}\n"
    installed.run("sh", "-c", "umask 077; cat >/etc/nas.credentials", input=login)
    installed.run("tee", "/etc/fsrvpshadow.toml", input=JOB)
    # The lab's machine has few devices; on others modprobe@fuse.service sees to this one.
    installed.run("sh", "-c", "test -e /dev/fuse || mknod -m 0666 /dev/fuse c 10 229")
    job = "fsrvpshadow@nightly.service"
    started = installed.run("systemctl", "start", job, check=False)
    assert started.returncode == 0, installed.run("journalctl", "-o", "cat", "-u", job).stdout
    assert r"\data@{" in installed.run("cat", "/root/seen").stdout
    assert sets(installed) == []  # nor those that this client had left exposed
    installed.run("systemctl", "enable", "--now", "fsrvpshadow@nightly.timer")
    assert installed.active("fsrvpshadow@nightly.timer")


def test_it_starts_after_smbd_and_stops_before(installed: Booted) -> None:
    installed.run("systemctl", "stop", "smbd", UNIT)
    installed.run("systemctl", "start", UNIT)
    assert installed.active("smbd")  # fsrvpd.service has Wants=smbd.service
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
    [stopped, *_] = journal(installed, "FSRVPD_EVENT=stopped")
    assert stopped["FSRVPD_EVENT_ID"] == "101"


def test_purged_under_systemd_it_leaves_no_unit(installed: Booted) -> None:
    installed.run("systemctl", "start", "smbd", UNIT)
    for copy_set in sets(installed):
        installed.run("fsrvpctl", "fsrvpd", "delete-set", str(copy_set["set"]))
    installed.run("apt-get", "-y", "purge", "fsrvpd")
    assert installed.show(UNIT, "LoadState") == "not-found"
    assert not re.search("registry shares", installed.run("cat", str(SMB_CONF)).stdout)
    assert installed.active("smbd")
