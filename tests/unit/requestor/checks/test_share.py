"""The right to have a share copied, and the right to read it."""

from __future__ import annotations

import pytest

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from fsrvpd.requestor.checks.findings import Severity
from fsrvpd.requestor.errors import AccessRefused, Disconnected, RequestorError
from fsrvpd.requestor.smb.records import Space
from tests.unit.requestor.checks.stand_ins import (
    GIB,
    READABLE,
    Network,
    finding,
    refusal,
    report,
)

DENIED = AccessRefused(r"\\nas\data", "the account may not read it", "")


def test_what_was_opened_is_counted() -> None:
    found = report(Network()).findings
    assert finding(found, "read").text == "all 12 files and 3 directories can be opened"
    assert finding(found, "space").text == "40.0 GiB of 100.0 GiB free"


def test_some_files_that_cannot_be_read_are_a_warning() -> None:
    trial = READABLE._replace(refused=("a", "b", "c", "d"), complete=False)
    read = finding(report(Network(trial=trial)).findings, "read")
    assert read.severity is Severity.WARN
    assert "may not open a, b, c and 1 more: 4 of 12 files and 3 directories" in read.text
    assert read.next_step == (r"on fsrvpd's server, in [data]: fsrvp:backup users = LAB\backup")


def test_nothing_that_can_be_read_is_a_failure() -> None:
    trial = READABLE._replace(directories=1, files=2, refused=("a", "b"))
    assert finding(report(Network(trial=trial)).findings, "read").severity is Severity.FAIL


def test_a_share_of_directories_alone_is_no_failure() -> None:
    trial = READABLE._replace(directories=2, files=0, refused=("a",))
    assert finding(report(Network(trial=trial)).findings, "read").severity is Severity.WARN


def test_an_empty_share_can_be_read() -> None:
    trial = READABLE._replace(directories=1, files=0)
    read = finding(report(Network(trial=trial)).findings, "read")
    assert read.severity is Severity.OK
    assert read.text == "all 0 files and 1 directory can be opened"


def test_the_right_to_snapshot_is_not_the_right_to_read() -> None:
    found = report(Network(trial=DENIED))
    assert found.will_fail
    assert finding(found.findings, "read").severity is Severity.FAIL
    assert r"LAB\backup may not list it" in finding(found.findings, "read").text
    assert "valid users" in finding(found.findings, "read").next_step
    assert finding(found.findings, "snapshot").severity is Severity.OK


def test_the_right_to_read_is_not_the_right_to_snapshot() -> None:
    for answer in (
        m.refusal(Opnum.IsPathSupported, HResult.E_ACCESSDENIED),
        AccessRefused("nas", "fault", ""),
    ):
        found = report(Network(answers={Opnum.IsPathSupported: answer}))
        snapshot = finding(found.findings, "snapshot")
        assert snapshot.severity is Severity.FAIL
        assert snapshot.text == r"LAB\backup may not have shares copied"
        assert r"net sam rights grant 'LAB\backup' SeBackupPrivilege" in snapshot.next_step
        assert finding(found.findings, "read").severity is Severity.OK


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (HResult.FSRVP_E_NOT_SUPPORTED, "nothing on the server can copy the volume"),
        (HResult.FSRVP_E_OBJECT_NOT_FOUND, "the agent knows no such share"),
        (HResult.E_INVALIDARG, "E_INVALIDARG (0x80070057)"),
        (0x12345678, "0x12345678"),
    ],
)
def test_other_refusals_name_the_line_for_the_server(result: HResult, text: str) -> None:
    found = report(Network(answers=refusal(Opnum.IsPathSupported, result)))
    snapshot = finding(found.findings, "snapshot")
    assert text in snapshot.text
    assert "fsrvpctl fsrvpd check-path data" in snapshot.next_step


def test_a_share_that_is_not_supported() -> None:
    answer = m.PathSupportedResponse(0, False, None)
    found = report(Network(answers={Opnum.IsPathSupported: answer}))
    assert "nothing on the server" in finding(found.findings, "snapshot").text


def test_a_foreign_owner_is_told() -> None:
    answer = m.PathSupportedResponse(0, True, "EVIL")
    found = report(Network(answers={Opnum.IsPathSupported: answer}))
    snapshot = finding(found.findings, "snapshot")
    assert snapshot.severity is Severity.FAIL
    assert "'EVIL', which did not prove" in snapshot.text
    assert "`owners`" in snapshot.next_step


def test_a_server_that_goes_away_is_told() -> None:
    gone = Disconnected("nas", "the connection broke", "see whether the server runs")
    found = report(Network(trial=gone, answers={Opnum.IsPathSupported: gone}))
    for topic in ("read", "snapshot"):
        assert finding(found.findings, topic).text == "the connection broke"


def test_a_share_that_is_not_there() -> None:
    missing = RequestorError(r"\\nas\data", "is not there", "smbclient -L nas")
    read = finding(report(Network(trial=missing)).findings, "read")
    assert (read.text, read.next_step) == ("is not there", "smbclient -L nas")


def test_a_volume_that_is_nearly_full_is_a_warning() -> None:
    trial = READABLE._replace(space=Space(100 * GIB, GIB))
    space = finding(report(Network(trial=trial)).findings, "space")
    assert space.severity is Severity.WARN


def test_existing_copies_are_noted() -> None:
    answer = m.PathShadowCopiedResponse(0, True)
    found = report(Network(answers={Opnum.IsPathShadowCopied: answer}))
    assert "fsrvpshadow list" in [each.next_step for each in found.findings]
    gone = RequestorError("nas", "gone", "")
    assert not report(Network(answers={Opnum.IsPathShadowCopied: gone})).will_fail
