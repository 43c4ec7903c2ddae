"""Options and configuration together."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsrvpd.requestor.ctl import configuration, settings
from fsrvpd.requestor.ctl.main import parse
from fsrvpd.requestor.errors import RequestorError

TOML = r"""
credentials = "/etc/file"
[job.nightly]
shares = ['\\nas\data']
run = ["restic"]
wait = 60
encrypt = true
writers = ["app"]
window = 5
mount = false
metrics = "/metrics"
[job.empty]
run = ["restic"]
[writer.app]
hooks = "/hooks"
[writer.other]
hooks = "/others"
"""


@pytest.fixture(autouse=True)
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "SYSTEM", tmp_path / "missing")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "fsrvpshadow.toml").write_text(TOML)


def read(*words: str) -> settings.Settings:
    return settings.read(parse(words))


def test_a_job_gives_what_the_command_line_does_not() -> None:
    found = read("run", "-c", "nightly")
    assert (found.shares, found.run) == (("\\\\nas\\data",), ("restic",))
    assert (found.job, found.wait, found.encrypt) == ("nightly", 60.0, True)
    assert found.credentials == "/etc/file"


def test_the_command_line_overrides_the_job() -> None:
    found = read("run", "-c", "nightly", "\\\\x\\y", "--wait", "0", "-A", "own", "--", "borg", "-x")
    assert (found.shares, found.run) == (("\\\\x\\y",), ("borg", "-x"))
    assert (found.wait, found.credentials) == (0.0, "own")


def test_what_holds_for_all_holds_without_a_job() -> None:
    found = read("list")
    assert (found.credentials, found.job, found.wait, found.shares) == ("/etc/file", "", None, ())
    assert (found.writers, found.window, found.mount) == ((), 10.0, True)


def test_writers_their_window_and_mounts() -> None:
    job = read("run", "-c", "nightly")
    assert [writer.name for writer in job.writers] == ["app"]
    assert (job.window, job.mount, job.metrics) == (5.0, False, "/metrics")
    line = ("--writer", "other", "--writer", "app", "--window", "2s", "--no-mount")
    found = read("run", *line)
    assert [writer.keys["hooks"] for writer in found.writers] == ["/others", "/hooks"]
    assert (found.window, found.mount) == (2.0, False)
    assert read("run", "-c", "nightly", *line).window == 2.0


@pytest.mark.parametrize("who", [["-k"], ["-U", "backup"]])
def test_who_logs_in_by_the_command_line_needs_no_file(who: list[str]) -> None:
    assert read(*who, "list").credentials is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-k", "list", "-U", "x"], "-A, -U and -k: each says who logs in; give one of them"),
        (["run", "-c", "nothing"], "job nothing: it is not in "),
        (["run", "--writer", "nothing"], "writer nothing: it is not in "),
    ],
)
def test_refusals(words: list[str], said: str) -> None:
    with pytest.raises(RequestorError) as refused:
        read(*words)
    assert str(refused.value).startswith(said)
    assert refused.value.exit_status == 2


def test_a_password_on_the_command_line_is_refused_and_not_repeated() -> None:
    with pytest.raises(RequestorError, match="can be read by every user") as refused:
        read("-U", "backup%Secret", "list")
    assert "Secret" not in str(refused.value)


def test_shares_are_needed() -> None:
    assert settings.need_shares(read("create", "\\\\x\\y")) == ("\\\\x\\y",)
    for words, said in ((("run",), "SHARE: none was given"), (("run", "-c", "empty"), "job empty")):
        with pytest.raises(RequestorError, match=said):
            settings.need_shares(read(*words))
