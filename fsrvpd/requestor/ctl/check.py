"""`fsrvpshadow check`: what will fail tonight, on one screen, and what to type."""

from __future__ import annotations

import argparse
from collections import Counter
from contextlib import closing
from typing import Iterator

from fsrvpd.requestor.checks.findings import Finding, Severity, ShareReport
from fsrvpd.requestor.ctl.exit_status import EXIT_DONE, EXIT_FAILED
from fsrvpd.requestor.ctl.opening import open_check
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.ctl.settings import need_shares, read
from fsrvpd.terminal import one_line, wrapped

_SEVERITIES = 5  # columns
_TOPICS = 9


def check(arguments: argparse.Namespace, output: Output) -> int:
    settings = read(arguments)
    shares = need_shares(settings)
    status = EXIT_DONE
    with closing(open_check(settings)) as checks:
        for report in checks.shares(shares):
            output.result("\n".join(described(report)), **report.as_json())
            if report.will_fail:
                status = EXIT_FAILED
    return status


def described(report: ShareReport) -> Iterator[str]:
    yield one_line(report.given)
    for finding in report.findings:
        yield _line(finding)
        if finding.next_step:
            yield wrapped(f"→ {one_line(finding.next_step)}", " " * (_SEVERITIES + _TOPICS + 4))
    yield f"  {_end(report)}"


def _end(report: ShareReport) -> str:
    counted = Counter(finding.severity for finding in report.findings)
    if counted[Severity.FAIL]:
        return f"a backup will FAIL: {counted[Severity.FAIL]} of the above"
    if counted[Severity.WARN]:
        return "a backup will work, but most likely not as intended"
    return "a backup will work"


def _line(finding: Finding) -> str:
    severity = f"{finding.severity.value:<{_SEVERITIES}}"
    start = f"  {severity} {finding.topic:<{_TOPICS}} "
    return start + wrapped(one_line(finding.text), " " * len(start)).lstrip()
