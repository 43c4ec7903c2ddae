"""Packaging: wheels for every supported machine, and alert rules that name real metrics."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from fsrvpd import __version__
from tests.built_wheel import built_wheel
from tests.paths import ROOT

MONITORING = ROOT / "packaging/monitoring"
METRIC = re.compile(r"\bfsrvpd_\w+")
SUFFIXES = ("_total", "_bucket", "_count", "_sum")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.mark.skipif(sys.version_info < (3, 11), reason="cibuildwheel wants Python 3.11")
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_wheels_are_built_for_both_libcs(machine: str) -> None:
    argv = ["-m", "cibuildwheel", "--platform", "linux", "--archs", machine]
    done = subprocess.run(
        [sys.executable, *argv, "--print-build-identifiers", str(ROOT)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.split() == [f"cp39-manylinux_{machine}", f"cp39-musllinux_{machine}"]


def test_the_wheel_keeps_to_old_systems_and_the_stable_abi(wheel: Path) -> None:
    assert "-cp39-abi3-linux_" in wheel.name
    argv = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=120).stdout
    found = re.search(r'platform tag: "manylinux_2_(\d+)_', " ".join(said.split()))
    assert found is not None, said
    assert int(found[1]) <= 28


def test_the_wheel_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"fsrvpd", "samba_hooks", f"fsrvpd-{__version__}.dist-info"}
    assert {"fsrvpd/py.typed", "samba_hooks/py.typed"} <= set(names)
    modules = {name for name in names if name.endswith(".py")}
    assert modules == {
        str(path.relative_to(ROOT))
        for package in ("fsrvpd", "samba_hooks")
        for path in (ROOT / package).rglob("*.py")
    }


def test_alerts_and_dashboard_name_metrics_that_exist() -> None:
    source = (ROOT / "fsrvpd/daemon/metrics.py").read_text()
    known = set(METRIC.findall(source))
    alerts = yaml.safe_load((MONITORING / "alerts.yml").read_text())
    rules = alerts["groups"][0]["rules"]
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    expressions = [rule["expr"] for rule in rules]
    expressions += [t["expr"] for panel in dashboard["panels"] for t in panel["targets"]]
    assert len(expressions) > 10
    for name in METRIC.findall(" ".join(expressions)):
        plain = next((name[: -len(s)] for s in SUFFIXES if name.endswith(s)), name)
        assert plain in known
    assert all(rule["annotations"]["action"] for rule in rules)
