"""`fsrvpctl doctor` on a member: winbind, keys, the clock, and the users who may call."""

from __future__ import annotations

import json
from typing import Any

from lab.domain import CONTROLLER, CONTROLLER_ADDRESS, DOMAIN
from lab.namespaces import wait_until
from tests.ad.nas import Nas

Findings = dict[str, dict[str, Any]]


# Otherwise the kernel removes the network's other addresses together with the first.
KEEP_THE_OTHER = "/proc/sys/net/ipv4/conf/lab0/promote_secondaries"


def examined(nas: Nas, *before: str) -> Findings:
    """Return the last finding of each topic."""
    argv = [*before, nas.scripts / "fsrvpctl", "-s", nas.samba.conf, "doctor"]
    done = nas.lab.run([*argv, "--json", "--no-self-test"], check=False)
    return {finding["topic"]: finding for finding in json.loads(done.stdout)}


def test_a_sound_member_is_found_sound_and_its_copy_is_read_as_the_machine(nas: Nas) -> None:
    argv = [nas.scripts / "fsrvpctl", "-s", nas.samba.conf, "doctor"]
    done = nas.lab.run(argv, check=False)
    assert done.returncode == 0, done.stdout
    said = " ".join(done.stdout.split())
    assert "ok winbind: reaches a domain controller" in said
    assert f"ok Kerberos: keytab {nas.keytab}, with current key version" in said
    assert "ok clock: 0 s away from the domain controller's" in said
    assert "ok self-test: read over SMB from" in said
    assert "0 failed" in said


def test_winbind_down_is_a_failure(nas: Nas) -> None:
    nas.samba.stop_winbind()
    try:
        found = examined(nas)["winbind"]
    finally:
        nas.samba.start_winbind()
    assert found["severity"] == "fail"
    assert found["text"].startswith("not running")
    assert found["next_step"] == "systemctl enable --now winbind"
    assert examined(nas)["winbind"]["severity"] == "ok"


def test_a_controller_out_of_reach_is_a_failure(nas: Nas) -> None:
    """Its address is removed, so connections to it are refused at once."""
    address = [f"{CONTROLLER_ADDRESS}/24", "dev", "lab0"]
    nas.lab.run(["tee", KEEP_THE_OTHER], input="1")
    nas.lab.run(["ip", "address", "delete", *address])
    nas.lab.run(["ip", "route", "add", "unreachable", CONTROLLER_ADDRESS])
    try:
        found = examined(nas)
    finally:
        nas.lab.run(["ip", "route", "delete", CONTROLLER_ADDRESS])
        nas.lab.run(["ip", "address", "add", *address])
    assert found["winbind"]["severity"] == "fail"
    assert found["winbind"]["next_step"] == "wbinfo --ping-dc; net ads testjoin"
    assert found["Kerberos"]["severity"] == "warn"
    assert found["Kerberos"]["next_step"] == "net ads testjoin"
    wait_until("winbind is back", lambda: examined(nas)["winbind"]["severity"] == "ok", 60)


def test_a_keytab_that_is_missing_stale_or_damaged(nas: Nas) -> None:
    """The daemon is stopped: it exports a new keytab when the machine password changes."""
    path = nas.lab.seen(nas.keytab)
    nas.daemon.stop()
    try:
        nas.tool("net", "rpc", "changetrustpw", "--machine-pass", "-S", CONTROLLER)
        stale = examined(nas)["Kerberos"]
        path.write_bytes(path.read_bytes()[:-3])
        damaged = examined(nas)["Kerberos"]
        path.unlink()
        missing = examined(nas)["Kerberos"]
    finally:
        nas.daemon.start()
    assert examined(nas)["Kerberos"]["severity"] == "ok"
    assert missing["severity"] == "warn"
    assert missing["next_step"] == "net ads testjoin && systemctl restart fsrvpd"
    assert stale["severity"] == "fail"
    assert "is stale: its last key version is" in stale["text"]
    assert stale["next_step"] == "systemctl restart fsrvpd"
    assert damaged["severity"] == "fail"
    assert damaged["text"] == f"{nas.keytab}: the keytab is damaged"


def test_a_clock_that_differs_from_the_controllers(nas: Nas) -> None:
    minutes = {1: "warn", 2: "warn", 6: "fail"}
    for late, severity in minutes.items():
        found = examined(nas, "faketime", "-f", f"-{late}m")["clock"]
        assert found["severity"] == severity
        assert found["next_step"] == "timedatectl set-ntp true"
    assert "Kerberos refuses" in found["text"]


def test_who_may_call_is_named_with_the_domain(nas: Nas) -> None:
    nobody = examined(nas)["callers"]
    if nobody["severity"] == "warn":  # no earlier test has let anybody in
        assert nobody["next_step"] == f"net sam rights grant '{DOMAIN}\\backup' SeBackupPrivilege"
        assert "The domain's Backup Operators" in nobody["text"]
    nas.may_back_up(nas.ordinary_user)
    argv = [nas.scripts / "fsrvpctl", "-s", nas.samba.conf, "doctor", "--no-self-test"]
    said = " ".join(nas.lab.run(argv, check=False).stdout.split())
    _, _, members = said.partition("members of BUILTIN\\Backup Operators: ")
    assert f"{DOMAIN}\\{nas.ordinary_user.name}" in members
    nas.tool(
        "net", "sam", "delmem", "BUILTIN\\Backup Operators", f"{DOMAIN}\\{nas.ordinary_user.name}"
    )
