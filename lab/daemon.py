"""`FsrvpdProcess`: fsrvpd in a lab, and its log, which proves that it answered."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sysconfig
from pathlib import Path
from typing import Any, Mapping, NamedTuple, Optional, Sequence

from fsrvpd.protocol.hresult import HResult
from lab.namespaces import (
    Argument,
    CommandFailed,
    LabError,
    LabProcess,
    Namespaces,
    describe,
    wait_until,
)
from lab.samba import Samba

# `make test` names the scripts of the built wheel. The default is this tree's.
SCRIPTS = Path(os.environ.get("FSRVPD_SCRIPTS") or sysconfig.get_path("scripts"))
CALL = re.compile(
    r"\bevent=call(?:-refused)? opnum=(?P<opnum>\d+) method=(?P<method>\w+) result=(?P<result>\w+)"
    r" client=(?P<client>\S+)"
)


class Call(NamedTuple):
    """One answered call, as the daemon logs it at level 3."""

    opnum: int
    method: str
    result: int
    client: str


class FsrvpdProcess:
    """One daemon.

    `options` are passed as --option=NAME=VALUE, which override smb.conf. `scripts` is the
    directory of the commands in the lab, by default of the version under test.
    """

    def __init__(
        self,
        lab: Namespaces,
        samba: Samba,
        options: Optional[Mapping[str, str]] = None,
        *,
        debug_level: int = 3,
        scripts: Path = SCRIPTS,
    ) -> None:
        self.lab = lab
        self.samba = samba
        self.log = lab.directory / "log.fsrvpd"
        self._options = dict(options or {})
        self._debug_level = debug_level
        self._scripts = scripts
        self._process: Optional[LabProcess] = None

    @property
    def pid(self) -> int:
        """Return its process id outside the lab. Raises: LabError if it does not run."""
        if self._process is None or self._process.poll() is not None:
            raise LabError(f"fsrvpd does not run\n{self.tail()}")
        return self._process.pid

    def start(self, before: Sequence[Argument] = ()) -> None:
        """Start it and wait for its pid file and for an answer to a ping.

        `before` is a command that runs the daemon. Raises: LabError with its log.
        """
        overrides = [f"--option={name}={value}" for name, value in self._options.items()]
        debug = ["-d", str(self._debug_level)]
        self._process = self.lab.popen(
            [*before, self._scripts / "fsrvpd", "-F", "-s", self.samba.conf, *debug, *overrides],
            output=self.log,
        )
        try:
            wait_until("fsrvpd answers a ping", self._answers)
        except LabError as error:
            last = describe(self.ctl("ping", check=False))
            raise LabError(f"{error}\n{last}--- end of {self.log}\n{self.tail()}") from None

    def stop(self) -> None:
        """Stop it as an admin does, and wait. Raises: LabError if it fails."""
        status = self._end(signal.SIGTERM)
        if status != 0:
            raise LabError(f"fsrvpd ended with status {status}\n{self.tail()}")

    def kill(self) -> None:
        """Kill it, as in a crash."""
        self._end(signal.SIGKILL)

    def suspend(self) -> None:
        """Stop it by SIGSTOP, so that it does nothing and still exists."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        if self._process is not None:
            self._process.resume()

    def restart(self) -> None:
        self.stop()
        self.start()

    def ctl(
        self, message: str, *parameters: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run `fsrvpctl fsrvpd MESSAGE PARAMETER…`."""
        return self.command("fsrvpd", message, *parameters, check=check)

    @property
    def fsrvpctl(self) -> list[Argument]:
        """Return fsrvpctl with the options for this configuration."""
        return [self._scripts / "fsrvpctl", "-s", self.samba.conf]

    def command(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `fsrvpctl WORDS…`."""
        done = self.lab.run([*self.fsrvpctl, *words], check=False)
        if check and done.returncode != 0:
            raise CommandFailed(done, f"--- end of {self.log}\n{self.tail()}\n")
        return done

    def ask(self, message: str, *parameters: str) -> Any:
        """Run `fsrvpctl fsrvpd MESSAGE PARAMETER… --json`. Returns the parsed reply, also of
        `status` with a problem, and of `check-path` of what cannot be copied."""
        done = self.ctl(message, *parameters, "--json", check=False)
        if not done.stdout or done.returncode not in (0, 1):
            raise CommandFailed(done, f"--- end of {self.log}\n{self.tail()}\n")
        return json.loads(done.stdout)

    def calls(self) -> list[Call]:
        """List all calls that this daemon answered, including before restarts."""
        return [
            Call(int(line["opnum"]), line["method"], _result(line["result"]), line["client"])
            for line in CALL.finditer(self.read_log())
        ]

    def read_log(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self, lines: int = 60) -> str:
        return "\n".join(self.read_log().splitlines()[-lines:])

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise LabError("fsrvpd ended at once")
        pid_file = self.samba.place("pid directory") / "fsrvpd.pid"
        return pid_file.exists() and self.ctl("ping", check=False).returncode == 0

    def _end(self, number: signal.Signals) -> int:
        process = self._process
        if process is None:
            raise LabError("fsrvpd was not started")
        process.signal(number)
        self._process = None
        return process.wait()


def _result(text: str) -> int:
    """Parse a result of the log: a name from MS-FSRVP, or a number."""
    return int(text, 16) if text.startswith("0x") else int(HResult[text])
