"""Copies that cannot be whole, or are cut off: what is lacking is named and counted, the rest is
there, nothing is left on the server, and the next run goes on."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Iterator

import pytest

from lab import Share, User
from lab.namespaces import wait_until
from tests.paths import ROOT
from tests.requestor.command_host import HOST, Host, Running
from tests.requestor.windows_files import UNC, FileServer, open_file_server

Opened = tuple[FileServer, Host]
LARGE = 400 << 20
MOUNTS = "/proc/self/mounts"
OPERATOR = User("operator")  # may have shares copied, and is an ordinary user otherwise


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    with open_file_server(2 << 30) as (server, host):
        server.samba.add_user(OPERATOR.name)
        server.samba.net("sam", "rights", "grant", OPERATOR.name, "SeBackupPrivilege")
        server.client("mkdir large")
        with server.seen(r"large\file").open("wb") as large:
            for _ in range(LARGE >> 20):
                large.write(os.urandom(1 << 20))
        yield server, host


@pytest.fixture(autouse=True)
def nothing_is_left(opened: Opened) -> Iterator[None]:
    yield
    server, host = opened
    server.assert_nothing_is_left()
    host.assert_no_state_is_left()


def arrived(mirror: Path) -> int:
    """Bytes of the file that is being copied."""
    parts = mirror / ".fsrvpshadow" / "parts"
    files = list(parts.iterdir()) if parts.exists() else []
    return sum(file.stat().st_blocks * 512 for file in files)


def wait_for_bytes(running: Running, mirror: Path, count: int) -> None:
    wait_until(f"{count} bytes came", lambda: arrived(mirror) >= count)
    assert running.process.poll() is None, running.said()


def digest(path: Path) -> str:
    with path.open("rb") as file:
        found = hashlib.sha256()
        while data := file.read(1 << 20):
            found.update(data)
    return found.hexdigest()


def kill_smbd_of_sessions(server: FileServer) -> None:
    listed = server.lab.run(["ss", "-Htnp", "state", "established", "sport", "=", ":445"]).stdout
    pids = {part.partition(",")[0] for part in listed.split("pid=")[1:]}
    assert pids
    server.lab.run(["kill", "-9", *pids])


def test_smbd_is_killed_twice(opened: Opened) -> None:
    server, host = opened
    mirror = host.directory / "killed"
    running = host.start("copy", rf"{UNC}\large", mirror)
    for count in (LARGE // 16, LARGE // 2):
        wait_for_bytes(running, mirror, count)
        kill_smbd_of_sessions(server)
    assert running.process.wait(120) == 0, running.said()
    assert digest(mirror / "file") == digest(server.seen(r"large\file"))


def test_a_copy_that_was_ended_is_gone_on_with(opened: Opened) -> None:
    server, host = opened
    mirror = host.directory / "ended"
    running = host.start("copy", rf"{UNC}\large", mirror)
    wait_for_bytes(running, mirror, LARGE // 4)
    running.process.signal(signal.SIGTERM)
    assert running.process.wait(60) == 128 + signal.SIGTERM
    server.assert_nothing_is_left()
    assert not (mirror / "file").exists()
    [*_, summary] = host.ask("copy", rf"{UNC}\large", mirror)
    assert summary["copied"] == 1
    assert 0 < summary["bytes"] < LARGE * 7 // 8, "the rest was there"
    assert digest(mirror / "file") == digest(server.seen(r"large\file"))
    assert arrived(mirror) == 0


def test_a_copy_that_is_killed_leaves_whole_files_only(opened: Opened) -> None:
    server, host = opened
    mirror = host.directory / "kill -9"
    running = host.start("copy", rf"{UNC}\large", mirror)
    wait_for_bytes(running, mirror, LARGE // 4)
    running.process.kill()
    running.process.wait()
    assert not (mirror / "file").exists()
    assert len(server.daemon.ask("list-sets")) == 1
    host.done("copy", rf"{UNC}\large", mirror)
    assert digest(mirror / "file") == digest(server.seen(r"large\file"))


def test_the_disk_is_full(opened: Opened) -> None:
    server, host = opened
    mirror = host.directory / "full"
    mirror.mkdir()
    host.lab.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", mirror])
    server.client("mkdir full")
    for name, size in (("a", 1000), ("b", 20 << 20), ("c", 2000), ("d", 30 << 20), ("e", 5 << 20)):
        server.write(rf"full\{name}", os.urandom(size))
    done = host.run("--json", "copy", rf"{UNC}\full", mirror)
    assert done.returncode == 3, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    lacking = [line for line in lines if line.get("event") == "not-copied"]
    assert sorted(line["path"] for line in lacking) == ["b", "d"]
    assert all("No space left on device" in line["cause"] for line in lacking)
    assert lines[-1]["not_copied"] == 2
    assert sorted(os.listdir(host.lab.seen(mirror))) == [".fsrvpshadow", "a", "c", "e"]
    host.lab.run(["mount", "-o", "remount,size=100m", mirror])
    host.done("copy", "--verify", rf"{UNC}\full", mirror)
    assert digest(host.lab.seen(mirror) / "d") == digest(server.seen(r"full\d"))


def test_a_file_that_may_not_be_read_and_names_that_windows_cannot_have(opened: Opened) -> None:
    server, host = opened
    mirror = host.directory / "refused"
    server.client("mkdir refused; mkdir refused\\closed")
    for name in ("open", "secret", "large secret", "a:b?", "CON"):
        server.write(rf"refused\{name}", b"x" * (1 << 20 if name == "large secret" else 10))
    for name in ("secret", "large secret", "closed"):
        server.lab.run(["chown", "root", server.path / "refused" / name])
        server.lab.run(["chmod", "0700", server.path / "refused" / name])
    credentials = host.write_credentials("operator", OPERATOR)
    words = ["copy", rf"{UNC}\refused", mirror]
    done = host.run("--json", *words, credentials=credentials)
    assert done.returncode == 3, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    lacking = {line["path"]: line["cause"] for line in lines if line.get("event") == "not-copied"}
    refused = {path for path, cause in lacking.items() if "access is denied" in cause}
    assert refused >= {"secret", "large secret", "closed"}
    mangled = {path for path, cause in lacking.items() if "Windows cannot have" in cause}
    assert len(mangled) == 2
    assert (mirror / "open").read_bytes() == b"x" * 10
    said = host.run(*words, credentials=credentials).stderr
    assert rf"fsrvpshadow: {UNC}\refused\secret: access is denied" in said
    assert f"incomplete: {lines[-1]['not_copied']} problems: " in said


def test_names_that_are_one_here(opened: Opened) -> None:
    """A directory here ignores case, and the share is of a server that does not: what cannot be
    here as well is named, in every run, and takes the place of nothing."""
    server, host = opened
    server.client("mkdir twice; mkdir twice\\folder; mkdir twice\\other")
    server.lab.run(["mkdir", "-m", "0777", server.path / "twice" / "FOLDER"])
    for name in ("file", "FILE", "large", "LARGE", "folder/inner", "FOLDER/INNER", "other/x"):
        size = 2 << 20 if name.lower() == "large" else 10
        server.write(f"twice/{name}", name.encode().ljust(size, b"."))
    server.samba.set_share(Share("twice", server.path / "twice", {"case sensitive": "yes"}))
    server.samba.reload()
    for behind, lacking in copies_of(host, "twice", "folding"):
        assert len(lacking) == 3
        assert all("differs in case only" in cause for cause in lacking.values())
        assert {path.lower() for path in lacking} == {"file", "large", "folder"}
        there = {str(path.relative_to(behind)) for path in behind.rglob("[!.]*")}
        files = {path for path in there if not path.startswith(".") and (behind / path).is_file()}
        assert len(files) == 4
        for path in files:
            assert (behind / path).read_bytes().startswith(path.encode())
        assert not set(lacking) & there


def test_names_that_are_others_here(opened: Opened) -> None:
    """They look like what is no longer on the share."""
    server, host = opened
    server.client("mkdir capitals")
    for name in ("README.TXT", "small"):
        server.write(rf"capitals\{name}", name.encode())
    for behind, lacking in copies_of(host, r"data\capitals", "lowering", "lower"):
        assert list(lacking) == ["README.TXT"]
        assert (behind / "readme.txt").read_bytes() == b"README.TXT"


def copies_of(
    host: Host, share: str, name: str, *options: str
) -> Iterator[tuple[Path, dict[str, str]]]:
    """Two copies, the second one over the first, in a directory that ignores case. Yields what is
    behind it, and what is lacking, with the cause."""
    behind, mirror = host.directory / f"behind {name}", host.directory / name
    for directory in (behind, mirror):
        host.lab.run(["mkdir", directory])
    argv = [sys.executable, "-m", "tests.requestor.folding_file_system", behind, mirror, *options]
    folding = host.lab.popen(["env", f"PYTHONPATH={ROOT}", *argv])
    wait_until("it is mounted", lambda: f" {mirror} " in host.lab.run(["cat", MOUNTS]).stdout)
    for _ in range(2):
        done = host.run("--json", "copy", rf"\\{HOST}\{share}", mirror)
        assert done.returncode == 3, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        lacking = [line for line in lines if line.get("event") == "not-copied"]
        yield behind, {line["path"]: line["cause"] for line in lacking}
    host.lab.run(["umount", mirror])
    folding.wait()
