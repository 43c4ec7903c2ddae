"""`tar`: what borg and GNU tar make of the archive."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import Iterator

import pytest

from lab.namespaces import Argument
from tests.requestor.command_host import Host
from tests.requestor.windows_files import HOLE, UNC, FileServer, make_tree, open_file_server

Opened = tuple[FileServer, Host]
SHARE = rf"{UNC}\tree"
DESCRIPTOR = "SCHILY.xattr.user.smb.security_descriptor"
STREAM = "SCHILY.xattr.user.smb.stream."


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    with open_file_server() as (server, host):
        make_tree(server, "tree")
        yield server, host
        server.assert_nothing_is_left()
        host.assert_no_state_is_left()


def pipe(host: Host, command: str, *more: Argument) -> None:
    """`fsrvpshadow tar SHARE | COMMAND`, both of which must succeed."""
    words = host.argv("tar", SHARE)
    script = f'set -o pipefail; "${{@:1:{len(words)}}}" | ({command})'
    home = {**host.environment, "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
    host.lab.run(["bash", "-c", script, "bash", *words, *more], environment=home)


def tree(top: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time, in microseconds, of what is below a directory."""
    return {
        str(path.relative_to(top)): (
            path.read_bytes() if path.is_file() else b"",
            path.stat().st_mtime_ns // 1000,
        )
        for path in top.rglob("*")
    }


def borg(host: Host, *words: Argument, cwd: str = ".") -> str:
    home = {**host.environment, "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
    script = 'cd "$0"; exec borg "$@"'
    return host.lab.run(["sh", "-c", script, cwd, *words], environment=home).stdout


def test_borg_imports_it_and_the_second_run_shows_no_change(opened: Opened) -> None:
    server, host = opened
    repository = host.directory / "repository"
    borg(host, "init", "--encryption", "none", repository)
    for name in ("first", "second"):
        pipe(host, f"borg import-tar {repository}::{name} -")
    assert borg(host, "diff", f"{repository}::first", "second") == ""
    out = host.directory / "out"
    out.mkdir()
    borg(host, "extract", f"{repository}::second", cwd=str(out))
    restored, original = tree(out), tree(server.seen("tree"))
    assert {name: data for name, (data, _) in restored.items()} == {
        name: data for name, (data, _) in original.items()
    }
    for name, (_, time) in original.items():  # borg reads times as floating-point numbers
        assert abs(restored[name][1] - time) <= 1, name
    assert (out / "empty").is_dir()


def test_all_facts_are_in_it(opened: Opened) -> None:
    server, host = opened
    file = host.directory / "archive.tar"
    pipe(host, f"cat > {file}")
    with tarfile.open(file, errors="surrogateescape") as archive:
        found = {each.name: each for each in archive}
    assert set(found) == {".", *(str(path) for path in tree(server.seen("tree")))}
    plain = found["plain.txt"].pax_headers
    assert plain["SCHILY.xattr.user.smb.attributes"] == "0x26"
    assert plain[f"{STREAM}Zone.Identifier"] == "[ZoneTransfer]"
    big = plain[f"{STREAM}big"].encode("utf-8", "surrogateescape")
    assert big == server.facts("tree")["plain.txt"].streams[1][1]
    assert found["deep"].pax_headers[f"{STREAM}of a directory"] == "a stream too"
    descriptor = plain[DESCRIPTOR].encode("utf-8", "surrogateescape")
    assert descriptor[:1] == b"\x01", "the revision"
    assert (1105).to_bytes(4, "little") in descriptor
    time = server.seen(r"tree\sparse.bin").stat().st_mtime_ns // 100
    assert found["sparse.bin"].pax_headers["mtime"] == f"{time // 10**7}.{time % 10**7:07}"


def test_gnu_tar_restores_attributes_and_times(opened: Opened) -> None:
    server, host = opened
    out = host.lab.volume("btrfs", "out")
    pipe(host, f"tar --xattrs --xattrs-include='*' -C {out} -xf -")
    extracted = host.lab.seen(out)
    assert tree(extracted) == tree(server.seen("tree"))
    assert os.getxattr(extracted / "plain.txt", "user.smb.attributes") == b"0x26"
    stream = "user.smb.stream.Zone.Identifier"
    assert os.getxattr(extracted / "plain.txt", stream) == b"[ZoneTransfer]"
    assert (extracted / "sparse.bin").stat().st_blocks * 512 < HOLE // 2


def test_a_terminal_and_json_are_refused(opened: Opened) -> None:
    _, host = opened
    assert host.run("tar", "--json", SHARE).returncode == 2


def test_a_reader_that_ends_early_leaves_nothing(opened: Opened) -> None:
    server, host = opened
    words = host.argv("tar", SHARE)
    script = f'"$@" 2>{host.directory}/said | head -c 1000 >/dev/null; echo ${{PIPESTATUS[0]}}'
    done = host.lab.run(["bash", "-c", script, "bash", *words], environment=host.environment)
    assert done.stdout == "1\n"
    server.assert_nothing_is_left()
