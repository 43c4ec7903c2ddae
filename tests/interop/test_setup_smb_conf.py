"""`fsrvpctl setup` changes smb.conf as its admin would, or says why not and leaves it as it was."""

from __future__ import annotations

import subprocess
from typing import Iterator, NamedTuple

import pytest

from lab import Lab, Samba
from lab.daemon import SCRIPTS

ON = (
    "\t# fsrvpctl setup: shadow copy shares are made in Samba's registry\n\tregistry shares = yes\n"
)


class Host(NamedTuple):
    """A Samba that is configured but does not run, and has no agent that setup could move."""

    lab: Lab
    samba: Samba
    places: str  # the parameters for the lab's directories

    def write(self, text: str) -> bytes:
        """Make smb.conf, with the places where Samba keeps its files in [global]."""
        places = self.places.replace("\n", "\r\n" if "\r" in text else "\n")
        written = text.replace("PLACES", places).encode()
        self.samba.conf.write_bytes(written)
        return written

    def setup(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [SCRIPTS / "fsrvpctl", "-s", self.samba.conf, "setup", "--yes", *words]
        return self.lab.run(argv, check=False)

    def is_on(self) -> bool:
        argv = ["testparm", "-s", "--parameter-name=registry shares", self.samba.conf]
        return str(self.lab.run(argv).stdout).strip() == "Yes"

    def read(self) -> bytes:
        return self.samba.conf.read_bytes()

    def files(self) -> set[str]:
        return {path.name for path in self.samba.directory.iterdir()}


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with Lab() as lab:
        samba = Samba(lab, options={"registry shares": "no"})
        lab.run(["mount", "-t", "tmpfs", "none", "/usr/libexec/samba"])
        lines = samba.conf.read_text().splitlines()
        places = "\n".join(line for line in lines if " directory =" in line or " dir =" in line)
        yield Host(lab, samba, places)


@pytest.mark.parametrize(
    "text",
    [
        "# mine\n[global]\nPLACES\n[data]\n\tpath = /srv\n",
        "[ Globals ]\nPLACES\n",
        "# mine\r\n[global]\r\nPLACES\r\n\tworkgroup = X\r\n[data]\r\n\tpath = /srv\r\n",
        "[global]\nPLACES\n[data]\n\tpath = /srv\n[global]",
        "[global]\r\nPLACES\r\n[data]\r\n\tpath = /srv\r\n[global]",
        "[global]\nPLACES\n\tserver string = Büro \\\n\tunten\n[data]\n\tpath = /srv",
    ],
    ids=["plain", "globals", "crlf", "last line", "crlf last line", "no newline"],
)
def test_on_and_off_again(host: Host, text: str) -> None:
    before = host.write(text)
    done = host.setup()
    assert done.returncode == 0, done.stderr
    assert "done: add `registry shares = yes`" in done.stdout
    assert host.is_on()
    changed = host.read()
    assert len(changed.splitlines()) == len(before.splitlines()) + 2
    assert changed.count(b"\r") == (changed.count(b"\n") if b"\r" in before else 0)
    host.setup("--undo")
    assert host.read() == before


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[global]\n\tregistry shares = no\nPLACES\n", "see line 2, `registry shares = no`"),
        (
            "[global]\n[a]\n\tpath = /a\n[global]\n\tRegistryShares = 0\nPLACES\n",
            "see line 5, `registry shares = 0`",
        ),
        ("[global]\n\tinclude = {}/more.conf\nPLACES\n", "see line 2, `include = {}/more.conf`"),
    ],
    ids=["a later line", "a second [global]", "an include"],
)
def test_what_would_have_no_effect_is_not_done(host: Host, text: str, named: str) -> None:
    """setup names the line that decides instead, and changes nothing."""
    more = host.samba.directory / "more.conf"
    more.write_text("\tregistry shares = no\n")
    folder = str(host.samba.directory)
    before = host.write(text.replace("{}", folder))
    there = host.files()
    done = host.setup()
    assert done.returncode == 1
    assert "done" not in done.stdout
    assert "Samba would still read `registry shares = no`" in done.stderr
    assert named.replace("{}", folder) in done.stderr
    assert not host.is_on()
    assert (host.read(), host.files()) == (before, there)


@pytest.mark.parametrize(
    ("mounts", "why"),
    [
        ([["mount", "--bind", "CONF", "CONF"]], "Device or resource busy"),
        (
            [["mount", "--bind", "FOLDER", "FOLDER"], ["mount", "-o", "remount,bind,ro", "FOLDER"]],
            "Read-only file system",
        ),
    ],
    ids=["a bind mount", "read-only"],
)
def test_where_the_file_cannot_be_replaced_setup_says_what_to_do(
    host: Host, mounts: list[list[str]], why: str
) -> None:
    conf, folder = str(host.samba.conf), str(host.samba.directory)
    before, there = host.write("[global]\nPLACES\n"), host.files()
    try:
        for argv in mounts:
            host.lab.run([{"CONF": conf, "FOLDER": folder}.get(word, word) for word in argv])
        done = host.setup()
    finally:
        host.lab.run(["umount", mounts[0][-1].replace("CONF", conf).replace("FOLDER", folder)])
    assert done.returncode == 1
    assert done.stderr == (
        f"fsrvpctl: {conf}: cannot be replaced: {why}; with an editor, where the file can be"
        f" written, add `registry shares = yes` to [global] of {conf}\n"
    )
    assert (host.read(), host.files()) == (before, there)


def test_shares_of_the_admin_keep_registry_shares_on(host: Host) -> None:
    host.write("[global]\nPLACES\n")
    host.setup()
    host.samba.net("conf", "addshare", "theirs", "/srv")
    kept = host.read()
    done = host.setup("--undo")
    assert done.returncode == 0
    assert "registry shares: left on: theirs would no longer be served" in done.stdout
    assert host.read() == kept
    host.samba.net("conf", "delshare", "theirs")
    assert "done: remove `registry shares = yes`" in host.setup("--undo").stdout
    assert not host.is_on()
