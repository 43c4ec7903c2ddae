"""`mount` and `unmount` against our agent: what programs see, and that nothing is left."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any, Iterator

import pytest

from lab.daemon import SCRIPTS
from lab.namespaces import wait_until
from tests.requestor.backup_host import SHARES, Nas, open_nas
from tests.requestor.command_host import HOST, Running

MNT = Path("/run/fsrvpshadow/mnt/mount")
UNCS = [rf"\\{HOST}\{share}" for share in SHARES]


@pytest.fixture(scope="module")
def nas() -> Iterator[Nas]:
    with open_nas() as opened:
        yield opened


@pytest.fixture
def mounted(nas: Nas) -> Iterator[Nas]:
    nas.host.done("mount", *UNCS)
    yield nas
    nas.host.run("unmount", "--all", "--force")
    nas.assert_nothing_is_left()


def look(nas: Nas, script: str, *words: object) -> Any:
    """What a Python program sees in the mounts."""
    argv = ["python3", "-c", f"import json, os, sys\n{script}", *map(str, words)]
    return json.loads(nas.lab.run(argv).stdout)


TREE = """
found = {}
for directory, names, files in os.walk(sys.argv[1]):
    for name in sorted([*names, *files]):
        path = os.path.join(directory, name)
        status = os.lstat(path)
        found[os.path.relpath(path, sys.argv[1])] = [
            status.st_size if name in files else None, status.st_mtime_ns // 100 * 100,
            open(path, "rb").read().hex() if name in files and status.st_size < 100 else None]
print(json.dumps(found))
"""


@pytest.mark.parametrize("share", SHARES)
def test_a_copy_is_what_the_share_was(mounted: Nas, share: str) -> None:
    live = look(mounted, TREE, mounted.path(share))
    mounted.samba.write(share, r"folder\new", "after the copy")
    assert look(mounted, TREE, MNT / share) == live
    sums = "cd {} && find . -type f ! -name new -exec sha256sum {{}} + | sort"
    [theirs, ours] = [
        mounted.lab.run(["sh", "-c", sums.format(path)]).stdout
        for path in (mounted.path(share), MNT / share)
    ]
    assert theirs == ours
    assert "ExposeShadowCopySet" in mounted.calls()
    mounted.samba.smbclient(share, r"rm folder\new")


def test_nothing_can_be_written(mounted: Nas) -> None:
    done = mounted.lab.run(["touch", MNT / "projects" / "x"], check=False)
    assert "Read-only file system" in done.stderr


FACTS = """
print(json.dumps({
    name: os.getxattr(sys.argv[1], name).hex() for name in os.listxattr(sys.argv[1])}))
"""


def test_facts_of_windows_are_extended_attributes(nas: Nas) -> None:
    nas.samba.smbclient("projects", 'put /etc/hostname "folder/file:Zone.Identifier"')
    nas.host.done("mount", UNCS[0])
    found = {
        name: bytes.fromhex(value)
        for name, value in look(nas, FACTS, MNT / "projects/folder/file").items()
    }
    assert found.pop("user.smb.security_descriptor")[:1] == b"\1"  # its revision
    assert found.pop("user.smb.stream.Zone.Identifier") == Path("/etc/hostname").read_bytes()
    assert sorted(found) == ["user.smb.attributes", "user.smb.creation_time"]
    nas.host.done("unmount", "mount")
    nas.assert_nothing_is_left()


def test_a_file_without_data_is_seen_to_be_one(nas: Nas) -> None:
    """Samba tells holes of files with the attribute only."""
    nas.set_sparse("projects", r"folder\holes")
    nas.host.done("mount", UNCS[0])
    script = """
