"""`fsrvpctl doctor` on a member: what it says of winbind, keys, the clock and who may call."""

from __future__ import annotations

import json
from typing import Any

from tests.ad.site import Site
from tests.lab.domain import CONTROLLER, CONTROLLER_ADDRESS, DOMAIN
from tests.lab.namespaces import wait_until

Findings = dict[str, dict[str, Any]]


# Else the kernel takes away the other addresses of the network with the first.
KEEP_THE_OTHER = "/proc/sys/net/ipv4/conf/lab0/promote_secondaries"


def examined(site: Site, *before: str) -> Findings:
    """The findings by topic, the last of each."""
    argv = [*before, site.scripts / "fsrvpctl", "-s", site.samba.conf, "doctor"]
    done = site.lab.run([*argv, "--json", "--no-self-test"], check=False)
    return {finding["topic"]: finding for finding in json.loads(done.stdout)}


def test_a_sound_member_is_found_sound_and_its_copy_is_read_as_the_machine(site: Site) -> None:
    argv = [site.scripts / "fsrvpctl", "-s", site.samba.conf, "doctor"]
    done = site.lab.run(argv, check=False)
    assert done.returncode == 0, done.stdout
    said = " ".join(done.stdout.split())
    assert "ok winbind: reaches a domain controller" in said
    assert f"ok Kerberos: keytab {site.keytab}, with current key version" in said
    assert "ok clock: 0 s away from the domain controller's" in said
    assert "ok self-test: read over SMB from" in said
    assert "0 failed" in said


def test_winbind_down_is_a_failure(site: Site) -> None:
    site.samba.stop_winbind()
    try:
        found = examined(site)["winbind"]
    finally:
        site.samba.start_winbind()
    assert found["grade"] == "fail"
    assert found["text"].startswith("does not run")
    assert found["next_step"] == "systemctl enable --now winbind"
    assert examined(site)["winbind"]["grade"] == "good"


def test_a_controller_out_of_reach_is_a_failure(site: Site) -> None:
    """Its address is gone, and whatever goes there is refused at once."""
    address = [f"{CONTROLLER_ADDRESS}/24", "dev", "lab0"]
    site.lab.run(["tee", KEEP_THE_OTHER], input="1")
    site.lab.run(["ip", "address", "delete", *address])
    site.lab.run(["ip", "route", "add", "unreachable", CONTROLLER_ADDRESS])
    try:
        found = examined(site)
    finally:
        site.lab.run(["ip", "route", "delete", CONTROLLER_ADDRESS])
        site.lab.run(["ip", "address", "add", *address])
    assert found["winbind"]["grade"] == "fail"
    assert found["winbind"]["next_step"] == "wbinfo --ping-dc; net ads testjoin"
    assert found["Kerberos"]["grade"] == "warn"
    assert found["Kerberos"]["next_step"] == "net ads testjoin"
    wait_until("winbind is back", lambda: examined(site)["winbind"]["grade"] == "good", 60)


def test_a_keytab_that_is_missing_stale_or_damaged(site: Site) -> None:
    """Without the daemon, which exports another one as soon as the machine password changes."""
    path = site.lab.seen(site.keytab)
    site.daemon.stop()
    try:
        site.tool("net", "rpc", "changetrustpw", "--machine-pass", "-S", CONTROLLER)
        stale = examined(site)["Kerberos"]
        path.write_bytes(path.read_bytes()[:-3])
        damaged = examined(site)["Kerberos"]
        path.unlink()
        missing = examined(site)["Kerberos"]
    finally:
        site.daemon.start()
    assert examined(site)["Kerberos"]["grade"] == "good"
    assert missing["grade"] == "warn"
    assert missing["next_step"] == "net ads testjoin && systemctl restart fsrvpd"
    assert stale["grade"] == "fail"
    assert "is stale: it ends with key version" in stale["text"]
    assert stale["next_step"] == "systemctl restart fsrvpd"
    assert damaged["grade"] == "fail"
    assert damaged["text"] == f"{site.keytab}: the keytab is damaged"


def test_a_clock_that_differs_from_the_controllers(site: Site) -> None:
    minutes = {1: "warn", 2: "warn", 6: "fail"}
    for late, grade in minutes.items():
        found = examined(site, "faketime", "-f", f"-{late}m")["clock"]
        assert found["grade"] == grade
        assert found["next_step"] == "timedatectl set-ntp true"
    assert "Kerberos refuses" in found["text"]


def test_who_may_call_is_named_with_the_domain(site: Site) -> None:
    nobody = examined(site)["callers"]
    if nobody["grade"] == "warn":  # no other test has let anybody in
        assert nobody["next_step"] == f"net sam rights grant '{DOMAIN}\\backup' SeBackupPrivilege"
        assert "The domain's Backup Operators" in nobody["text"]
    site.may_back_up(site.clerk)
    argv = [site.scripts / "fsrvpctl", "-s", site.samba.conf, "doctor", "--no-self-test"]
    said = " ".join(site.lab.run(argv, check=False).stdout.split())
    _, _, members = said.partition("members of BUILTIN\\Backup Operators: ")
    assert f"{DOMAIN}\\{site.clerk.name}" in members
    site.tool("net", "sam", "delmem", "BUILTIN\\Backup Operators", f"{DOMAIN}\\{site.clerk.name}")
