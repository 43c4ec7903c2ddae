"""`FsrvpdProcess`: our daemon in a lab, and the proof that it was ours that answered."""

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
from tests.lab.namespaces import (
    Argument,
    CommandFailed,
    Lab,
    LabError,
    LabProcess,
    describe,
    wait_until,
)
from tests.lab.samba import Samba

# `make test` names those of the built wheel; without it they are those of this tree.
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
    """One daemon. `options` are given as --option=NAME=VALUE, over those of smb.conf;
    `scripts` is where the lab has the commands, by default those that are under test."""

    def __init__(
        self,
        lab: Lab,
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
        """As the machine sees it. Raises: LabError when it does not run."""
        if self._process is None or self._process.poll() is not None:
            raise LabError(f"fsrvpd does not run\n{self.tail()}")
        return self._process.pid

    def start(self, before: Sequence[Argument] = ()) -> None:
        """Start it and wait for its pid file and a pong; `before` is a command that runs
        another. Raises: LabError with its log."""
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
        """End it as an admin does, and wait. Raises: LabError when it ends badly."""
        status = self._end(signal.SIGTERM)
        if status != 0:
            raise LabError(f"fsrvpd ended with status {status}\n{self.tail()}")

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def ctl(
        self, message: str, *parameters: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """`fsrvpctl fsrvpd MESSAGE PARAMETER…`"""
        return self.command("fsrvpd", message, *parameters, check=check)

    @property
    def fsrvpctl(self) -> list[Argument]:
        """How to call it on this configuration."""
        return [self._scripts / "fsrvpctl", "-s", self.samba.conf]

    def command(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`fsrvpctl WORDS…`"""
        done = self.lab.run([*self.fsrvpctl, *words], check=False)
        if check and done.returncode != 0:
            raise CommandFailed(done, f"--- end of {self.log}\n{self.tail()}\n")
        return done

    def ask(self, message: str, *parameters: str) -> Any:
        """The same with --json, parsed."""
        return json.loads(self.ctl(message, *parameters, "--json").stdout)

    def calls(self) -> list[Call]:
        """All calls that this daemon answered, the earlier lives of it included."""
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
    """The log writes a result by its name in the document, or as a number."""
    return int(text, 16) if text.startswith("0x") else int(HResult[text])