file = os.open(sys.argv[1], os.O_RDONLY)
data = os.lseek(file, 0, os.SEEK_DATA)
print(json.dumps([data, os.lseek(file, data, os.SEEK_HOLE), os.fstat(file).st_blocks]))
"""
    data, hole, blocks = look(nas, script, MNT / "projects/folder/holes")
    assert data <= 32 << 20 < hole <= data + (1 << 20)
    assert blocks * 512 <= 1 << 20
    nas.host.done("unmount", "mount")
    nas.assert_nothing_is_left()


def test_a_mount_ends_only_when_it_is_not_in_use(mounted: Nas) -> None:
    sleeping = mounted.lab.popen(["sh", "-c", f"cd {MNT}/projects && exec sleep 600"])
    wait_until("it is in the mount", lambda: _cwd(sleeping.pid).endswith("projects"))
    done = mounted.host.run("unmount", "mount")
    assert done.returncode == 4
    assert "--force" in done.stderr
    mounted.host.done("unmount", "mount", "--force")
    sleeping.kill()


def _cwd(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/cwd")


def test_a_job_is_mounted_once(mounted: Nas) -> None:
    done = mounted.host.run("mount", *UNCS)
    assert done.returncode == 4
    assert "it is mounted already" in done.stderr
    assert len(mounted.mounts()) == 2
    for pid in mounted.servers():  # how they log in was told to them alone
        for name in ("cmdline", "environ"):
            shown = mounted.lab.run(["cat", f"/proc/{pid}/{name}"]).stdout
            assert "fsrvpd" in shown
            assert mounted.samba.root.password not in shown


def test_a_mount_whose_process_was_killed_is_cleaned(mounted: Nas) -> None:
    for pid in mounted.servers():
        mounted.lab.run(["kill", "-9", str(pid)])
    wait_until("they are gone", lambda: not mounted.servers())
    assert len(mounted.mounts()) == 2
    dry = mounted.host.run("clean", "-n")
    assert dry.stdout.count("would be unmounted") == 2
    mounted.host.done("clean")
    mounted.assert_nothing_is_left()


def test_a_server_that_comes_back_is_connected_to_again(mounted: Nas) -> None:
    expected = mounted.lab.run(["sha256sum", mounted.path("projects") / "folder/large"])
    file = MNT / "projects/folder/large"
    mounted.lab.run(["head", "-c", "1000", file])
    mounted.kill_smbd()
    mounted.samba.start()
    found = mounted.lab.run(["sha256sum", file])
    assert found.stdout.split()[0] == expected.stdout.split()[0]


@pytest.mark.parametrize("text", ["set-prepared", "set-exposed", "set-created"])
def test_a_killed_command_leaves_nothing_that_is_not_cleaned(nas: Nas, text: str) -> None:
    running = nas.host.start("--json", "mount", *UNCS)
    running.wait_for(text)
    running.process.signal(signal.SIGKILL)
    running.process.wait()
    # A process of a mount that has just been forked ends as soon as it reads from its pipe.
    wait_until("the mounts end with it", lambda: "in use" not in nas.host.done("clean"))
    nas.assert_nothing_is_left()


@pytest.fixture
def backup(nas: Nas) -> Iterator[Running]:
    """A run whose COMMAND waits until a file is there, and then reads what it has mounted."""
    flag = nas.lab.directory / "go on"
    script = f"echo STARTED; until test -e '{flag}'; do sleep 0.1; done; cat projects/folder/file"
    running = nas.host.start("run", *UNCS, "--", "sh", "-c", script)
    running.wait_for("STARTED")
    yield running
    flag.touch()
    if running.process.poll() is None:
        running.process.wait()
    wait_until("COMMAND ends", lambda: not nas.commands(script))
    nas.host.done("clean")
    nas.assert_nothing_is_left()
    flag.unlink()


def test_the_mounts_of_a_killed_run_end_with_it(nas: Nas, backup: Running) -> None:
    backup.process.signal(signal.SIGKILL)
    wait_until("the mounts end with it", lambda: not nas.servers())
    assert nas.mounts() == []


def test_mounts_that_were_killed_with_their_run_are_cleaned(nas: Nas, backup: Running) -> None:
    nas.lab.run(["kill", "-9", *map(str, nas.servers())])
    backup.process.signal(signal.SIGKILL)
    wait_until("they are gone", lambda: not nas.servers())
    assert len(nas.mounts()) == 2
    assert nas.host.run("clean").returncode == 0
    assert nas.mounts() == []


def test_a_backup_of_a_mount_that_was_killed_has_failed(nas: Nas, backup: Running) -> None:
    nas.lab.run(["kill", "-9", *map(str, nas.servers())])
    (nas.lab.directory / "go on").touch()
    assert backup.process.wait() == 1  # of cat
    assert "Transport endpoint is not connected" in backup.said()
    assert "the mount had ended before it was to" in backup.said()
    nas.assert_nothing_is_left()


def test_a_mount_that_an_admin_has_unmounted_ends_without_a_word(nas: Nas, backup: Running) -> None:
    """And the backup has failed."""
    for share in SHARES:
        [line] = [line for line in nas.mounts() if f"/{share} " in line]
        nas.lab.run(["umount", line.split(" ")[4]])
    wait_until("their processes end", lambda: not nas.servers())
    (nas.lab.directory / "go on").touch()
    assert backup.process.wait() == 1  # of cat
    assert "the mount had ended before it was to" in backup.said()
    assert "Fatal Python error" not in backup.said()
    nas.assert_nothing_is_left()


def test_many_problems_are_counted_in_a_file_that_does_not_grow(nas: Nas) -> None:
    script = 'mkdir "$1"; for n in $(seq 1500); do : > "$1/name of a file:$n"; done'
    nas.lab.run(["sh", "-ec", script, "sh", nas.path("vault") / "mangled"])
    nas.host.done("mount", UNCS[1])
    look = ["sh", "-ec", "ls /run/fsrvpshadow/mnt/mount/vault/mangled | wc -l"]
    size = ["sh", "-ec", "wc -c < $(ls -S /var/lib/fsrvpshadow/mounts/*.problems | head -n 1)"]
    assert nas.lab.run(look).stdout == "1500\n"
    before = nas.lab.run(size).stdout
    assert nas.lab.run(look).stdout == "1500\n"
    assert nas.lab.run(size).stdout == before
    done = nas.host.run("unmount", "--all")
    assert done.returncode == 0
    assert "1500 files seem to have a name that Windows cannot have" in done.stderr
    nas.lab.run(["rm", "-r", nas.path("vault") / "mangled"])
    nas.assert_nothing_is_left()


def test_a_kept_mount_that_an_admin_has_unmounted_is_cleaned(mounted: Nas) -> None:
    mounted.lab.run(["umount", *(MNT / share for share in SHARES)])
    wait_until("their processes end", lambda: not mounted.servers())
    mounted.host.done("clean")
    mounted.assert_nothing_is_left()


# A device of the lab, since that of a container may be root's alone.
OF_A_USER = """
mknod -m 0666 "$1/fuse" c 10 229; mount --bind "$1/fuse" /dev/fuse
mkdir -m 0700 "$1/user" "$1/user/run"; cp -p "$2" "$1/user/credentials"
chown -R 65534:65534 "$1/user"
"""


def test_an_ordinary_user_mounts(nas: Nas) -> None:
    home = nas.lab.directory / "user"
    nas.lab.run(["sh", "-ec", OF_A_USER, "sh", nas.lab.directory, nas.host.credentials])

    def do(*words: object) -> str:
        who = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run")}
        return nas.lab.run([*who, *map(str, words)], environment=environment).stdout

    command = (SCRIPTS / "fsrvpshadow", "-A", home / "credentials")
    assert do(*command, "run", UNCS[0], "--", "cat", "projects/folder/file") == "plain text"
    do(*command, "mount", UNCS[0])
    point = home / "run/fsrvpshadow/mnt/mount/projects"
    assert do("cat", point / "folder/file") == "plain text"
    assert nas.lab.run(["cat", point / "folder/file"], check=False).returncode != 0, "root is other"
    nas.lab.run(["kill", "-9", *map(str, nas.servers())])
    wait_until("its process has ended", lambda: not nas.servers())
    assert "unmounted" in do(*command, "clean")
    assert do(*command, "list") == "no sets\n"
    assert not nas.lab.seen(point).exists()
    nas.assert_nothing_is_left()
