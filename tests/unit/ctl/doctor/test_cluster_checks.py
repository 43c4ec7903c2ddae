"""Checks of a cluster, by what the tools of CTDB print."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Optional

import pytest

from fsrvpd.ctl.doctor import cluster_checks
from fsrvpd.ctl.doctor.environment import Environment
from fsrvpd.ctl.doctor.result import Finding, Severity
from tests.unit.ctl.doctor.examples import environment

OK, NOTE, WARN, FAIL = Severity
HEAD = "|Node|IP|Disconnected|Unknown|Banned|Disabled|Unhealthy|Stopped|Inactive|Partial|ThisNode|"
WELL = "0|0|0|0|0|0|0|0"
DATABASES = "|ID|Name|Path|Persistent|Sticky|Unhealthy|\n|0x1|registry.tdb|{}/registry.tdb.0|1|0|0|"


class Ctdb:
    """CTDB's command and its directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.prints: dict[str, Optional[str]] = {
            "version": "4.17.12",
            "-X nodestatus all": f"{HEAD}\n|0|10.0.0.1|{WELL}|Y|\n|1|10.0.0.2|{WELL}|N|",
            "getreclock": "!/usr/libexec/ctdb/ctdb_mutex_ceph_rados_helper ceph",
            "-X getdbmap": DATABASES.format(directory),
        }
        self.samba = directory / "events/legacy/50.samba.script"
        self.samba.parent.mkdir(parents=True)

    def output_of(self, *argv: str) -> Optional[str]:
        return self.prints.get(" ".join(argv[1:]))


@pytest.fixture
def ctdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ctdb:
    made = Ctdb(tmp_path)
    monkeypatch.setattr(cluster_checks, "output_of", made.output_of)
    monkeypatch.setattr(cluster_checks, "CTDB_BASE", str(tmp_path))
    return made


def clustered() -> Environment:
    return environment(clustering=True, parameters={"netbios name": "CLUS"})


def findings(about: Optional[Environment] = None) -> dict[str, Finding]:
    return {each.topic: each for each in cluster_checks.cluster(about or clustered())}


def test_a_single_server_has_none_of_them(ctdb: Ctdb) -> None:
    assert findings(environment(clustering=False)) == {}


def test_a_cluster_that_is_well(ctdb: Ctdb, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = SimpleNamespace(f_bavail=65 << 8, f_frsize=4096)
    monkeypatch.setattr(os, "statvfs", lambda path: volume)
    found = findings()
    assert {topic: each.severity for topic, each in found.items()} == {
        "cluster": OK,
        "cluster lock": OK,
        "CTDB's space": OK,
        "other nodes": NOTE,
    }
    assert found["cluster"].text == "this is node 0 of 2, all are well"
    assert found["CTDB's space"].text == "65 MB"


@pytest.mark.parametrize(
    ("this", "other", "severity"),
    [(WELL, "1|0|0|0|0|0|0|0", WARN), ("0|0|0|0|1|0|0|0", WELL, FAIL), ("", "", FAIL)],
    ids=["another node is off", "this one is unhealthy", "not among them"],
)
def test_nodes_that_are_not_well(ctdb: Ctdb, this: str, other: str, severity: Severity) -> None:
    rows = f"\n|0|10.0.0.1|{this}|Y|\n|1|10.0.0.2|{other}|N|" if this else ""
    ctdb.prints["-X nodestatus all"] = HEAD + rows
    assert findings()["cluster"].severity is severity


@pytest.mark.parametrize(
    ("version", "command"), [("4.17.12", "ctdb status"), (None, "apt install ctdb")]
)
def test_without_ctdbd(ctdb: Ctdb, version: Optional[str], command: str) -> None:
    ctdb.prints = {"version": version}
    found = findings()
    assert (found["cluster"].severity, found["cluster"].next_step) == (FAIL, command)
    assert "cluster lock" not in found


def test_a_cluster_needs_a_lock(ctdb: Ctdb) -> None:
    ctdb.prints["getreclock"] = ""
    assert findings()["cluster lock"].severity is FAIL


@pytest.mark.parametrize(("kind", "severity"), [("fuse.ceph-fuse", WARN), ("btrfs", OK)])
def test_the_lock_is_not_where_a_node_can_be_evicted(
    ctdb: Ctdb, kind: str, severity: Severity, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctdb.prints["getreclock"] = "/cluster/lock"
    mounts: Any = SimpleNamespace(lookup=lambda path: SimpleNamespace(fs_type=kind))
    monkeypatch.setattr(cluster_checks, "LiveMounts", lambda: mounts)
    assert findings()["cluster lock"].severity is severity


def test_databases_need_room(ctdb: Ctdb, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = SimpleNamespace(f_bavail=63 << 8, f_frsize=4096)
    monkeypatch.setattr(os, "statvfs", lambda path: volume)
    found = findings()["CTDB's space"]
    assert found.severity is FAIL
    assert found.text.startswith(f"63 MB are left in {ctdb.directory}")


@pytest.mark.parametrize(
    ("options", "severity"),
    [
        ("", FAIL),
        ("# CTDB_SAMBA_SKIP_SHARE_CHECK=yes\n", FAIL),
        ("CTDB_SAMBA_SKIP_SHARE_CHECK=no\n", FAIL),
        ("CTDB_SAMBA_SKIP_SHARE_CHECK=yes\n", OK),
        ('export CTDB_SAMBA_SKIP_SHARE_CHECK="yes"\n', OK),
    ],
)
def test_the_script_of_samba_does_not_look_for_copies(
    ctdb: Ctdb, options: str, severity: Severity
) -> None:
    ctdb.samba.write_text("#!/bin/sh\n")
    (ctdb.directory / "script.options").write_text(options)
    assert "50.samba" not in findings()  # a script that cannot be run is disabled
    ctdb.samba.chmod(0o755)
    assert findings()["50.samba"].severity is severity


def test_options_of_the_script_itself_come_last(ctdb: Ctdb) -> None:
    ctdb.samba.write_text("#!/bin/sh\n")
    ctdb.samba.chmod(0o755)
    (ctdb.directory / "script.options").write_text("CTDB_SAMBA_SKIP_SHARE_CHECK=yes\n")
    ctdb.samba.with_suffix(".options").write_text("CTDB_SAMBA_SKIP_SHARE_CHECK=no\n")
    assert findings()["50.samba"].severity is FAIL


def test_the_same_configuration_has_the_same_checksum(ctdb: Ctdb) -> None:
    def text(shares: list[str], address: str = "10.0.0.1", workgroup: str = "LAB") -> str:
        parameters = {"interfaces": address, "workgroup": workgroup}
        about = environment(clustering=True, parameters=parameters, shares=shares)
        return findings(about)["other nodes"].text

    one = text(["data"])
    assert text(["data"], address="10.0.0.2") == one
    assert text(["data"], workgroup="OTHER") != one
    assert text(["data", "more"]) != one
