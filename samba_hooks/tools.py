"""Runs Samba's command line tools with the daemon's -s and --option."""

from __future__ import annotations

import errno
import os
import shlex
from typing import Optional, Sequence

from fsrvpd.errors import RegistryError
from fsrvpd.run_command import CommandFailed, run

_UTC = {"TZ": "UTC0"}  # so that times can be parsed


def samba_arguments(config_file: Optional[str], overrides: Sequence[tuple[str, str]]) -> list[str]:
    """Options that make Samba's tools read the same configuration as fsrvpd."""
    chosen = [] if config_file is None else [f"--configfile={config_file}"]
    return chosen + [f"--option={name}={value}" for name, value in overrides]


class SambaTools:
    """`timeout` is in seconds and for each command."""

    def __init__(
        self,
        config_file: Optional[str],
        overrides: Sequence[tuple[str, str]],
        timeout: float,
    ) -> None:
        self.config_file = os.path.abspath(config_file) if config_file else None
        self.arguments = samba_arguments(self.config_file, overrides)
        self._options = samba_arguments(None, overrides)
        self._timeout = timeout

    def run(self, tool: str, *arguments: str, secret: bool = False) -> str:
        """The standard output of `tool -s FILE --option=… arguments`. If it is secret, no error
        message contains any of it. Raises: RegistryError."""
        return self._checked([tool, *self.arguments, *arguments], secret)

    def testparm(self) -> str:
        """The whole configuration with all defaults, including shares of the registry.

        Raises: RegistryError.
        """
        file_argument = [self.config_file] if self.config_file else []
        arguments = ["testparm", "--suppress-prompt", "--verbose"]
        return self._checked([*arguments, *self._options, *file_argument])

    def all_parameters(self) -> str:
        """Every parameter that this Samba has. Raises: RegistryError."""
        return self._checked(["testparm", "--show-all-parameters"])

    def parameter(self, name: str) -> str:
        """One parameter of [global]. Works for every user: the registry, which only root can read,
        is left out. Raises: RegistryError."""
        file_argument = [self.config_file] if self.config_file else []
        arguments = ["testparm", "--suppress-prompt", f"--parameter-name={name}"]
        off = "--option=registry shares=no"
        return self._checked([*arguments, *self._options, off, *file_argument]).strip()

    def parameter_in(self, path: str, name: str) -> str:
        """One parameter of [global] in another smb.conf. Raises: RegistryError if Samba cannot read
        it."""
        arguments = ["testparm", "--suppress-prompt", f"--parameter-name={name}"]
        return self._checked([*arguments, *self._options, path]).strip()

    def printed(self, path: str) -> str:
        """An smb.conf and what it includes, without the defaults and the shares of the registry.
        Raises: RegistryError if Samba cannot read it."""
        arguments = ["testparm", "--suppress-prompt", "--skip-logic-checks"]
        off = "--option=registry shares=no"
        return self._checked([*arguments, *self._options, off, path])

    def version(self) -> str:
        return self._checked(["smbd", "--version"]).split()[-1]

    def log_directory(self) -> str:
        """The log directory of this build of Samba. Raises: RegistryError."""
        return self.build_option("LOGFILEBASE", "set `log file` in smb.conf")

    def default_config_file(self) -> str:
        """The smb.conf of this build of Samba. Raises: RegistryError."""
        return self.build_option("CONFIGFILE", "start fsrvpd with --configfile")

    def build_options(self) -> str:
        """How this Samba was built. Raises: RegistryError."""
        return self._checked(["smbd", "--build-options"])

    def build_option(self, wanted: str, remedy: str) -> str:
        """One of them. Raises: RegistryError, with the remedy if there is none."""
        for line in self.build_options().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == wanted:
                return value.strip()
        raise RegistryError(f"smbd --build-options shows no {wanted}; {remedy}")

    def _unreadable(self, argv: Sequence[str]) -> str:
        """What is wrong in smb.conf, which makes each of the tools fail in words of its own."""
        from samba_hooks.registry import smb_conf_faults  # needed by no command that succeeds

        if argv[0] == "smbd":  # which tells where smb.conf is
            return ""
        try:
            path = self.config_file or self.default_config_file()
        except RegistryError:
            return ""
        fault = smb_conf_faults.find(path) if os.path.exists(path) else ""
        return smb_conf_faults.unreadable(path, fault) if fault else ""

    def _checked(self, argv: Sequence[str], secret: bool = False) -> str:
        try:
            return run(argv, timeout=self._timeout, environment={**os.environ, **_UTC}).stdout
        except CommandFailed as failed:
            if failed.error_number == errno.ENOENT:
                message = f"{argv[0]} is not installed; install Samba's tools"
            elif failed.status is None:
                message = f"{shlex.join(argv)}: {failed}"
            elif why := self._unreadable(argv):
                message = why
            else:
                printed = failed.stderr or ("" if secret else failed.stdout.strip())
                message = f"{shlex.join(argv)}: {printed or f'exit status {failed.status}'}"
            raise RegistryError(message) from None
