r"""The configuration: what is in it, and what is said about a mistake."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fsrvpd.requestor.ctl import configuration
from fsrvpd.requestor.ctl.configuration import Section, WrongConfiguration, parse
from fsrvpd.requestor.ctl.keys import KEYS, KEYS_OF_JOB

WHOLE = r"""
credentials = "/etc/fsrvpshadow.credentials"
wait = 60

[job.nightly]
shares = [
    '\\nas\data',
    '\\nas\home',
]
run = ["restic", "backup", "."]
wait = "15m"
encrypt = true
owners = ["node2.example.com"]
writers = ["pg"]
window = 5
mount = false
metrics = "/var/lib/metrics"

[job.weekly]
shares = ['\\nas\vm']

[writer.pg]
kind = "postgresql"
connect = "service=nas"
priority = 2

[writer.app]
freeze = ["/etc/app", "freeze"]
thaw = ["/etc/app", "thaw"]
required = false
timeout = "3s"
"""


def test_a_job_has_its_own_keys_and_those_of_all() -> None:
    found = parse(WHOLE, "x")
    assert found.job("nightly") == Section(
        credentials="/etc/fsrvpshadow.credentials",
        encrypt=True,
        wait=900.0,
        owners=("node2.example.com",),
        shares=("\\\\nas\\data", "\\\\nas\\home"),
        run=("restic", "backup", "."),
        writers=("pg",),
        window=5.0,
        mount=False,
        metrics="/var/lib/metrics",
    )
    assert found.job("weekly").wait == 60.0


def test_a_writer_has_the_keys_of_its_kind() -> None:
    found = parse(WHOLE, "x")
    pg, app = found.writer("pg"), found.writer("app")
    assert pg.kind == "postgresql"
    assert pg.keys == {"connect": "service=nas", "priority": 2}
    assert app.kind == "command", "the kind of a writer that has none"
    assert app.keys == {
        "freeze": ("/etc/app", "freeze"),
        "thaw": ("/etc/app", "thaw"),
        "required": False,
        "timeout": 3.0,
    }


def test_the_users_file_overrides_the_systems(tmp_path: Path) -> None:
    system, users = tmp_path / "system", tmp_path / "users"
    system.write_text(WHOLE)
    of_user = "wait = 5\n[job.weekly]\nshares = ['\\\\nas\\other']\n[writer.pg]\nhooks = '/h'\n"
    users.write_text(of_user)
    found = configuration.load([system, users, tmp_path / "missing"])
    assert found.common.wait == 5.0
    assert found.common.credentials == "/etc/fsrvpshadow.credentials"
    assert found.job("weekly").shares == ("\\\\nas\\other",)
    assert found.job("nightly").run == ("restic", "backup", ".")
    assert (found.writer("pg").kind, found.writer("app").kind) == ("command", "command")
    assert found.files == (str(system), str(users))


def test_places_follow_the_environment() -> None:
    system, users = configuration.places({"XDG_CONFIG_HOME": "/x"})
    assert (system, users) == (Path("/etc/fsrvpshadow.toml"), Path("/x/fsrvpshadow.toml"))


def test_an_unknown_job_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(WrongConfiguration) as refused:
        parse(WHOLE, "x").job("nighly")
    assert "there are: nightly, weekly" in str(refused.value)
    assert refused.value.exit_status == 2


def test_an_unknown_writer_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(WrongConfiguration) as refused:
        parse(WHOLE, "x").writer("pq")
    assert str(refused.value).startswith("writer pq: it is not in ")
    assert str(refused.value).endswith("there are: app, pg; add [writer.pq]")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (
            "[job.x]\nshares = ['a']\nwindw = 1\n",
            3,
            "unknown key `windw`; known in [job.x]: shares",
        ),
        (
            "# x\n\nshares = ['a']\n",
            3,
            "unknown key `shares`; known outside of [job.NAME] and [writer.NAME]: cred",
        ),
        ("job.x.windw = 1\n", 1, "unknown key `windw`"),
        ("job = {x = {shares = ['a'], windw = 1}}\n", 1, "unknown key `windw`"),
        ("[job.x]\n# y\nwindw = [\n 1,\n 2,\n]\n", 3, "unknown key `windw`"),
        ("wait = 'soon'\n", 1, "`wait` has another kind of value; write a time"),
        ("wait = true\n", 1, "write a time"),
        ("wait = -1\n", 1, "write a time"),
        ("encrypt = 'yes'\n", 1, "write true or false"),
        ("owners = 'x'\n", 1, "write a list of strings"),
        ('owners = ["a\\u0000b"]\n', 1, "write a list of strings"),
        ('credentials = "/a\\u0000b"\n', 1, "write the whole path"),
        ("owners = []\n", 1, "write a list of strings"),
        ("credentials = 'x'\n", 1, "write the whole path"),
        ("[job]\nx = 1\n", 2, "`x` is no section; write [job.x]"),
        ("job = 1\n", 1, "`job` is no section; write [job.NAME]"),
        ("writer = 1\n", 1, "`writer` is no section; write [writer.NAME]"),
        ("[writer]\nx = 1\n", 2, "`x` is no section; write [writer.x]"),
        ("[writer.x]\nkind = 'pg'\n", 2, "`kind` is unknown; write one of postgresql, mariadb"),
        ("[writer.x]\nkind = 1\n", 2, "`kind` is unknown"),
        ("[writer.x]\n\nconnect = 'y'\n", 3, "unknown key `connect`; known in [writer.x]: kind"),
        ("[writer.x]\n", 1, "of kind command needs `freeze` and `thaw`, or `hooks`"),
        ("[writer.x]\nfreeze = ['a']\n", 1, "needs `freeze` and `thaw`, or `hooks`"),
        ("[writer.x]\nfreeze = ['a']\nhooks = '/b'\n", 1, "needs `freeze` and `thaw`, or `hooks`"),
        ("[writer.x]\nhooks = '/b'\ntimeout = 0\n", 3, "write a time that is longer than 0"),
        ("[writer.x]\nhooks = '/b'\npriority = true\n", 3, "write a number"),
        ("[writer.x]\nkind = 'fsfreeze'\nmountpoints = ['b']\n", 3, "write the whole path"),
        ("[writer.x]\nkind = 'postgresql'\nconnect = ''\n", 3, "write a string"),
        ("window = 0\n", 1, "write a time that is longer than 0"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(WrongConfiguration) as refused:
        parse(text, "/etc/x.toml")
    assert str(refused.value).startswith(f"/etc/x.toml, line {line}: ")
    assert said in str(refused.value)
    assert refused.value.exit_status == 2


def test_every_key_is_known_where_it_is_refused() -> None:
    with pytest.raises(WrongConfiguration) as refused:
        parse("[job.x]\nnothing = 1\n", "x")
    assert refused.value.next_step == (
        f"known in [job.x]: {', '.join(key.name for key in KEYS_OF_JOB)}"
    )
    assert {key.name for key in KEYS} < {key.name for key in KEYS_OF_JOB} == set(Section._fields)


def test_what_is_no_toml_is_refused_with_its_line() -> None:
    with pytest.raises(WrongConfiguration, match=r"x: it is not TOML: .*line 2"):
        parse("wait = 1\nwait = \n", "x")


@pytest.mark.parametrize("value", ["[" * 5000, "9" * 5000, "1979-99-99"])
def test_what_tomllib_trips_over_is_no_toml(value: str) -> None:
    with pytest.raises(WrongConfiguration, match="x: it is not TOML: "):
        parse(f"wait = {value}\n", "x")


def test_a_file_of_any_size_is_not_read(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_text("#" * (configuration.MOST_CHARACTERS + 1))
    with pytest.raises(WrongConfiguration, match="it is too large"):
        configuration.load([large])


def test_a_file_that_others_may_write_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names commands, which root may run."""
    file, fifo = tmp_path / "file", tmp_path / "fifo"
    file.write_text("wait = 1\n")
    os.mkfifo(fifo)
    file.chmod(0o666)
    for path, cause in ((file, "everybody may write to it; chmod o-w"), (fifo, "it is not a file")):
        with pytest.raises(WrongConfiguration, match=cause):
            configuration.load([path])
    file.chmod(0o644)
    assert configuration.load([file]).common.wait == 1.0
    of_another = os.stat_result((0o100644, 0, 0, 1, os.geteuid() + 1, 0, 0, 0, 0, 0))
    monkeypatch.setattr(os, "fstat", lambda file: of_another)
    with pytest.raises(WrongConfiguration, match="it belongs to another user; chown"):
        configuration.load([file])


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    latin = tmp_path / "latin"
    latin.write_bytes(b"# \xe4\n")
    for path, cause in ((latin, "not UTF-8"), (tmp_path, "Is a directory")):
        with pytest.raises(WrongConfiguration, match=f"{path}: .*{cause}"):
            configuration.load([path])
