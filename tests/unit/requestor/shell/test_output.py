"""fsrvpd/requestor/shell/output.py"""

from __future__ import annotations

import io

from fsrvpd.requestor.shell.output import Output


def test_all_that_is_printed_is_in_the_log() -> None:
    stdout, stderr, log = io.StringIO(), io.StringIO(), io.StringIO()
    output = Output(stdout, stderr, log)
    output.line("\t* Shadow")
    output.error("x\x1b\ny")
    output.note("DISKSHADOW> exit")
    assert stdout.getvalue() == "\t* Shadow\n"
    assert stderr.getvalue() == "fsrvpshadow: x\\x1b\n    y\n"
    assert log.getvalue() == stdout.getvalue() + stderr.getvalue() + "DISKSHADOW> exit\n"


def test_without_a_log() -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    output = Output(stdout, stderr)
    output.note("nothing")
    output.line("x")
    assert (stdout.getvalue(), stderr.getvalue()) == ("x\n", "")
