"""`fsrvpctl doctor` reports what is wrong and what to type, and makes a test copy."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from lab.samba import ADDRESS
from tests.interop.nas import TORTURE_SHARE, Nas

IPV6 = "fd00:9::9"


def examined(nas: Nas, *words: str) -> tuple[int, list[dict[str, Any]]]:
    done = nas.daemon.command("doctor", "--json", *words, check=False)
    return done.returncode, json.loads(done.stdout)


def test_a_sound_installation_passes_with_a_copy_read_over_smb(nas: Nas) -> None:
    secret = nas.lab.directory / "login"
    user = nas.samba.root
    secret.write_text(f"username = {user.name}\npassword = {user.password}\n")
    status, findings = examined(nas, "--share", TORTURE_SHARE, "-A", str(secret))
    assert status == 0, findings
    texts = [finding["text"] for finding in findings if finding["topic"] == "self-test"]
    assert texts[0] == f"share {TORTURE_SHARE} copied (btrfs)"
    assert texts[1].startswith("read on disk in ")
    assert re.match(rf"read over SMB from //127[.0-9]+/{TORTURE_SHARE}@{{", texts[2])
    assert texts[3] == "deleted, share and snapshot"
    assert "fsrvpd-self-test" not in nas.samba.smbclient(TORTURE_SHARE, "ls").stdout
    nas.assert_nothing_is_left()


@pytest.mark.parametrize(
    ("address", "port", "options", "where"),
    [
        ("127.0.0.9", 4450, {"smb ports": "4450"}, "//127.0.0.1/{}, port 4450"),
        (IPV6, 445, {"interfaces": f"{IPV6}/64", "bind interfaces only": "yes"}, f"//{IPV6}/{{}}"),
    ],
    ids=["another port", "IPv6 alone"],
)
def test_the_copy_is_read_where_smbd_listens(
    nas: Nas, address: str, port: int, options: dict[str, str], where: str
) -> None:
    nas.lab.run(["ip", "address", "replace", f"{IPV6}/64", "dev", "lo"])
    user = nas.samba.root
    usual = {"smb ports": "445", "interfaces": f"{ADDRESS}/8", "bind interfaces only": "no"}
    listen(nas, address, port, options)
    try:
        status, findings = examined(nas, "--share", TORTURE_SHARE, "-U", user.login)
    finally:
        listen(nas, ADDRESS, 445, usual)
    assert status == 0, findings
    texts = [finding["text"] for finding in findings if finding["topic"] == "self-test"]
    start, end = where.split("{}")
    assert texts[2].startswith(f"read over SMB from {start}{TORTURE_SHARE}@{{")
    assert f"}}{end}, also" in texts[2]
    assert f"{user.name} may request shadow copies" in [finding["text"] for finding in findings]


def listen(nas: Nas, address: str, port: int, options: dict[str, str]) -> None:
    """Have smbd listen there, as these options of [global] say."""
    nas.samba.stop()
    nas.samba.address, nas.samba.port = address, port
    for name, value in options.items():
        nas.samba.set_option(name, value)
    nas.samba.start()


def test_what_was_not_read_over_smb_is_said(nas: Nas) -> None:
    done = nas.daemon.command("doctor")
    assert "NOT read over SMB" in done.stdout
    assert "$ fsrvpctl doctor -U NAME" in done.stdout
    assert "share plain: no shadow copies" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("0 failed")
    assert max(map(len, done.stdout.splitlines())) <= 200
    nas.assert_nothing_is_left()


def test_every_failure_names_the_next_command(nas: Nas) -> None:
    directory = nas.samba.place("state directory") / "fsrvpd"
    nas.daemon.stop()
    nas.lab.run(["chmod", "0777", directory])
    nas.samba.set_option("registry shares", "no")
    try:
        status, findings = examined(nas)
    finally:
        nas.samba.set_option("registry shares", "yes")
        nas.lab.run(["chmod", "0700", directory])
        nas.daemon.start()
    assert status == 1
    failed = {f["topic"]: f["next_step"] for f in findings if f["severity"] == "fail"}
    assert failed["registry shares"] == "fsrvpctl setup"
    assert failed["fsrvpd"] == "systemctl enable --now fsrvpd"
    assert failed["directories"] == f"chown root {directory} && chmod 0700 {directory}"
    assert findings[-1]["text"] == "not run: fix the failures above first"


def test_a_share_that_cannot_be_copied_fails(nas: Nas) -> None:
    status, findings = examined(nas, "--share", "plain")
    assert status == 1
    assert findings[-1]["next_step"] == "fsrvpctl fsrvpd check-path plain"
