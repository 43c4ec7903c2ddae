"""What restic backs up of a mount whose files are odd, and what is counted as lacking."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Iterator, NamedTuple

import pytest

from fsrvpd.requestor.mount import problems
from lab import Lab
from tests.paths import ROOT
from tests.requestor.tree_in_memory import HALF, LONG


class Odd(NamedTuple):
    lab: Lab
    point: Path
    problems: Path


@pytest.fixture(scope="module")
def odd() -> Iterator[Odd]:
    with Lab() as lab:
        point, found = lab.directory / "mount", lab.directory / "problems"
        point.mkdir()
        argv = [sys.executable, "-m", "tests.requestor.tree_in_memory", point, found]
        with lab.converse(["env", f"PYTHONPATH={ROOT}", *argv]) as mounting:
            assert mounting.stdout is not None
            assert mounting.stdout.readline() == "ready\n"
            yield Odd(lab, point, found)
            lab.run(["umount", point])


def test_restic_backs_up_what_has_a_name(odd: Odd) -> None:
    """It takes no name that is not Unicode, says so, and ends with 3. 510 bytes are no name for a
    disk here, but one for a backup."""
    environment = {"RESTIC_REPOSITORY": str(odd.lab.directory / "r"), "RESTIC_PASSWORD": "x"}
    script = f"restic -q init; cd {odd.point}; restic -q backup . || echo ended $?"
    said = odd.lab.run(["sh", "-c", script], environment=environment)
    assert said.stdout == "ended 3\n"
    assert "half" in said.stderr
    for name in (LONG, "what?", "ADC3FK~7.TXT"):
        argv = ["restic", "-q", "dump", "latest", f"/folder/{name}"]
        assert odd.lab.run(argv, environment=environment).stdout == name


def test_names_are_those_of_the_server(odd: Odd) -> None:
    listed = os.listdir(os.fsencode(odd.lab.seen(odd.point / "folder")))
    wanted = {LONG, HALF, "what?", "ADC3FK~7.TXT"}
    assert set(listed) == {name.encode("utf-8", "surrogatepass") for name in wanted}
    for name in listed:
        path = os.path.join(os.fsencode(odd.lab.seen(odd.point / "folder")), name)
        with open(path, "rb") as file:
            assert file.read() == name


def test_what_is_lacking_is_counted(odd: Odd) -> None:
    names = os.listxattr(odd.lab.seen(odd.point / "streams"))
    assert "user.smb.stream.fits" in names
    assert len(os.getxattr(odd.lab.seen(odd.point / "streams"), "user.smb.stream.fits")) == 65536
    os.listdir(odd.lab.seen(odd.point / "folder"))
    found = problems.read(odd.problems)
    assert found.counts == {
        "name-unusable": 1,
        "link": 1,
        "name-beyond-windows": 1,
        "name-mangled": 1,
        "stream-too-large": 1,
        "stream-name": 1,
    }
    assert found.incomplete
