"""Every command of fsrvpctl where a disk is full, over its quota or read-only, and where nobody
takes what it prints: the exit status says so, no traceback does, and nothing is left over."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, ContextManager, Iterator, Mapping, NamedTuple, Sequence

import pytest

from fsrvpd.ctl.messages import MESSAGES
from lab import FsrvpdProcess, Lab, Samba, Share
from lab.namespaces import Argument

SHARE, CROWDED = "data", "crowded"
NOT_RUN = ("shutdown", "watch-events")
# The command with a standard output that takes nothing.
OUTPUTS: Mapping[str, Sequence[str]] = {
    "full": ("sh", "-c", 'exec "$@" >/dev/full', "sh"),
    "closed": ("sh", "-c", 'exec "$@" >&-', "sh"),
    "nobody reads": (
        *("/usr/bin/python3", "-c"),
        "import os, subprocess, sys; reading, writing = os.pipe(); os.close(reading);"
        " sys.exit(subprocess.run(sys.argv[1:], stdout=writing).returncode)",
    ),
}


class Server(NamedTuple):
    """A NAS whose share, state, smb.conf and directory for temporary files are on one volume."""

    lab: Lab
    samba: Samba
    daemon: FsrvpdProcess
    volume: Path
    crowded: Path  # the volume of another share, and of nothing else

    def run(self, *words: str, output: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        argv: list[Argument] = [*output, *self.daemon.fsrvpctl, *words]
        return self.lab.run(argv, check=False, environment={"TMPDIR": str(self.volume / "tmp")})

    def set_id(self) -> str:
        """Make a set."""
        done = self.run("fsrvpd", "self-test", SHARE, "--json")
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["set"])

    def left(self) -> tuple[list[str], list[str]]:
        """Return the files of the volume, but for state and logs, and the sets."""
        names = ["share", "tmp", "samba"]
        argv = ["find", *(self.volume / name for name in names), "-maxdepth", "1"]
        files = sorted(line for line in self.lab.run(argv).stdout.splitlines() if "log" not in line)
        return files, [each["set"] for each in self.daemon.ask("list-sets")]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Lab() as lab:
        volume = lab.volume("btrfs", "volume", 256 << 20)
        lab.run(["mkdir", "-m", "0777", volume / "share", volume / "tmp"])
        crowded = lab.volume("btrfs", "crowded", 128 << 20)
        shares = [Share(SHARE, volume / "share"), Share(CROWDED, crowded)]
        samba = Samba(lab, shares, {"fsrvpd:require rpc integrity": "no"})
        off = samba.conf.read_text().replace("registry shares = yes", "registry shares = no")
        (samba.directory / "off.conf").write_text(off)
        lab.run(["cp", "-a", samba.directory, volume / "samba"])
        lab.run(["mount", "--bind", volume / "samba", samba.directory])
        helpers = lab.directory / "helpers"
        lab.run(["cp", "-a", "/usr/libexec/samba", helpers])
        lab.run(["rm", helpers / "rpcd_fsrvp"])
        lab.run(["mount", "--bind", helpers, "/usr/libexec/samba"])
        (samba.place("pid directory") / "fsrvpd.pid").touch()  # awaited where the mount is not seen
        samba.start()
        daemon = FsrvpdProcess(lab, samba)
        daemon.start()
        yield Server(lab, samba, daemon, volume, crowded)


@contextmanager
def full(server: Server) -> Iterator[str]:
    filler = server.volume / "filler"
    for size in ("1M", "4k"):
        argv = ["dd", "if=/dev/zero", f"of={filler}-{size}", f"bs={size}", "conv=fsync"]
        server.lab.run(argv, check=False)
    try:
        yield "No space left on device"
    finally:
        server.lab.run(["sh", "-c", f"rm {filler}-*; sync -f {server.volume}"])


@contextmanager
def over_quota(server: Server) -> Iterator[str]:
    server.lab.run(["btrfs", "quota", "enable", server.volume])
    server.lab.run(["btrfs", "quota", "rescan", "-w", server.volume])
    server.lab.run(["btrfs", "qgroup", "limit", "16k", server.volume])
    try:
        yield "Disk quota exceeded"
    finally:
        server.lab.run(["btrfs", "quota", "disable", server.volume])


@contextmanager
def read_only(server: Server) -> Iterator[str]:
    """For paths that are looked up from now on; who has a file open goes on writing."""
    places = [server.volume, server.samba.directory]
    for place in places:
        server.lab.run(["mount", "--bind", place, place])
        server.lab.run(["mount", "-o", "remount,bind,ro", place])
    try:
        yield "Read-only file system"
    finally:
        for place in reversed(places):
            server.lab.run(["umount", "--lazy", place])


def commands(server: Server, set_id: str) -> Iterator[list[str]]:
    values = {"SHARE": SHARE, "SHARE...": SHARE, "ID": set_id, "LEVEL": "3"}
    for message in MESSAGES:
        if message.name not in NOT_RUN:
            words = [values[name] for name in message.parameters if not name.startswith("[")]
            yield ["fsrvpd", message.name, *words]
    login = server.samba.root.login
    yield ["check-config", "--json"]
    yield ["doctor"]
    yield ["doctor", "--json", "-U", login]
    yield ["share-config", SHARE]
    off = str(server.samba.directory / "off.conf")
    yield ["-s", off, "setup", "--yes"]
    yield ["-s", off, "setup", "--yes", "--undo"]


@pytest.mark.parametrize("fault", [full, over_quota, read_only])
def test_disks_that_take_nothing(
    server: Server, fault: Callable[[Server], ContextManager[str]]
) -> None:
    set_id = server.set_id()
    before, _ = server.left()
    with fault(server) as why:
        for words in commands(server, set_id):
            done = server.run(*words)
            said = f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
            assert "Traceback" not in done.stdout + done.stderr, said
            assert done.returncode in (0, 1), said
            assert done.returncode == 0 or done.stdout + done.stderr, said
            if words[:2] == ["doctor", "--json"]:
                assert json.loads(done.stdout)[-1]["severity"], said
            if words[-1] == "--yes":
                assert f"cannot be replaced: {why}" in done.stderr
            if words[0] == "doctor":
                assert done.returncode == 1, said
    after, sets = server.left()
    assert [path for path in after if "filler" not in path] == before
    for made in sets:
        server.run("fsrvpd", "delete-set", made)
    done = server.run("doctor", "-U", server.samba.root.login)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("output", OUTPUTS)
def test_an_output_that_takes_nothing(server: Server, output: str) -> None:
    set_id = server.set_id()
    before = server.left()
    deleting = {"delete-set", "abort-set"}
    everything = [each for each in commands(server, set_id) if not deleting.intersection(each)]
    everything += [["--help"], ["--version"]]
    for words in everything:
        done = server.run(*words, output=OUTPUTS[output])
        said = f"{words}: {done.returncode}\n{done.stderr}"
        assert "Traceback" not in done.stderr, said
        assert "ignored" not in done.stderr, said
        assert done.returncode == 1, said
        if output == "full" and "is not completed" not in done.stderr:
            assert "standard output: No space left on device" in done.stderr, said
    assert server.left() == before
    server.run("fsrvpd", "delete-set", set_id)


@pytest.mark.parametrize(
    ("fault", "topic", "why"),
    [
        (full, "free space", "MiB below"),
        (over_quota, "self-test", "Disk quota exceeded; none is left there"),
    ],
)
def test_a_share_that_takes_nothing_is_as_it_was(
    server: Server, fault: Callable[[Server], ContextManager[str]], topic: str, why: str
) -> None:
    words = ("doctor", "--json", "--share", CROWDED, "-U", server.samba.root.login)
    with fault(server._replace(volume=server.crowded)):
        done = server.run(*words)
    assert done.returncode == 1, done.stderr
    [finding] = [each for each in json.loads(done.stdout) if each["severity"] == "fail"]
    assert finding["topic"] == topic
    assert why in finding["text"]
    assert "fsrvpd-self-test" not in server.lab.run(["ls", server.crowded]).stdout
    assert server.run(*words).returncode == 0
