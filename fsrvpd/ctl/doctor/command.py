"""`fsrvpctl doctor`: checks the whole installation and makes a test copy."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
from typing import Any, Generator, Iterator

from fsrvpd.config.load import read_configuration
from fsrvpd.ctl.client import ask
from fsrvpd.ctl.doctor import cluster_checks, domain_checks, host_checks, share_checks
from fsrvpd.ctl.doctor.environment import Environment
from fsrvpd.ctl.doctor.result import Finding, Severity
from fsrvpd.ctl.doctor.smb_user import login
from fsrvpd.ctl.doctor.trial_copy import try_shadow_copy
from fsrvpd.errors import FsrvpdError
from fsrvpd.samba_command_line import control_socket, open_registry, samba_tools

EXIT_FOUND = 1
CHECKS = (host_checks, cluster_checks, domain_checks, share_checks)


def doctor(arguments: argparse.Namespace) -> int:
    """Status 0 when no check has failed; warnings do not count. Whatever happens, --json prints
    what was found, and a test copy is deleted."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    findings: list[Finding] = []
    try:
        with contextlib.closing(_explained(arguments)) as found:
            for finding in found:
                findings.append(finding)
                if not arguments.json:
                    print(finding.lines(), flush=True)
    finally:
        if arguments.json:
            print(json.dumps([finding.as_json() for finding in findings], indent=2))
    if not arguments.json:
        print(_summary(findings))
    return EXIT_FOUND if any(each.severity is Severity.FAIL for each in findings) else 0


def _explained(arguments: argparse.Namespace) -> Generator[Finding, None, None]:
    """What ends the examination is its last finding."""
    try:
        yield from _findings(arguments)
    except FsrvpdError as error:
        yield Finding(Severity.FAIL, "doctor", str(error), "fsrvpctl check-config")
    except OSError as error:
        yield Finding(Severity.FAIL, "doctor", str(error), "df -h")


def _findings(arguments: argparse.Namespace) -> Iterator[Finding]:
    with contextlib.closing(open_registry(arguments, to_read=True)) as registry:
        try:
            configuration = read_configuration(registry)
        except FsrvpdError as error:
            yield Finding(Severity.FAIL, "smb.conf", str(error), "fsrvpctl check-config")
            return

        path = control_socket(configuration.samba.state_directory)

        def ask_daemon(message: str, *parameters: str) -> Any:
            return ask(path, message, parameters)

        environment = Environment(registry, samba_tools(arguments), configuration, ask_daemon)
        failed_before = False
        for check in (check for kind in CHECKS for check in kind.CHECKS):
            for finding in check(environment):
                failed_before = failed_before or finding.severity is Severity.FAIL
                yield finding
        if arguments.no_self_test:
            return
        if failed_before:
            yield Finding(Severity.NOTE, "self-test", "not run: fix the failures above first")
            return
        role = configuration.samba.server_role
        smb_login = login(arguments.user, arguments.authentication_file, role)
        yield from try_shadow_copy(environment, arguments.share, smb_login)


def _summary(findings: list[Finding]) -> str:
    failed = sum(finding.severity is Severity.FAIL for finding in findings)
    warned = sum(finding.severity is Severity.WARN for finding in findings)
    return f"{failed} failed, {warned} warning{'' if warned == 1 else 's'}"
