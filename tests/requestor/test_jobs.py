"""Jobs as examples/ has them, with the real programs: restic, borg, rclone, smbclient, a hook."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lab.namespaces import wait_until
from tests.paths import ROOT
from tests.requestor.command_host import Host, Server, open_host

EXAMPLES = ROOT / "examples"
Opened = tuple[Server, Host]
FILL = """
mkdir -p "$1/folder/empty"; echo one > "$1/folder/file"; head -c 3000000 /dev/urandom > "$1/large"
chmod -R 0777 "$1"
"""


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    """The host has the examples where their comments say."""
    with open_host() as (server, host):
        for name in ("data", "more"):
            host.lab.run(["sh", "-ec", FILL, "sh", server.directory(name)])
        hooks = host.directory / "hooks"
        hooks.mkdir()
        shutil.copy(EXAMPLES / "fsrvpshadow-hook", hooks)
        host.write_configuration(configuration(host.directory))
        yield server, host


@pytest.fixture(autouse=True)
def nothing_is_left(opened: Opened) -> Iterator[None]:
    yield
    server, host = opened
    server.assert_nothing_is_left()
    host.assert_no_state_is_left()


def configuration(directory: Path) -> str:
    """That of the examples, for the shares that there are."""
    text = (EXAMPLES / "fsrvpshadow.toml").read_text()
    return (
        text.replace(r"\\nas\home", r"\\nas\more")
        .replace("/etc/fsrvpshadow", str(directory / "fsrvpshadow"))
        .replace(f"{directory}/fsrvpshadow.credentials", str(directory / "credentials"))
        .replace(f"{directory}/fsrvpshadow.hooks", str(directory / "hooks"))
        .replace("/usr/local/sbin", str(EXAMPLES))
        .replace("/backup", str(directory / "backup"))
        .replace('# metrics = "/var/lib/prometheus/node-exporter"', f'metrics = "{directory}"')
    )


def run(host: Host, job: str, **environment: object) -> str:
    """What a job prints that must succeed."""
    words = ["env", *(f"{name}={value}" for name, value in environment.items())]
    argv = [*words, *host.argv("run", "-c", job)]
    done = host.lab.run(argv, check=False, environment=host.environment, timeout=120)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return f"{done.stdout}{done.stderr}"


def metrics(host: Host, job: str) -> dict[str, float]:
    text = (host.directory / f"fsrvpshadow-{job}.prom").read_text()
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples]
    assert {sample.labels["name"] for sample in samples} == {job}
    return {sample.name.replace("fsrvpshadow_", ""): sample.value for sample in samples}


def test_restic_finds_its_parent_and_forgets(opened: Opened) -> None:
    _, host = opened
    repository = host.directory / "restic"
    (host.directory / "restic.password").write_text("password\n")
    variables = {
        "RESTIC_REPOSITORY": repository,
        "RESTIC_PASSWORD_FILE": host.directory / "restic.password",
        "RESTIC_CACHE_DIR": host.directory / "cache",
    }
    first, second = run(host, "restic", **variables), run(host, "restic", **variables)
    assert re.search(r"Files: +4 new", first)
    assert re.search(r"Files: +0 new, +0 changed, +4 unmodified", second)
    assert "remove 1 snapshots" in second, "one of a day is kept"
    found = metrics(host, "restic")
    assert (found["exit_status"], found["copies"], found["left_out"]) == (0, 2, 0)
    assert found["last_success_timestamp_seconds"] == found["last_run_timestamp_seconds"]
    assert 0 < found["command_seconds"] < found["run_seconds"]
    assert 0 < found["window_seconds"] < 10


def test_borg_reads_nothing_twice(opened: Opened) -> None:
    _, host = opened
    variables = {
        "BORG_REPO": host.directory / "borg",
        "BORG_BASE_DIR": host.directory,
        "BORG_PASSPHRASE": "password",
    }
    run(host, "borg", **variables)
    second = run(host, "borg", **variables)
    [sizes] = re.findall(r"This archive: +([\d.]+) (\w+) .* ([\d.]+) (\w+)\n", second)
    assert sizes[1] == "MB"
    assert sizes[3] in ("B", "kB"), "only what describes the archive is new"


def test_rclone_transfers_what_has_changed(opened: Opened) -> None:
    server, host = opened
    variables = {"RCLONE_CONFIG": "/dev/null", "RCLONE_LOG_LEVEL": "INFO"}
    backup = host.directory / "backup" / "nas"
    first, second = run(host, "rclone", **variables), run(host, "rclone", **variables)
    assert re.search(r"Transferred: +2 / 2, 100%", first)
    assert "nothing to transfer" in second
    host.lab.run(["cmp", backup / "data" / "large", server.directory("data") / "large"])
    assert (backup / "data" / "folder" / "file").read_text() == "one\n"


def test_a_command_that_reads_over_smb_itself(opened: Opened) -> None:
    _, host = opened
    (host.directory / "backup").mkdir(exist_ok=True)
    run(host, "archive")
    listed = host.lab.run(["tar", "tf", host.directory / "backup" / "nas.tar"]).stdout.split()
    assert "./folder/file" in listed


def test_a_hook_holds_a_process_still(opened: Opened) -> None:
    """Of the job with applications the one writer that is here."""
    server, host = opened
    host.write_configuration(
        configuration(host.directory)
        .replace('writers = ["guests", "pg", "queue"]', 'writers = ["queue"]')
        .replace(r"'\\nas\vm', '\\nas\pg'", r"'\\nas\data'")
        .replace('run = ["restic", "backup", "."]', 'run = ["true"]')
    )
    queue = host.lab.popen(["sh", "-c", "sleep 600 & echo $! > /run/queue.pid; wait"])
    wait_until("it runs", lambda: state(host) == "S")
    with server.held_up("create"):
        running = host.start("run", "-c", "applications")
        server.wait_for_script("create")
        assert state(host) == "T"
    assert running.process.wait(60) == 0, running.said()
    assert state(host) == "S"
    queue.kill()
    host.write_configuration(configuration(host.directory))
    assert re.search(r"fsrvpshadow: writer queue thawed in [\d.]+ ms", running.said())
    assert "fsrvpshadow: writers held still for " in running.said()
    found = metrics(host, "applications")
    assert 0 < found["writer_held_seconds"] <= found["window_seconds"] < 5


def state(host: Host) -> str:
    """Of the process that the hook stops, as /proc has it: S sleeping, T stopped."""
    script = 'cut -d " " -f 3 "/proc/$(cat /run/queue.pid)/stat"'
    return host.lab.run(["sh", "-c", script], check=False).stdout.strip()
