"""`fsrvpctl doctor`: the whole installation examined, and a shadow copy tried."""

from __future__ import annotations

import argparse
import contextlib
import json
from typing import Any, Iterator

from fsrvpd.command_line import open_registry, samba_tools
from fsrvpd.configuration import read_configuration
from fsrvpd.ctl import examination, membership
from fsrvpd.ctl.circumstances import Circumstances
from fsrvpd.ctl.client import ask
from fsrvpd.ctl.findings import Finding, Grade
from fsrvpd.ctl.send import socket_path
from fsrvpd.ctl.trial import login, try_shadow_copy
from fsrvpd.errors import FsrvpdError

EXIT_FOUND = 1


def examine(arguments: argparse.Namespace) -> int:
    """Status 0 when nothing has failed; warnings do not count."""
    findings: list[Finding] = []
    for finding in _findings(arguments):
        findings.append(finding)
        if not arguments.json:
            print(finding.lines(), flush=True)
    if arguments.json:
        print(json.dumps([finding.as_json() for finding in findings], indent=2))
    failed = [finding for finding in findings if finding.grade is Grade.FAIL]
    if not arguments.json:
        print(_summary(findings))
    return EXIT_FOUND if failed else 0


def _findings(arguments: argparse.Namespace) -> Iterator[Finding]:
    with contextlib.closing(open_registry(arguments)) as registry:
        try:
            configuration = read_configuration(registry)
        except FsrvpdError as error:
            yield Finding(Grade.FAIL, "smb.conf", str(error), "fsrvpctl check-config")
            return

        def question(message: str, *parameters: str) -> Any:
            return ask(socket_path(arguments), message, parameters)

        now = Circumstances(registry, samba_tools(arguments), configuration, question)
        hopeless = False
        for check in (*examination.CHECKS, *membership.CHECKS):
            for finding in check(now):
                hopeless = hopeless or finding.grade is Grade.FAIL
                yield finding
        if arguments.no_self_test:
            return
        if hopeless:
            yield Finding(Grade.NOTE, "self-test", "not tried: first mend what has failed")
            return
        role = configuration.samba.server_role
        who = login(arguments.user, arguments.authentication_file, role)
        yield from try_shadow_copy(now, arguments.share, who)


def _summary(findings: list[Finding]) -> str:
    failed = sum(finding.grade is Grade.FAIL for finding in findings)
    warned = sum(finding.grade is Grade.WARN for finding in findings)
    return f"{failed} failed, {warned} warning{'' if warned == 1 else 's'}"
