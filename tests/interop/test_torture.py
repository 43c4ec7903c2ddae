"""Samba's own suite rpc.fsrvp against fsrvpd, in both dialects."""

from __future__ import annotations

import re
from typing import Iterator, Union

import pytest

from fsrvpd.core.messages import Opnum
from lab import fss
from tests.interop.nas import TORTURE_SHARE, Nas, open_nas

TIMEOUT = "1"  # seconds: the suite sleeps this long for each timer that it tests
TESTS = {
    "share_sd",
    "enum_created",
    "sc_share_io",
    "bad_id",
    "sc_set_abort",
    "create_simple",
    "set_ctx",
    "get_version",
    "is_path_supported",
    "seq_timeout",
}
# What the suite expects from Windows Server 2012, and what MS-FSRVP says instead.
DIFFERENT = {
    "bad_id": "incorrect DeleteShareMapping response",  # OBJECT_NOT_FOUND, not E_INVALIDARG
    "seq_timeout": "timeout response",  # SHADOWCOPYSET_ID_MISMATCH, not E_INVALIDARG
    "enum_created": "num snaps",  # an Exposed set that was not recovered does not last
}
# fsrvpd's log must show every method except these, which the suite does not call.
NEVER_CALLED = {Opnum.IsPathShadowCopied, Opnum.RecoveryCompleteShadowCopySet}
RESULT = re.compile(r"^(success|failure|error|skip): fsrvp\.(\w+)", re.MULTILINE)


def run_suite(
    nas: Nas, name: Union[str, list[str]], binding: str = ""
) -> tuple[dict[str, str], str]:
    """Run the suite. Returns the result of each test, and the suite's output."""
    done = nas.samba.smbtorture(name, f"--option=fss:sequence timeout={TIMEOUT}", binding=binding)
    results = {test: result for result, test in RESULT.findall(done.stdout)}
    return results, f"{done.stdout}\n{done.stderr}\n{nas.daemon.tail()}"


def dialect(name: str) -> dict[str, str]:
    return {"fsrvpd:dialect": name, "fss:sequence timeout": TIMEOUT}


def test_all_ten_pass_in_the_dialect_of_windows_server_2012() -> None:
    with open_nas(dialect("ws2012")) as nas:
        results, said = run_suite(nas, "rpc.fsrvp")
        assert results == dict.fromkeys(TESTS, "success"), said
        seen = {call.opnum for call in nas.daemon.calls()}
        assert seen == set(Opnum) - NEVER_CALLED, "somebody else answered"


@pytest.fixture(scope="module")
def current() -> Iterator[Nas]:
    """A NAS in the default dialect, on which a snapshot was taken and deleted: without the
    directory of snapshots shadow_copy2 returns an error instead of an empty list."""
    with open_nas({"fss:sequence timeout": TIMEOUT}) as nas:
        [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
        fss.delete(nas.samba, copy)
        yield nas


@pytest.mark.parametrize("test", sorted(TESTS))
def test_current_dialect_differs_in_three(current: Nas, test: str) -> None:
    """Run each test on its own: one that fails leaves a file open and makes others fail."""
    before = len(current.daemon.calls())
    results, said = run_suite(current, f"rpc.fsrvp.fsrvp.{test}")
    if test in DIFFERENT:
        assert results == {test: "failure"}, said
        assert DIFFERENT[test] in said
    else:
        assert results == {test: "success"}, said
    assert len(current.daemon.calls()) > before, "somebody else answered"
