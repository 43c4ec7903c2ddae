"""A host that backs up, and a NAS whose snapshots and deletions can be held up.

data   btrfs, copied by an admin's scripts, which wait while a file of theirs is there
more   btrfs, another volume
plain  ext4, which cannot be copied
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional, Sequence

from lab import FsrvpdProcess, Lab, LabProcess, Samba, Share, User
from lab.daemon import SCRIPTS
from lab.namespaces import Argument, wait_until
from tests.contract.providers.command_harness import CREATE, DELETE, STORE
from tests.interop.nas import SECOND_ADDRESS
from tests.interop.secured_agent import PRIVACY, SecuredAgent

HOST = "nas"
HOLD = "while test -e {hold}; do sleep 0.1; done\n"
# What COMMAND does: says that it runs, and shows what it was told.
ENVIRONMENT = "env | grep -E '^(FSRVPSHADOW|VSS)_' | sort > {file}"


class Server:
    def __init__(self, lab: Lab, options: Optional[Mapping[str, str]] = None) -> None:
        self.lab = lab
        volumes = {name: lab.volume("btrfs", name) for name in ("data", "more")}
        volumes["plain"] = lab.volume("ext4", "plain")
        lab.run(["btrfs", "-q", "subvolume", "create", volumes["data"] / STORE])
        for name, volume in volumes.items():
            lab.run(["mkdir", "-m", "0777", volume / name])
        self.volumes = volumes
        names = {"netbios name": HOST.upper(), "bind interfaces only": "no"}
        self.samba = Samba(lab, options=names)
        for name in ("more", "plain"):
            self.samba.set_share(Share(name, volumes[name] / name))
        commands = {
            "fsrvp:create command": str(self._script("create", CREATE)),
            "fsrvp:delete command": str(self._script("delete", DELETE)),
        }
        path = volumes["data"] / "data"
        self.samba.set_share(Share("data", path, {"fsrvp:provider": "command", **commands}))
        self.daemon = FsrvpdProcess(lab, self.samba, options)

    def directory(self, share: str) -> Path:
        return self.volumes[share] / share

    def start(self) -> None:
        self.samba.start()
        self.daemon.start()

    def add_share_of_more(self, name: str) -> None:
        """Another share of the same volume."""
        path = self.volumes["more"] / name
        self.lab.run(["mkdir", "-p", path])
        self.samba.set_share(Share(name, path))
        self.samba.reload()

    def another_client(self) -> SecuredAgent:
        """A client with another address than the host's, which seals its calls."""
        return SecuredAgent(self, PRIVACY, address=SECOND_ADDRESS)

    def _script(self, name: str, text: str) -> Path:
        path = self.lab.directory / f"{name}.sh"
        volume = self.volumes["data"]
        words = {"volume": f"'{volume}'", "store": f"'{volume / STORE}'"}
        first, second, rest = text.format(**words).split("\n", 2)
        hold = HOLD.format(hold=self._hold(name))
        path.write_text(f"{first}\n{second}\n{hold}{rest}")
        path.chmod(0o755)
        return path

    def _hold(self, what: str) -> Path:
        return self.lab.directory / f"hold-{what}"

    @contextmanager
    def held_up(self, what: str) -> Iterator[None]:
        """`create` or `delete` of the share data does not end."""
        self._hold(what).touch()
        try:
            yield
        finally:
            self.let_go(what)

    def let_go(self, what: str) -> None:
        self._hold(what).unlink(missing_ok=True)

    def wait_for_script(self, what: str) -> None:
        """Until a script runs, which is held up."""
        script = str(self.lab.directory / f"{what}.sh")
        wait_until(
            f"{what} runs",
            lambda: any(script in argv for argv in self.lab.processes().values()),
        )

    def assert_nothing_is_left(self) -> None:
        """No set, no shadow copy share, no snapshot."""
        wait_until("no set is left", lambda: self.daemon.ask("list-sets") == [])
        shares = self.samba.net("conf", "listshares").stdout
        assert "@{" not in shares
        assert self.lab.run(["ls", self.volumes["data"] / STORE]).stdout == ""


class Host:
    """`fsrvpshadow` of root, with a private /var/lib and a name for the NAS."""

    def __init__(self, lab: Lab, user: User) -> None:
        self.lab = lab
        self.directory = lab.directory / "host"
        self.directory.mkdir()
        self._numbers = itertools.count(1)
        lab.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/var/lib"])
        self.credentials = self.write_credentials("credentials", user)

    def write_credentials(self, name: str, user: User) -> Path:
        path = self.directory / name
        path.touch(0o600)
        path.write_text(f"username = {user.name}\npassword = {user.password}\n")
        return path

    def write_configuration(self, text: str) -> None:
        (self.directory / "fsrvpshadow.toml").write_text(text)

    @property
    def environment(self) -> Mapping[str, str]:
        return {"XDG_CONFIG_HOME": str(self.directory), "HOME": str(self.directory)}

    def argv(self, *words: Argument, credentials: Optional[Path] = None) -> Sequence[Argument]:
        file = credentials or self.credentials
        return [SCRIPTS / "fsrvpshadow", "-A", file, *words]

    def run(
        self, *words: Argument, credentials: Optional[Path] = None
    ) -> subprocess.CompletedProcess[str]:
        argv = self.argv(*words, credentials=credentials)
        return self.lab.run(argv, check=False, environment=self.environment, timeout=120)

    def done(self, *words: Argument) -> str:
        """What a command prints that must succeed."""
        done = self.run(*words)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def ask(self, *words: Argument) -> Any:
        """The lines of --json."""
        return [json.loads(line) for line in self.done("--json", *words).splitlines()]

    def run_without_file(self, *words: Argument) -> subprocess.CompletedProcess[str]:
        argv = [SCRIPTS / "fsrvpshadow", *words]
        return self.lab.run(argv, check=False, environment=self.environment)

    def start(self, *words: Argument) -> Running:
        output = self.directory / f"output-{next(self._numbers)}"
        process = self.lab.popen(self.argv(*words), output=output, environment=self.environment)
        return Running(process, output)

    def mounts(self) -> list[str]:
        """What a run has mounted, and the directories that it has made for that."""
        argv = ["find", "/run/fsrvpshadow/mnt", "-mindepth", "1", "-maxdepth", "2"]
        return self.lab.run(argv, check=False).stdout.splitlines()

    def assert_no_state_is_left(self) -> None:
        assert self.ask("list") == []
        sets = self.lab.seen(Path("/var/lib/fsrvpshadow/sets"))
        assert not sets.exists() or os.listdir(sets) == []
        assert self.mounts() == []


class Running:
    """A command that has not ended."""

    def __init__(self, process: LabProcess, output: Path) -> None:
        self.process = process
        self._output = output

    def said(self) -> str:
        return self._output.read_text()

    def wait_for(self, text: str) -> None:
        wait_until(f"it says {text}", lambda: text in self.said())


@contextmanager
def open_host(options: Optional[Mapping[str, str]] = None) -> Iterator[tuple[Server, Host]]:
    with Lab() as lab:
        hosts = lab.directory / "hosts"
        hosts.write_text(f"127.0.0.1 localhost\n127.0.0.9 {HOST}\n")
        lab.run(["mount", "--bind", hosts, "/etc/hosts"])
        lab.run(["ip", "address", "add", f"{SECOND_ADDRESS}/24", "dev", "lo"])
        server = Server(lab, options)
        server.start()
        yield server, Host(lab, server.samba.root)
