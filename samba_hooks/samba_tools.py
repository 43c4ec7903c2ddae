"""Samba's own command line tools, run one at a time with the daemon's -s and --option."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
import time
from typing import Mapping, Optional, Sequence

from fsrvpd.errors import RegistryError

logger = logging.getLogger("samba_hooks.tools")


def samba_arguments(config_file: Optional[str], overrides: Sequence[tuple[str, str]]) -> list[str]:
    """What makes Samba's own tools read the same configuration as we do."""
    chosen = [] if config_file is None else [f"--configfile={config_file}"]
    return chosen + [f"--option={name}={value}" for name, value in overrides]


class SambaTools:
    """`timeout` in seconds and for each command."""

    def __init__(
        self,
        config_file: Optional[str],
        overrides: Sequence[tuple[str, str]],
        timeout: float,
    ) -> None:
        self.config_file = config_file
        self.arguments = samba_arguments(config_file, overrides)
        self._options = samba_arguments(None, overrides)
        self._timeout = timeout

    def run(self, tool: str, *arguments: str, secret: bool = False) -> str:
        """stdout of `tool -s FILE --option=… arguments`; when it is secret no error repeats
        any of it. Raises: RegistryError."""
        return self._checked([tool, *self.arguments, *arguments], secret)

    def testparm(self) -> str:
        """The whole configuration with all defaults, the registry's shares included."""
        file_argument = [self.config_file] if self.config_file else []
        arguments = ["testparm", "--suppress-prompt", "--verbose"]
        return self._checked([*arguments, *self._options, *file_argument])

    def parameter(self, name: str) -> str:
        """One parameter of [global], without looking into the registry, which only root can
        read. Raises: RegistryError."""
        file_argument = [self.config_file] if self.config_file else []
        arguments = ["testparm", "--suppress-prompt", f"--parameter-name={name}"]
        off = "--option=registry shares=no"
        return self._checked([*arguments, *self._options, off, *file_argument]).strip()

    def check_file(self, path: str) -> None:
        """Raises: RegistryError when Samba cannot read this smb.conf."""
        self._checked(["testparm", "--suppress-prompt", *self._options, path])

    def version(self) -> str:
        return self._checked(["smbd", "--version"]).split()[-1]

    def log_directory(self) -> str:
        """Where this Samba was built to log. Raises: RegistryError."""
        for line in self._checked(["smbd", "--build-options"]).splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "LOGFILEBASE":
                return value.strip()
        raise RegistryError("smbd --build-options names no LOGFILEBASE; set `log file` in smb.conf")

    def _checked(self, argv: Sequence[str], secret: bool = False) -> str:
        start = time.monotonic()
        try:
            done = subprocess.run(  # noqa: S603 - an argument vector, no shell
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="surrogateescape",
                timeout=self._timeout,
                env=_environment(),
                check=False,
            )
        except FileNotFoundError as error:
            raise RegistryError(f"{argv[0]}: not installed; install Samba's tools") from error
        except subprocess.TimeoutExpired as error:
            raise RegistryError(f"{shlex.join(argv)}: no end after {self._timeout:g} s") from error
        logger.debug(
            "%s: status %d, %.3f s", shlex.join(argv), done.returncode, time.monotonic() - start
        )
        if done.returncode != 0:
            shown = "" if secret else done.stdout.strip()
            said = done.stderr.strip() or shown or f"status {done.returncode}"
            raise RegistryError(f"{shlex.join(argv)}: {said}")
        return done.stdout


def _environment() -> Mapping[str, str]:
    """For output that can be parsed: in no language, and times in no zone."""
    return {**os.environ, "LC_ALL": "C", "TZ": "UTC0"}
