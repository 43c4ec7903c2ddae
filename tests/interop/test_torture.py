"""Samba's own suite rpc.fsrvp against our agent, in both dialects."""

from __future__ import annotations

import re
from typing import Iterator, Union

import pytest

from fsrvpd.core.messages import Opnum
from tests.interop.site import TORTURE_SHARE, Site, open_site
from tests.lab import fss

TIMEOUT = "1"  # seconds: the suite sleeps as long wherever it tests a timer
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
# What the suite pins of Windows Server 2012, and what the document says instead.
DIFFERENT = {
    "bad_id": "incorrect DeleteShareMapping response",  # OBJECT_NOT_FOUND, not E_INVALIDARG
    "seq_timeout": "timeout response",  # SHADOWCOPYSET_ID_MISMATCH, not E_INVALIDARG
    "enum_created": "num snaps",  # an Exposed set that was not recovered does not last
}
# Every method that the suite calls must be seen in our log: all but these.
NEVER_CALLED = {Opnum.IsPathShadowCopied, Opnum.RecoveryCompleteShadowCopySet}
VERDICT = re.compile(r"^(success|failure|error|skip): fsrvp\.(\w+)", re.MULTILINE)


def run_suite(
    site: Site, name: Union[str, list[str]], binding: str = ""
) -> tuple[dict[str, str], str]:
    """The verdict on each test, and what the suite said."""
    done = site.samba.smbtorture(name, f"--option=fss:sequence timeout={TIMEOUT}", binding=binding)
    verdicts = {test: verdict for verdict, test in VERDICT.findall(done.stdout)}
    return verdicts, f"{done.stdout}\n{done.stderr}\n{site.daemon.tail()}"


def dialect(name: str) -> dict[str, str]:
    return {"fsrvpd:dialect": name, "fss:sequence timeout": TIMEOUT}


def test_all_ten_pass_in_the_dialect_of_windows_server_2012() -> None:
    with open_site(dialect("ws2012")) as site:
        verdicts, said = run_suite(site, "rpc.fsrvp")
        assert verdicts == dict.fromkeys(TESTS, "success"), said
        seen = {call.opnum for call in site.daemon.calls()}
        assert seen == set(Opnum) - NEVER_CALLED, "somebody else answered"


@pytest.fixture(scope="module")
def current() -> Iterator[Site]:
    """A site in the default dialect, where a first snapshot has been and gone: without the
    directory of snapshots shadow_copy2 answers with an error, and not with `none`."""
    with open_site({"fss:sequence timeout": TIMEOUT}) as site:
        [copy] = fss.create_expose(site.samba, TORTURE_SHARE)
        fss.delete(site.samba, copy)
        yield site


@pytest.mark.parametrize("test", sorted(TESTS))
def test_current_dialect_differs_in_three(current: Site, test: str) -> None:
    """Each test by itself: one that fails leaves a file open, on which others stumble."""
    before = len(current.daemon.calls())
    verdicts, said = run_suite(current, f"rpc.fsrvp.fsrvp.{test}")
    if test in DIFFERENT:
        assert verdicts == {test: "failure"}, said
        assert DIFFERENT[test] in said
    else:
        assert verdicts == {test: "success"}, said
    assert len(current.daemon.calls()) > before, "somebody else answered"
