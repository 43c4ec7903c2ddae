"""The basic exchange behind the smbd of each release, with its own clients and Python."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.core.messages import Opnum
from tests.interop.site import TORTURE_SHARE, Site
from tests.interop.test_torture import TESTS, dialect, run_suite
from tests.lab import fss
from tests.versions.releases import RELEASES, Release, open_site, versions

BINDINGS = ["sign", "seal", "spnego,sign", "spnego,seal"]
SUITE_OPTIONS = {**dialect("ws2012"), "fsrvpd:require rpc integrity": "no"}
OLD, NEW = "Draft of Monday.\n", "Overwritten on Tuesday.\n"


@pytest.fixture(scope="module", params=RELEASES, ids=lambda release: release.name)
def release(request: pytest.FixtureRequest) -> Release:
    chosen: Release = request.param
    return chosen


@pytest.fixture(scope="module")
def site(release: Release, wheel: Path) -> Iterator[Site]:
    with open_site(release, wheel) as opened:
        yield opened


def test_versions(site: Site, release: Release) -> None:
    samba, python = versions(site)
    print(f"{release.name}: Samba {samba}, Python {python}")
    assert samba.startswith(release.samba)
    assert python.startswith(release.python)


def test_sambas_library_is_used(site: Site) -> None:
    """Our worker lives in there, and did not leave it to the command line tools."""
    assert any("samba_hooks.worker" in argv for argv in site.lab.processes().values())
    assert "using net, sharesec and testparm instead" not in site.daemon.read_log()


@pytest.mark.parametrize("binding", BINDINGS)
def test_a_backup(site: Site, binding: str) -> None:
    """Who the caller is comes from smbd, the proof of it from that Samba's passdb."""
    site.samba.write(TORTURE_SHARE, "report.txt", OLD)
    before = len(site.daemon.calls())
    [copy] = fss.create_expose(site.samba, TORTURE_SHARE, binding=binding)
    site.samba.write(TORTURE_SHARE, "report.txt", NEW)
    assert site.samba.read(copy.share, "report.txt") == OLD
    assert site.samba.read(TORTURE_SHARE, "report.txt") == NEW
    assert fss.get_mapping(site.samba, copy, binding=binding) == copy
    fss.delete(site.samba, copy, binding=binding)
    site.assert_nothing_is_left()
    answered = {call.opnum for call in site.daemon.calls()[before:]}
    assert {Opnum.ExposeShadowCopySet, Opnum.DeleteShareMapping} <= answered


def test_unsigned_calls_are_denied(site: Site) -> None:
    done = site.samba.rpcclient("fss_get_sup_version", check=False)
    assert "0x80070005" in done.stdout + done.stderr


def test_previous_version(site: Site) -> None:
    site.samba.write(TORTURE_SHARE, "report.txt", OLD)
    [copy] = fss.create_expose(site.samba, TORTURE_SHARE, binding="sign")
    site.samba.write(TORTURE_SHARE, "report.txt", NEW)
    listed = site.samba.smbclient(TORTURE_SHARE, "allinfo report.txt").stdout
    [token] = {word for word in listed.split() if word.startswith("@GMT-")}
    assert site.samba.read(TORTURE_SHARE, rf"{token}\report.txt") == OLD
    fss.delete(site.samba, copy, binding="sign")


def test_ordinary_user_is_denied(site: Site) -> None:
    """The token says so, in the form of that Samba."""
    clerk = site.samba.add_user("clerk")
    assert fss.refusal(site.samba, "fss_get_sup_version", user=clerk) == 0x80070005


@pytest.mark.parametrize("binding", ["", "sign", "seal"])
def test_sambas_suite(release: Release, wheel: Path, binding: str) -> None:
    with open_site(release, wheel, SUITE_OPTIONS) as site:
        verdicts, said = run_suite(site, "rpc.fsrvp", binding)
        assert verdicts == dict.fromkeys(TESTS, "success"), said


@pytest.mark.parametrize("binding", ["ndr64,sign", "ndr64,seal"])
def test_in_ndr64(release: Release, wheel: Path, binding: str) -> None:
    """One test of the suite: not all of the others keep to our pipe."""
    with open_site(release, wheel, SUITE_OPTIONS) as site:
        verdicts, said = run_suite(site, "rpc.fsrvp.fsrvp.create_simple", binding)
        assert verdicts == {"create_simple": "success"}, said


def test_restart(site: Site) -> None:
    [copy] = fss.create_expose(site.samba, TORTURE_SHARE, binding="sign")
    site.daemon.restart()
    assert fss.get_mapping(site.samba, copy, binding="sign") == copy
    fss.delete(site.samba, copy, binding="sign")
    site.assert_nothing_is_left()
