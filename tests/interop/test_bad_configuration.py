"""A line of smb.conf for which Samba refuses the file: whatever reads it names file and line, and
what to type. Once the line is mended, everything works again."""

from __future__ import annotations

import re
from typing import Iterator, NamedTuple

import pytest

from fsrvpd.core.messages import Opnum
from lab import FsrvpdProcess
from lab.namespaces import LabError, wait_until
from tests.interop.nas import Nas
from tests.interop.raw_agent import RawAgent, wide

SHARE = "deep"
COMMANDS = (
    ("doctor",),
    ("setup", "--dry-run"),
    ("share-config", SHARE),
    ("fsrvpd", "ping"),
)


class Bad(NamedTuple):
    """`text` is appended to smb.conf; its `line` of it is wrong, and `fault` says so."""

    name: str
    text: str
    line: int
    fault: str


BAD = [
    Bad("bracket", "[broken\n\tpath = /\n", 1, "the section `[broken` has no closing bracket"),
    Bad("no-name", "[broken]\n\tpath = /\n\t= x\n", 3, "nothing is before the equals sign"),
    Bad(
        "boolean",
        "[broken]\n\tread only = maybe\n",
        2,
        "Samba does not take `read only = maybe` (value is not boolean!)",
    ),
    Bad("word", "[broken]\n\tcsc policy = no\n", 2, "Samba does not take `csc policy = no` (WARN"),
    Bad("mode", "[broken]\n\tcreate mask = rw\n", 2, "Samba does not take `create mask = rw` (Inv"),
    Bad("copy", "[broken]\n\tcopy = nobody\n", 2, "no section [nobody] is before this line"),
    Bad("itself", "[broken]\n\tpath = /\n\tinclude = {conf}\n", 3, "includes itself; remove"),
]


BOTH_KINDS = pytest.mark.parametrize(
    "message", [bad for bad in BAD if bad.name in ("boolean", "itself")], indirect=True, ids=str
)


@pytest.fixture(params=BAD, ids=lambda bad: bad.name)
def message(nas: Nas, request: pytest.FixtureRequest) -> Iterator[str]:
    """smb.conf has a bad line: what is said about it."""
    bad, conf = request.param, nas.samba.conf
    good = conf.read_text()
    line = len(good.splitlines()) + bad.line
    conf.write_text(good + bad.text.format(conf=conf))
    yield rf"Samba cannot read {conf}: {conf}, line {line}: .*{re.escape(bad.fault)}.*`testparm"
    conf.write_text(good)
    nas.daemon.ctl("reload-config")


def flat(text: str) -> str:
    return " ".join(text.split())


def test_check_config_names_the_line(nas: Nas, message: str) -> None:
    said = nas.daemon.command("check-config", check=False)
    assert said.returncode == 1
    assert re.search(message, flat(said.stderr))


@BOTH_KINDS
def test_whatever_reads_it_names_the_line(nas: Nas, message: str) -> None:
    for command in COMMANDS:
        said = nas.daemon.command(*command, check=False)
        assert said.returncode == 1, command
        assert re.search(message, flat(said.stdout + said.stderr)), (command, said)
        assert "SBC_ERR" not in said.stdout + said.stderr


@BOTH_KINDS
def test_a_reload_is_refused_and_a_start_fails(nas: Nas, message: str) -> None:
    pid = nas.lab.seen(nas.samba.place("pid directory") / "fsrvpd.pid").read_text().strip()
    nas.lab.run(["kill", "-HUP", pid])
    refused = re.compile(f"configuration-refused.*{message}")
    wait_until("the reload is refused", lambda: refused.search(nas.daemon.tail(3)) is not None)
    another = FsrvpdProcess(nas.lab, nas.samba)
    another.log = nas.lab.directory / "log.another"
    with pytest.raises(LabError):
        another.start()
    assert re.search(message, flat(another.read_log()))


@BOTH_KINDS
def test_a_client_is_refused_with_the_reason(nas: Nas, message: str) -> None:
    with RawAgent(nas) as agent:
        unc = wide(agent.unc(SHARE))
        assert agent.result(Opnum.IsPathSupported, unc) != 0
        assert re.search(message, nas.daemon.tail(1))
        nas.samba.write_conf()
        assert agent.result(Opnum.IsPathSupported, unc) == 0


@BOTH_KINDS
def test_a_user_is_told_as_well(nas: Nas, message: str) -> None:
    """A member of the admin group, or one whose smbd runs `fsrvp-snap`."""
    as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    said = nas.lab.run([*as_user, *nas.daemon.fsrvpctl, "fsrvpd", "ping"], check=False)
    assert said.returncode == 1
    assert re.search(message, flat(said.stderr))


def test_two_files_that_include_each_other(nas: Nas) -> None:
    """The first include leads back, so the line is in the other file."""
    conf, other = nas.samba.conf, nas.lab.directory / "other.conf"
    good = conf.read_text()
    other.write_text(f"# back\ninclude = {conf}\n")
    conf.write_text(f"{good}[last]\n\tpath = /\n\tinclude = {other}\n")
    try:
        said = nas.daemon.command("check-config", check=False)
        assert said.returncode == 1
        fault = f"{other}, line 2: `include = {conf}` includes {conf}, which includes this file"
        assert f"Samba cannot read {conf}: {fault}; remove the line;" in flat(said.stderr)
        with RawAgent(nas) as agent:
            assert agent.result(Opnum.IsPathSupported, wide(agent.unc(SHARE))) != 0
            assert fault in nas.daemon.tail(1)
    finally:
        conf.write_text(good)
    with RawAgent(nas) as agent:
        assert agent.result(Opnum.IsPathSupported, wide(agent.unc(SHARE))) == 0
