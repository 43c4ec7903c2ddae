"""`fsrvpctl doctor` tells what is wrong and what to type, and makes a copy for itself."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.interop.site import TORTURE_SHARE, Site


def examined(site: Site, *words: str) -> tuple[int, list[dict[str, Any]]]:
    done = site.daemon.command("doctor", "--json", *words, check=False)
    return done.returncode, json.loads(done.stdout)


def test_a_sound_installation_passes_with_a_copy_read_over_smb(site: Site) -> None:
    secret = site.lab.directory / "login"
    user = site.samba.root
    secret.write_text(f"username = {user.name}\npassword = {user.password}\n")
    status, findings = examined(site, "--share", TORTURE_SHARE, "-A", str(secret))
    assert status == 0, findings
    texts = [finding["text"] for finding in findings if finding["topic"] == "self-test"]
    assert texts[0] == f"share {TORTURE_SHARE} copied (btrfs)"
    assert texts[1].startswith("read on disk in ")
    assert re.match(rf"read over SMB from //127[.0-9]+/{TORTURE_SHARE}@{{", texts[2])
    assert texts[3] == "deleted, share and snapshot"
    assert "fsrvpd-self-test" not in site.samba.smbclient(TORTURE_SHARE, "ls").stdout
    site.assert_nothing_is_left()


def test_what_was_not_read_over_smb_is_said(site: Site) -> None:
    done = site.daemon.command("doctor")
    assert "NOT read over SMB" in done.stdout
    assert "$ fsrvpctl doctor -U NAME" in done.stdout
    assert "share plain: no shadow copies" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("0 failed")
    assert max(map(len, done.stdout.splitlines())) <= 200
    site.assert_nothing_is_left()


def test_every_failure_names_the_next_command(site: Site) -> None:
    directory = site.samba.place("state directory") / "fsrvpd"
    site.daemon.stop()
    site.lab.run(["chmod", "0777", directory])
    site.samba.set_option("registry shares", "no")
    try:
        status, findings = examined(site)
    finally:
        site.samba.set_option("registry shares", "yes")
        site.lab.run(["chmod", "0700", directory])
        site.daemon.start()
    assert status == 1
    failed = {f["topic"]: f["next_step"] for f in findings if f["grade"] == "fail"}
    assert failed["registry shares"] == "fsrvpctl setup"
    assert failed["fsrvpd"] == "systemctl enable --now fsrvpd"
    assert failed["directories"] == f"chown root {directory} && chmod 0700 {directory}"
    assert findings[-1]["text"] == "not tried: first mend what has failed"


def test_a_share_that_cannot_be_copied_fails(site: Site) -> None:
    status, findings = examined(site, "--share", "plain")
    assert status == 1
    assert findings[-1]["next_step"] == "fsrvpctl fsrvpd check-path plain"
