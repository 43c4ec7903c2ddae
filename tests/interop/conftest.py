"""One NAS for all tests of a module. A module that needs another one opens its own."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Callable, Iterator

import pytest

from tests.interop.debian import Packages
from tests.interop.nas import Nas, open_nas
from tests.interop.rpm import MACROS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def nas() -> Iterator[Nas]:
    with open_nas() as opened:
        yield opened


@pytest.fixture(scope="session")
def debian_packages(once_a_run: Callable[..., Path]) -> Packages:
    """Build the .deb files of this tree. They are alone in their directory."""

    def build(directory: Path) -> None:
        directory.mkdir()
        subprocess.run([ROOT / "packaging/build-deb", directory], check=True, timeout=600)

    return Packages.of(once_a_run("deb", build), "{}_*.deb")


@pytest.fixture(scope="session")
def rpm_packages(once_a_run: Callable[..., Path]) -> Packages:
    """Build the RPMs of this tree. Beside them are only their source package and stand-ins."""

    def build(directory: Path) -> None:
        directory.mkdir()
        subprocess.run([ROOT / "packaging/build-rpm", directory, *MACROS], check=True, timeout=600)

    return Packages.of(once_a_run("rpm", build), "{}-0*[!c].rpm")
