"""The basic exchange behind the smbd of each release, with its own clients and Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.core.messages import Opnum
from lab import Share, fss
from samba_hooks import testparm
from samba_hooks.registry.parameters import PARAMETERS
from tests.interop.nas import TORTURE_SHARE, Nas
from tests.interop.test_torture import TESTS, dialect, run_suite
from tests.versions.releases import RELEASES, SCRIPTS, Release, open_nas, versions

BINDINGS = ["sign", "seal", "spnego,sign", "spnego,seal"]
SUITE_OPTIONS = {**dialect("ws2012"), "fsrvpd:require rpc integrity": "no"}
GETTERS = Path(__file__).parents[1] / "contract" / "samba" / "getters.py"
OLD, NEW = "Draft of Monday.\n", "Overwritten on Tuesday.\n"


@pytest.fixture(scope="module", params=RELEASES, ids=lambda release: release.name)
def release(request: pytest.FixtureRequest) -> Release:
    chosen: Release = request.param
    return chosen


@pytest.fixture(scope="module")
def nas(release: Release, wheel: Path) -> Iterator[Nas]:
    with open_nas(release, wheel) as opened:
        yield opened


def test_versions(nas: Nas, release: Release) -> None:
    samba, python = versions(nas)
    print(f"{release.name}: Samba {samba}, Python {python}")
    assert samba.startswith(release.samba)
    assert python.startswith(release.python)


def test_sambas_library_is_used(nas: Nas) -> None:
    """The workers can use the libraries, so the command line tools are not needed."""
    for worker in ("samba_hooks.registry.worker", "samba_hooks.accounts.worker"):
        assert any(worker in argv for argv in nas.lab.processes().values()), worker
    assert "using net, sharesec and testparm instead" not in nas.daemon.read_log()
    assert "using pdbedit instead" not in nas.daemon.read_log()


def test_every_share_parameter_is_decided(nas: Nas) -> None:
    shown = nas.samba.run(["testparm", "--show-all-parameters"]).stdout
    assert testparm.share_parameters(shown).keys() - PARAMETERS.keys() == {"-valid"}


def test_values_are_what_sambas_getters_return(nas: Nas) -> None:
    script = nas.lab.directory / GETTERS.name
    nas.lab.seen(script).write_text(GETTERS.read_text())
    root = nas.volumes["data"]
    written = {"quoted": f'"{root}/My Data"', "by-name": f"{root}/%S", "half": f'"{root}/half'}
    for name, value in written.items():
        nas.samba.set_share(Share(name, Path(value), {"veto files": f'"/{name}/"'}))
    done = nas.samba.run([SCRIPTS / "python", script, nas.samba.conf, *written])
    for name, values in json.loads(done.stdout)["shares"].items():
        shown = nas.daemon.ctl("check-path", name, "--json", check=False)
        assert json.loads(shown.stdout)["path"] == values["path"].replace("%S", name)
        assert values["veto files"] == f"/{name}/"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[broken\n", "the section `[broken` has no closing bracket"),
        ("[b]\n\tread only = maybe\n", "Samba does not take `read only = maybe`"),
        ("[b]\n\tcsc policy = no\n", "Samba does not take `csc policy = no`"),
        ("[b]\n\tcopy = nobody\n", "no section [nobody] is before this line"),
        ("[b]\n\tinclude = {conf}\n", "includes itself"),
    ],
)
def test_the_line_for_which_samba_refuses_smb_conf(nas: Nas, text: str, fault: str) -> None:
    conf = nas.samba.conf
    good = conf.read_text()
    conf.write_text(good + text.format(conf=conf))
    try:
        testparm_refuses = nas.samba.run(["testparm", "-s", conf], check=False).returncode != 0
        assert testparm_refuses == bool(fault)
        said = nas.daemon.command("check-config", check=False)
        assert (f"Samba cannot read {conf}: {conf}, line " in said.stderr) == bool(fault)
        assert fault in said.stderr
    finally:
        conf.write_text(good)


@pytest.mark.parametrize("binding", BINDINGS)
def test_a_backup(nas: Nas, binding: str) -> None:
    """smbd reports the caller, and the release's passdb verifies the login."""
    nas.samba.write(TORTURE_SHARE, "report.txt", OLD)
    before = len(nas.daemon.calls())
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE, binding=binding)
    nas.samba.write(TORTURE_SHARE, "report.txt", NEW)
    assert nas.samba.read(copy.share, "report.txt") == OLD
    assert nas.samba.read(TORTURE_SHARE, "report.txt") == NEW
    assert fss.get_mapping(nas.samba, copy, binding=binding) == copy
    fss.delete(nas.samba, copy, binding=binding)
    nas.assert_nothing_is_left()
    answered = {call.opnum for call in nas.daemon.calls()[before:]}
    assert {Opnum.ExposeShadowCopySet, Opnum.DeleteShareMapping} <= answered


def test_unsigned_calls_are_denied(nas: Nas) -> None:
    done = nas.samba.rpcclient("fss_get_sup_version", check=False)
    assert "0x80070005" in done.stdout + done.stderr


def test_previous_version(nas: Nas) -> None:
    nas.samba.write(TORTURE_SHARE, "report.txt", OLD)
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE, binding="sign")
    nas.samba.write(TORTURE_SHARE, "report.txt", NEW)
    listed = nas.samba.smbclient(TORTURE_SHARE, "allinfo report.txt").stdout
    [token] = {word for word in listed.split() if word.startswith("@GMT-")}
    assert nas.samba.read(TORTURE_SHARE, rf"{token}\report.txt") == OLD
    fss.delete(nas.samba, copy, binding="sign")


def test_ordinary_user_is_denied(nas: Nas) -> None:
    """The decision comes from the token, in the format of the release's Samba."""
    ordinary_user = nas.samba.add_user("clerk")
    assert fss.refusal(nas.samba, "fss_get_sup_version", user=ordinary_user) == 0x80070005


@pytest.mark.parametrize("binding", ["", "sign", "seal"])
def test_sambas_suite(release: Release, wheel: Path, binding: str) -> None:
    with open_nas(release, wheel, SUITE_OPTIONS) as nas:
        results, said = run_suite(nas, "rpc.fsrvp", binding)
        assert results == dict.fromkeys(TESTS, "success"), said


@pytest.mark.parametrize("binding", ["ndr64,sign", "ndr64,seal"])
def test_in_ndr64(release: Release, wheel: Path, binding: str) -> None:
    """Only one test of the suite runs: some of the others use other pipes as well."""
    with open_nas(release, wheel, SUITE_OPTIONS) as nas:
        results, said = run_suite(nas, "rpc.fsrvp.fsrvp.create_simple", binding)
        assert results == {"create_simple": "success"}, said


def test_restart(nas: Nas) -> None:
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE, binding="sign")
    nas.daemon.restart()
    assert fss.get_mapping(nas.samba, copy, binding="sign") == copy
    fss.delete(nas.samba, copy, binding="sign")
    nas.assert_nothing_is_left()
