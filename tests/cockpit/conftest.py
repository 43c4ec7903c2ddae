"""One NAS, one Cockpit and one browser for all tests of a module; a window for each test."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from lab.namespaces import SLOWNESS
from tests.cockpit.served import INSTALLED, Cockpit, Window, chromium
from tests.interop.nas import Nas, open_nas
from tests.paths import ROOT

expect.set_options(timeout=30_000 * SLOWNESS)  # ms; a busy machine takes its time


@pytest.fixture(scope="session")
def packages(once_a_run: Callable[..., Path]) -> Path:
    """The directory with the .deb and the .rpm of this tree."""

    def make(directory: Path) -> None:
        directory.mkdir()
        subprocess.run([ROOT / "packaging/build-cockpit", directory], check=True, timeout=600)

    return once_a_run("cockpit", make)


@pytest.fixture(scope="session")
def built_page(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page as the .deb has it."""
    tree = tmp_path_factory.mktemp("installed")
    [package] = packages.glob("*.deb")
    subprocess.run(["dpkg-deb", "--extract", package, tree], check=True, timeout=60)
    return tree / INSTALLED


@pytest.fixture(scope="module")
def nas() -> Iterator[Nas]:
    with open_nas() as opened:
        # The page runs fsrvpctl as an administrator types it, without a path of smb.conf.
        opened.lab.run(["mount", "--bind", opened.samba.directory, "/etc/samba"])
        yield opened


@pytest.fixture(scope="module")
def cockpit(nas: Nas, built_page: Path) -> Iterator[Cockpit]:
    served = Cockpit(nas, built_page)
    served.start()
    yield served
    served.stop()


@pytest.fixture(scope="module")
def browser(nas: Nas) -> Iterator[Browser]:
    with chromium(nas.lab) as opened:
        yield opened


@pytest.fixture
def window(browser: Browser, cockpit: Cockpit) -> Iterator[Window]:
    opened = Window(browser, cockpit, {})
    yield opened
    opened.context.close()
    assert opened.messages == []


@pytest.fixture
def page(window: Window) -> Page:
    return window.page
