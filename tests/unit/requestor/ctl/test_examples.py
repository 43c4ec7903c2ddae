"""The configuration and the units in examples/ are what the command understands."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from fsrvpd.requestor.ctl import configuration
from fsrvpd.requestor.ctl.keys import KEYS_OF_JOB
from fsrvpd.requestor.ctl.main import parse
from tests.paths import ROOT

EXAMPLES = ROOT / "examples"
UNITS = ("fsrvpshadow@.service", "fsrvpshadow@.timer")


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, delimiters="=")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(EXAMPLES / name)
    return parser


def test_every_key_is_in_the_configuration() -> None:
    text = (EXAMPLES / "fsrvpshadow.toml").read_text()
    found = configuration.parse(text, "x")
    job = found.job("restic")
    assert job.shares == ("\\\\nas\\data", "\\\\nas\\home")
    assert (job.run, job.wait) == (("/usr/local/sbin/fsrvpshadow-restic",), 1800.0)
    job = found.job("applications")
    assert job.encrypt
    assert set(job.writers or ()) == found.writers.keys()
    assert all(key.name in text for key in KEYS_OF_JOB)


def test_the_service_runs_a_job_and_cleans_up() -> None:
    service = unit(UNITS[0])["Service"]
    run = parse(service["ExecStart"].split()[1:])
    # %I would make a slash of each hyphen: nightly-nas would be looked for as nightly/nas.
    assert (run.name, run.job) == ("run", "%i")
    assert parse(service["ExecStopPost"].split()[1:]).name == "clean"
    assert service["KillMode"] == "mixed", "COMMAND gets each signal once, from fsrvpshadow"


def test_the_timer_starts_the_service_every_night() -> None:
    timer = unit(UNITS[1])
    assert timer["Timer"]["OnCalendar"]
    assert timer["Install"]["WantedBy"] == "timers.target"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_has_nothing_to_say_about_the_units(tmp_path: Path) -> None:
    for name in UNITS:
        text = (EXAMPLES / name).read_text().replace("/usr/bin/fsrvpshadow", "/bin/true")
        (tmp_path / name.replace("@", "@nightly")).write_text(text)
    units = sorted(map(str, tmp_path.iterdir()))
    argv = ["systemd-analyze", "verify", "--man=no", *units]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert str(tmp_path) not in done.stdout + done.stderr


def test_the_service_has_what_mounts_and_writers_need_and_little_more() -> None:
    service = unit(UNITS[0])["Service"]
    assert service["DeviceAllow"] == "/dev/fuse rw"
    assert {"CAP_SYS_ADMIN", "CAP_DAC_READ_SEARCH", "CAP_SETUID"} <= set(
        service["CapabilityBoundingSet"].split()
    )
    assert "AF_UNIX" in service["RestrictAddressFamilies"]
    # Each of these would break a mount: ctypes' callbacks, and the read-ahead below /sys.
    assert not {"MemoryDenyWriteExecute", "ProtectKernelTunables", "PrivateDevices"} & set(service)
