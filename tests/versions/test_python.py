"""The unit tests with the oldest Python that is supported, and with the newest."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from lab import Lab
from tests.versions.releases import NEWEST, OLDEST, PROJECT, SCRIPTS, Release, install, tree

# The tests and the files that they read, without the packages: the wheel is tested.
NEEDED = ["pyproject.toml", "benchmarks", "docs", "examples", "lab", "src", "tests"]
# These tests need the sources of the packages, or the tools that build a wheel.
OF_THE_SOURCES = [
    "tests/unit/core/test_source.py",
    "tests/unit/test_completion.py",
    "tests/unit/test_manual.py",
    "tests/unit/test_package_lists.py",
    "tests/unit/test_packaging.py",
    "tests/unit/test_proved_by.py",
    "tests/unit/test_requestor_libraries.py",
]


def copy_tests(target: Path) -> None:
    for name in NEEDED:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, target / name)
        else:
            shutil.copy(PROJECT / name, target / name)


@pytest.mark.parametrize("release", [OLDEST, NEWEST], ids=lambda release: release.name)
def test_unit_tests(release: Release, wheel: Path) -> None:
    with Lab(tree(release)) as lab:
        install(lab, wheel)
        project = lab.directory / "project"
        project.mkdir()
        copy_tests(project)
        argv = ["env", "-C", project, SCRIPTS / "pytest", "-q", "tests/unit", "tests/oracle"]
        argv += [f"--basetemp={lab.directory}/t"]  # an overlay, as all else here, has no handles
        argv += [f"--ignore={path}" for path in OF_THE_SOURCES]
        done = lab.run(argv, timeout=600, check=False)
        print(done.stdout)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"^\d+ passed", done.stdout.splitlines()[-1])
