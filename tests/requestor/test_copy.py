"""`copy` and `restore`: everything that a file has comes back, and only changes are copied."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Iterator

import pytest

from tests.requestor.command_host import Host
from tests.requestor.windows_files import HOLE, UNC, FileServer, make_tree, open_file_server

Opened = tuple[FileServer, Host]


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    with open_file_server() as found:
        make_tree(found[0], "tree")
        yield found


@pytest.fixture(autouse=True)
def nothing_is_left(opened: Opened) -> Iterator[None]:
    yield
    server, host = opened
    server.assert_nothing_is_left()
    host.assert_no_state_is_left()


def copied(host: Host, below: str, directory: Path, *options: str) -> dict[str, int]:
    [summary] = [
        line
        for line in host.ask("copy", *options, rf"{UNC}\{below}", directory)
        if "event" not in line
    ]
    return summary


def test_everything_is_restored_after_everything_was_changed(opened: Opened) -> None:
    server, host = opened
    mirror = host.directory / "mirror"
    agent_calls = len(server.daemon.calls())
    summary = copied(host, "tree", mirror)
    methods = [call.method for call in server.daemon.calls()[agent_calls:]]
    assert {"CommitShadowCopySet", "DeleteShareMapping"} <= set(methods)
    assert (summary["copied"], summary["not_copied"]) == (7, 0)
    before = server.facts("tree")
    assert before["plain.txt"].streams
    assert before["deep"].streams
    assert "HS" in before["plain.txt"].attributes
    for name in ("sparse.bin", "unmarked.bin"):
        assert before[name].has_holes
        assert (mirror / name).stat().st_blocks * 512 < HOLE // 2

    spoil(server, "tree")
    assert server.facts("tree") != before
    done = host.done("restore", mirror, rf"{UNC}\back\again")
    assert "7 files restored" in done
    assert server.facts(r"back/again") == before

    medium = host.directory / "medium"
    medium.mkdir()
    host.lab.run(["mount", "--bind", mirror, medium])
    host.lab.run(["mount", "-o", "remount,bind,ro", medium])
    host.done("restore", medium, rf"{UNC}\back\from-medium")
    assert server.facts("back/from-medium") == before

    refused = host.run("restore", mirror, rf"{UNC}\tree")
    assert refused.returncode == 2
    assert "--in-place" in refused.stderr
    host.done("restore", "--in-place", mirror, rf"{UNC}\tree")
    after = server.facts("tree")
    assert after.pop("new").content == b"new", "what the copy does not have stays"
    assert after == before


def spoil(server: FileServer, top: str) -> None:
    """Change content, streams, attributes, descriptors and times of all, and add a file."""
    for name in ("plain.txt", "none"):
        server.client(f'setmode "{top}\\{name}" -rhs')
        server.put(rf"{top}\{name}", b"spoiled")
        server.put(rf"{top}\{name}:other", b"stream")
        server.acl(rf"{top}\{name}", "--add", "ACL:S-1-1-0:ALLOWED/0/0x001f01ff")
        server.client(f'setmode "{top}\\{name}" +r')
    server.client(f'del "{top}\\deep\\er\\*"; rmdir "{top}\\deep\\er"; rmdir "{top}\\empty"')
    server.write(rf"{top}\sparse.bin", b"x" * (1 << 20))
    server.write(rf"{top}\large.bin", b"")
    server.put(rf"{top}\deep:of a directory", b"spoiled")
    server.client(f'utimes "{top}\\deep" 1999:01:02-03:04:05 -1 -1 -1')
    server.put(rf"{top}\new", b"new")


def test_only_what_changed_is_copied(opened: Opened) -> None:
    server, host = opened
    mirror = host.directory / "changes"
    server.client("mkdir changes; mkdir changes\\gone")
    for name in ("same", "content", "facts", "gone\\file", "kind"):
        server.put(rf"changes\{name}", b"first")
    assert copied(host, "changes", mirror)["copied"] == 5
    assert copied(host, "changes", mirror)["copied"] == 0

    server.put(r"changes\content", b"second")
    server.acl(r"changes\facts", "--add", "ACL:S-1-1-0:ALLOWED/0/0x001200a9")
    server.put(r"changes\facts:late", b"stream")
    server.client(r"del changes\gone\file; rmdir changes\gone; del changes\kind")
    server.client(r"mkdir changes\kind")
    (mirror / "not from the share").write_text("")
    preview = host.done("copy", "--dry-run", rf"{UNC}\changes", mirror)
    assert sorted(re.findall(r"^(\w+) .*  (\S+)$", preview, re.M)) == [
        ("changed", "content"),
        ("changed", "facts"),
        ("removed", "gone"),
    ]
    summary = copied(host, "changes", mirror)
    assert (summary["copied"], summary["unchanged"]) == (2, 1)
    assert sorted(os.listdir(mirror)) == [".fsrvpshadow", "content", "facts", "kind", "same"]
    assert (mirror / "content").read_bytes() == b"second"
    host.done("restore", mirror, rf"{UNC}\again")
    assert server.facts("again") == server.facts("changes")


def test_what_changed_here_is_found(opened: Opened) -> None:
    """By --verify what only the disk did; a file that somebody wrote to is copied again."""
    server, host = opened
    mirror = host.directory / "verified"
    server.client("mkdir verified")
    for name in ("written", "rotten"):
        server.put(rf"verified\{name}", b"good")
    copied(host, "verified", mirror, "--verify")
    (mirror / "written").write_bytes(b"new")
    times = (mirror / "rotten").stat()
    (mirror / "rotten").write_bytes(b"evil")
    os.utime(mirror / "rotten", ns=(times.st_atime_ns, times.st_mtime_ns))
    done = host.run("copy", "--verify", rf"{UNC}\verified", mirror)
    assert done.returncode == 3
    assert r"verified\rotten: the copy differs from the share" in done.stderr
    assert (mirror / "written").read_bytes() == b"good"
    assert copied(host, "verified", mirror, "--verify")["copied"] == 1
    assert (mirror / "rotten").read_bytes() == b"good"


def test_a_directory_that_holds_something_else_is_refused(opened: Opened) -> None:
    _, host = opened
    other = host.directory / "other"
    other.mkdir()
    (other / "file").write_text("precious")
    done = host.run("copy", rf"{UNC}\tree", other)
    assert done.returncode == 1
    assert "is not empty" in done.stderr
    mirror = host.directory / "mirror of empty"
    copied(host, r"tree\empty", mirror)
    done = host.run("copy", rf"{UNC}\tree\deep", mirror)
    assert done.returncode == 1
    assert rf"it is a copy of {UNC}\tree\empty" in done.stderr
    assert host.run("copy", "-n", rf"{UNC}\tree", other).returncode == 1
    assert host.run("restore", other, rf"{UNC}\x").returncode == 2
    assert (other / "file").read_text() == "precious"
    shutil.rmtree(mirror)


def test_a_terminal_sees_progress_and_a_log_does_not(opened: Opened) -> None:
    _, host = opened
    words = ["copy", rf"{UNC}\tree"]
    assert host.run(*words, host.directory / "logged").stderr == ""
    line = shlex.join(map(str, host.argv(*words, host.directory / "watched")))
    script = ["script", "--quiet", "--return", "--command", line, "/dev/null"]
    shown = host.lab.run(script, environment=host.environment).stdout
    assert re.search(r"\x1b\[K\[?.*[0-9] [kM]?B/s", shown)
    assert "files copied" in shown.splitlines()[-1]
