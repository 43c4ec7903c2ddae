"""`fsrvpctl set-option` and `unset-option` change an option where Samba reads it, or say on one
line why not and change nothing. Samba is a real one that does not run, unless fsrvpd is needed."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any, Iterator, NamedTuple

import pytest

from lab import Lab, Samba
from lab.daemon import SCRIPTS
from tests.interop.nas import Nas

SHARE = "in the registry"
CONF = """# of the admin
[global]
PLACES
    fsrvp:keep last = 3

; the share
[data]
    path = /srv
    comment = Büro \\
        unten
"""


class Host(NamedTuple):
    lab: Lab
    samba: Samba
    places: str  # the parameters for the lab's directories

    def write(self, text: str) -> str:
        written = text.replace("PLACES", self.places).replace("{}", str(self.samba.directory))
        self.samba.conf.write_text(written)
        return written

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.lab.run([SCRIPTS / "fsrvpctl", "-s", self.samba.conf, *words], check=False)

    def done(self, *words: str) -> Any:
        at = next(number for number, word in enumerate(words) if word.endswith("-option")) + 1
        done = self.run(*words[:at], "--json", *words[at:])
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return json.loads(done.stdout)

    def refused(self, *words: str) -> str:
        """Why, on one line; smb.conf and its directory are as before."""
        before = self.state()
        done = self.run(*words)
        assert (done.returncode, done.stdout) == (1, "")
        assert self.state() == before
        [line] = [each for each in done.stderr.splitlines() if not each.startswith("samba: ")]
        assert line.startswith("fsrvpctl: ")
        return line[len("fsrvpctl: ") :]

    def printed(self, section: str, name: str) -> str:
        """As testparm prints it."""
        argv = ["testparm", "-s", f"--section-name={section}", f"--parameter-name={name}"]
        return str(self.lab.run([*argv, self.samba.conf]).stdout).strip()

    def read(self) -> str:
        return self.samba.conf.read_text()

    def state(self) -> tuple[bytes, set[str]]:
        return self.samba.conf.read_bytes(), {path.name for path in self.samba.directory.iterdir()}


@pytest.fixture(scope="module")
def lab_host() -> Iterator[Host]:
    with Lab() as lab:
        samba = Samba(lab)
        lines = samba.conf.read_text().splitlines()
        places = "\n".join(line for line in lines if " directory =" in line or " dir =" in line)
        samba.net("conf", "addshare", SHARE, "/srv")
        yield Host(lab, samba, f"{places}\n\tregistry shares = yes")


@pytest.fixture
def host(lab_host: Host) -> Host:
    lab_host.write(CONF)
    return lab_host


def test_an_option_of_a_share_comes_and_goes(host: Host) -> None:
    before = host.read()
    answer = host.done("set-option", "--share", "DATA", "fsrvp:Keep", "yes")
    assert host.read() == before + "    fsrvp:keep = yes\n"
    assert host.printed("data", "fsrvp:keep") == "yes"
    assert answer == {
        "option": "fsrvp:keep",
        "share": "data",
        "file": str(host.samba.conf),
        "before": None,
        "after": "yes",
        "effective": "yes",
        "default": "no",
        "changed": True,
        "dry_run": False,
        "change": answer["change"],
        "daemon": "not-running",
        "needs_restart": False,
        "warnings": answer["warnings"],
    }
    assert "+    fsrvp:keep = yes" in answer["change"]
    assert not host.done("set-option", "--share", "data", "fsrvp:keep", "yes")["changed"]
    assert host.done("set-option", "--share", "data", "fsrvp:keep", "no")["before"] == "yes"
    answer = host.done("unset-option", "--share", "data", "fsrvp:keep")
    assert (answer["before"], answer["after"], answer["changed"]) == ("no", None, True)
    assert host.read() == before
    assert not host.done("unset-option", "--share", "data", "fsrvp:keep")["changed"]


def test_an_option_of_the_server(host: Host) -> None:
    before = host.read()
    host.done("set-option", "fsrvpd:max sets", "5")
    assert host.read() == before.replace("= 3\n", "= 3\n    fsrvpd:max sets = 5\n")
    assert host.printed("global", "fsrvpd:max sets") == "5"
    host.done("unset-option", "fsrvpd:max sets")
    assert host.read() == before
    assert host.done("set-option", "fsrvp:keep last", "4")["before"] == "3"
    assert host.read() == before.replace("last = 3", "last = 4")
    answer = host.done("unset-option", "--share", "data", "fsrvp:keep last")
    assert (answer["changed"], answer["effective"]) == (False, "4")


def test_an_option_of_a_share_in_the_registry(host: Host) -> None:
    share = SHARE
    dry = host.done("set-option", "-n", "--share", share, "--", "fsrvp:include", "-x/*.vhdx/")
    assert dry["change"] == [
        f"net --configfile={host.samba.conf} conf setparm -- '{share}' fsrvp:include '-x/*.vhdx/'"
    ]
    assert "include" not in host.samba.net("conf", "showshare", share).stdout
    host.samba.net("conf", "setparm", share, "fsrvp: Include", "other")
    answer = host.done("set-option", "--share", share, "--", "fsrvp:include", "-x/*.vhdx/")
    assert (answer["file"], answer["before"], answer["effective"]) == (None, "other", "-x/*.vhdx/")
    shown = host.samba.net("conf", "showshare", share).stdout
    assert [line for line in shown.splitlines() if "include" in line.lower()] == [
        "\tfsrvp:include = -x/*.vhdx/"
    ]
    assert host.printed(share, "fsrvp:include") == "-x/*.vhdx/"
    host.done("unset-option", "--share", share, "fsrvp:include")
    assert "include" not in host.samba.net("conf", "showshare", share).stdout
    assert host.read() == host.write(CONF)


def test_a_share_in_the_registry_and_in_smb_conf(host: Host) -> None:
    """Samba reads the registry last."""
    before = host.write(CONF.replace("[data]", f"[{SHARE}]"))
    assert host.done("set-option", "--share", SHARE, "fsrvp:keep", "yes")["file"] is None
    assert host.done("unset-option", "--share", SHARE, "fsrvp:keep")["effective"] == "no"
    assert host.read() == before


def test_what_is_not_read_is_undone_in_the_registry(host: Host) -> None:
    more = host.samba.directory / "more.conf"
    more.write_text("\tfsrvp:keep = no\n")
    host.samba.net("conf", "setincludes", SHARE, str(more))
    before = host.samba.net("conf", "showshare", SHARE).stdout
    try:
        assert host.refused("set-option", "--share", SHARE, "fsrvp:keep", "yes") == (
            f"[{SHARE}] of Samba's registry: left as it was: fsrvpd would read `fsrvp:keep = no`;"
            " look for it with `testparm -s`, and in options of the command line"
        )
        assert host.samba.net("conf", "showshare", SHARE).stdout == before
    finally:
        host.samba.net("conf", "delincludes", SHARE)


def test_globals_of_the_registry(host: Host) -> None:
    host.write(CONF.replace("    fsrvp:keep last", "    include = registry\n    fsrvp:keep last"))
    assert host.done("set-option", "fsrvpd:max sets", "5")["file"] is not None
    host.samba.net("conf", "setparm", "global", "fsrvpd:max sets", "6")
    try:
        assert host.done("set-option", "fsrvpd:max sets", "7")["file"] is None
        assert "fsrvpd:max sets = 7" in host.samba.net("conf", "showshare", "global").stdout
        assert host.done("unset-option", "fsrvpd:max sets")["effective"] == "5"
    finally:
        host.write(CONF)
        host.samba.net("conf", "delparm", "global", "fsrvpd:max sets", check=False)


def test_only_the_registry(host: Host) -> None:
    before = host.write("[global]\n\tconfig backend = registry\n")
    places = [line.strip().replace(" = ", "=") for line in host.places.splitlines()]
    options = [f"--option={place}" for place in places]  # which the registry does not take
    try:
        answer = host.done(*options, "set-option", "fsrvpd:max sets", "5")
        assert (answer["file"], answer["effective"]) == (None, "5")
        assert host.read() == before
    finally:
        host.write(CONF)
        assert "max sets = 5" in host.samba.net("conf", "showshare", "global").stdout
        host.samba.net("conf", "delparm", "global", "fsrvpd:max sets")


def test_a_dry_run_prints_the_change(host: Host) -> None:
    before = host.state()
    done = host.run("set-option", "--dry-run", "--share", "data", "fsrvp:keep", "yes")
    assert host.state() == before
    assert done.stdout == (
        f"--- {host.samba.conf}\n+++ {host.samba.conf}\n"
        + done.stdout[done.stdout.index("@@") : done.stdout.index("+    fsrvp")]
        + "+    fsrvp:keep = yes\n \nnothing is changed (--dry-run)\n"
    )
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("fsrvpd:max set", "5"), "fsrvpd:max set: no such option; did you mean fsrvpd:max sets"),
        (("workgroup", "X"), "workgroup: no such option; fsrvpd.conf-options(5) lists them"),
        (("fsrvpd:max sets", "many"), "fsrvpd:max sets = many: want a whole number, zero or more"),
        (("fsrvp:keep", "a\nb"), "fsrvp:keep = 'a\\nb': want one line, without control characters"),
        (("fsrvp:provider", "brtfs"), "there is no provider brtfs; fsrvp:provider can be auto,"),
        (("fsrvp:create command", "/x 'a  b'"), "Samba would not read it as it is written"),
        (
            ("--share", "data", "fsrvpd:max sets", "5"),
            "fsrvpd:max sets: is an option of the server, not of a share; leave --share out",
        ),
        (("--share", "dat", "fsrvp:keep", "yes"), "there is no share 'dat'"),
        (("--share", "dat", "fsrvp:keep", "yes"), "did you mean data?"),
        (("--share", "in registry", "fsrvp:keep", "yes"), "did you mean in the registry?"),
        (("--share", "global", "fsrvp:keep", "yes"), "'global' is no share; leave --share out"),
    ],
)
def test_what_cannot_be_is_said(host: Host, words: tuple[str, ...], why: str) -> None:
    assert why in host.refused("set-option", *words)


@pytest.mark.parametrize(
    ("text", "words", "why"),
    [
        (
            "[global]\nPLACES\n\tinclude = {}/more.conf\n[x]\n\tpath = /\n",
            ("--share", "data", "fsrvp:keep", "yes"),
            "share data: not changed, because its section is in {}/more.conf, line 2, which"
            " smb.conf includes; write fsrvp:keep there with an editor",
        ),
        (
            "[global]\nPLACES\n[x]\n\tpath = /\n\tinclude = {}/more.conf\n",
            ("--share", "x", "fsrvp:keep", "yes"),
            "{}/smb.conf: not changed, because Samba would still read `fsrvp:keep = no`: change it"
            " in {}/more.conf, line 1, with an editor",
        ),
        (
            "[global]\nPLACES\n\tinclude = {}/more.conf\n[x]\n\tpath = /\n",
            ("fsrvp:keep", "yes"),
            "change it in {}/more.conf, line 1, with an editor",
        ),
        (
            "[global]\nPLACES\n\tinclude = {}/%m.conf\n[x]\n\tpath = /\n",
            ("--share", "of a client", "fsrvp:keep", "yes"),
            "there is no share 'of a client' in Samba's configuration; `testparm -s` lists them. A"
            " share that only `include = {}/%m.conf` ({}/smb.conf, line 9) defines for"
            " some clients can have no copies.",
        ),
        (
            "[global]\nPLACES\n[x]\n\tpath = /\n\tinclude = {}/%U.conf\n",
            ("--share", "x", "fsrvp:keep", "yes"),
            "share x: not changed: its definition may be another one for each client ({}/smb.conf,"
            " line 11: `include = {}/%U.conf`)",
        ),
    ],
    ids=["a share", "its option", "of all", "a client's share", "a client's option"],
)
def test_what_an_include_decides_is_said_with_file_and_line(
    host: Host, text: str, words: tuple[str, ...], why: str
) -> None:
    folder = str(host.samba.directory)
    (host.samba.directory / "more.conf").write_text("\tfsrvp:keep = no\n[data]\n\tpath = /srv\n")
    host.write(text)
    assert why.replace("{}", folder) in host.refused("set-option", *words)


def test_what_an_include_says_is_not_unset(host: Host) -> None:
    more = host.samba.directory / "more.conf"
    more.write_text("\tfsrvp:keep = no\n")
    host.write("[global]\nPLACES\n[x]\n\tfsrvp:keep = yes\n\tpath = /\n\tinclude = {}/more.conf\n")
    for _ in range(2):
        why = host.refused("unset-option", "--share", "x", "fsrvp:keep")
        assert f"change it in {more}, line 1, with an editor" in why
        host.write("[global]\nPLACES\n[x]\n\tpath = /\n\tinclude = {}/more.conf\n")


def test_a_copied_section(host: Host) -> None:
    host.write(CONF + "[x]\n\tpath = /\n\tcopy = data\n")
    host.done("set-option", "--share", "data", "fsrvp:keep", "yes")
    assert host.printed("x", "fsrvp:keep") == "yes"
    why = host.refused("unset-option", "--share", "x", "fsrvp:keep")
    assert "it may come from `copy = data`" in why


def test_a_usershare_and_a_copy_are_their_owners(host: Host) -> None:
    directory = host.samba.directory / "usershares"
    directory.mkdir(exist_ok=True)
    directory.chmod(0o1770)
    (directory / "mine").write_text("#VERSION 2\npath=/srv\nusershare_acl=S-1-1-0:F\n")
    users = f"    usershare path = {directory}\n    usershare max shares = 9\n"
    host.write(CONF.replace("    fsrvp:keep last", users + "    fsrvp:keep last"))
    why = host.refused("set-option", "--share", "mine", "fsrvp:keep", "yes")
    assert "share mine: not changed: it is a usershare (`net usershare info mine`)" in why
    copy = "data@{0E5C6C3B-8F0B-4C39-9D1C-3B1E0A6A5D11}"
    host.samba.net("conf", "addshare", copy, "/srv")
    host.samba.net("conf", "setparm", copy, "fsrvp:shadow copy", "{0E5C6C3B}")
    try:
        why = host.refused("set-option", "--share", copy, "fsrvp:keep", "yes")
        assert "is a shadow copy, whose options are those of its share; name that" in why
    finally:
        host.samba.net("conf", "delshare", copy)


def test_a_link_is_followed_and_stays(host: Host) -> None:
    conf, real = host.samba.conf, host.samba.directory / "real.conf"
    os.rename(conf, real)
    real.chmod(0o640)
    os.setxattr(real, "user.note", b"mine")
    conf.symlink_to(real)
    try:
        host.done("set-option", "--share", "data", "fsrvp:keep", "yes")
        assert conf.is_symlink()
        assert "fsrvp:keep = yes" in real.read_text()
        assert real.stat().st_mode & 0o777 == 0o640
        assert os.getxattr(real, "user.note") == b"mine"
    finally:
        conf.unlink()
        real.unlink()


def test_not_where_a_user_could_lead_it_elsewhere(host: Host) -> None:
    host.samba.directory.chmod(0o775)
    try:
        why = host.refused("set-option", "--share", "data", "fsrvp:keep", "yes")
        assert f"others than root can rename what is in {host.samba.directory}" in why
    finally:
        host.samba.directory.chmod(0o755)


def test_a_read_only_file_system(host: Host) -> None:
    folder = host.lab.directory / "read-only"
    folder.mkdir()
    conf = folder / "smb.conf"
    conf.write_text(host.read())
    host.lab.run(["mount", "--bind", folder, folder])
    host.lab.run(["mount", "-o", "remount,bind,ro", folder])
    argv = [SCRIPTS / "fsrvpctl", "-s", conf, "set-option", "--share", "data", "fsrvp:keep", "yes"]
    try:
        done = host.lab.run(argv, check=False)
        assert host.lab.run([*argv, "--dry-run"]).returncode == 0
    finally:
        host.lab.run(["umount", folder])
    assert done.returncode == 1
    assert done.stderr == (
        f"fsrvpctl: {conf}: cannot be replaced: Read-only file system; with an editor, where the"
        f" file can be written, write `fsrvp:keep = yes` into [data] of {conf}\n"
    )


def test_a_line_that_would_end_a_share_is_not_written(host: Host) -> None:
    """Behind an include another section goes on, for which an option would count."""
    (host.samba.directory / "more.conf").write_text("[other]\n\tpath = /\n")
    before = host.write(CONF + "[x]\n\tpath = /\n\tinclude = {}/more.conf\n\tcomment = y\n")
    host.done("set-option", "--share", "x", "fsrvp:keep", "yes")
    assert host.read() == before.replace("path = /\n", "path = /\n\tfsrvp:keep = yes\n")
    assert host.printed("x", "fsrvp:keep") == "yes"


def test_several_at_a_time_lose_nothing(host: Host) -> None:
    """One that another was faster than tries again."""
    names = ["fsrvpd:max sets", "fsrvpd:max sets per client", "fsrvpd:min free space"]
    argv = [SCRIPTS / "fsrvpctl", "-s", host.samba.conf, "set-option"]
    outputs = [host.lab.directory / f"at-a-time-{number}" for number in range(len(names))]
    processes = [
        host.lab.popen([*argv, name, "7"], output=output) for name, output in zip(names, outputs)
    ]
    statuses = [process.wait() for process in processes]
    assert statuses == [0, 0, 0], [output.read_text() for output in outputs]
    assert [name for name in names if f"{name} = 7\n" not in host.read()] == []
    assert [*host.samba.directory.glob(".smb.conf*")] == []


def test_a_broken_smb_conf_is_named(host: Host) -> None:
    host.write(CONF + "[broken\n")
    assert "the section `[broken` has no closing bracket" in host.refused(
        "set-option", "--share", "data", "fsrvp:keep", "yes"
    )


def test_a_running_daemon_takes_it_at_once(nas: Nas) -> None:
    nas.samba.net("conf", "addshare", "theirs", str(nas.volumes["projects"]))
    for share in ("deep", "theirs"):
        assert nas.daemon.ask("check-path", share)["supported"]
        words = ("--share", share, "fsrvp:enabled", "--json")
        done = nas.daemon.command("set-option", *words, "no")
        answer = json.loads(done.stdout)
        assert answer["daemon"] == "reloaded"
        assert [f"share {share}" in each for each in answer["warnings"]] in ([], [True])
        assert not nas.daemon.ask("check-path", share)["supported"]
        answer = json.loads(nas.daemon.command("unset-option", *words).stdout)
        assert (answer["daemon"], answer["effective"]) == ("reloaded", "yes")
        assert nas.daemon.ask("check-path", share)["supported"]
    nas.samba.net("conf", "delshare", "theirs")


def test_what_needs_a_restart_is_said(nas: Nas) -> None:
    done = nas.daemon.command("set-option", "fsrvpd:serve pipe", "no")
    assert "takes effect when fsrvpd is restarted: systemctl restart fsrvpd" in done.stdout
    done = nas.daemon.command("unset-option", "fsrvpd:serve pipe")
    assert "fsrvpd has reloaded its configuration" in done.stdout


def test_what_the_daemon_refuses_for_another_reason_is_said(nas: Nas) -> None:
    nas.samba.set_option("fsrvpd:max sets", "many")
    try:
        done = nas.daemon.command("set-option", "fsrvpd:max sets per client", "5", check=False)
        assert done.returncode == 1
        assert "written, but fsrvpd goes on with what it had: " in done.stdout
        assert "fsrvpd:max sets = many" in done.stdout
    finally:
        nas.samba.set_option("fsrvpd:max sets", None)
        nas.daemon.ctl("reload-config")
