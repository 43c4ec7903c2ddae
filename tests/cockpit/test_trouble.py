"""An agent that cannot be asked is a page that says what to do, and goes on by itself."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from fsrvpd import JSON_VERSION
from lab.accounts import User
from tests.cockpit.served import PATH, Cockpit, Window, build
from tests.interop.nas import Nas

ORDINARY_USER = User("clerk")


def title(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", name=text)).to_be_visible()


def test_an_agent_that_stops_and_starts(nas: Nas, window: Window) -> None:
    page = window.open()
    expect(page.get_by_role("heading", name="Space")).to_be_visible()
    nas.daemon.stop()
    try:
        title(page, "The agent is not running")
        expect(page.get_by_text("systemctl start fsrvpd")).to_be_visible()
    finally:
        nas.daemon.start()
    expect(page.get_by_role("heading", name="Space")).to_be_visible()


def test_an_agent_that_is_started_is_found_at_once_when_asked(nas: Nas, window: Window) -> None:
    nas.daemon.stop()
    try:
        page = window.open()
        title(page, "The agent is not running")
    finally:
        nas.daemon.start()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Space")).to_be_visible()


MAJOR, MINOR = map(int, JSON_VERSION.split("."))
ports = count(9091)
Opened = Callable[..., Page]


@pytest.fixture
def open_page(nas: Nas, browser: Browser) -> Iterator[Opened]:
    """Serve a page by a Cockpit of its own and open it. Arguments are those of Cockpit.

    The window is closed first: it would complain of a server that is gone.
    """
    served: list[Cockpit] = []
    windows: list[Window] = []

    def open_served(page: Path, path: str = PATH, *, before: str = "") -> Page:
        port = next(ports)
        served.append(Cockpit(nas, page, port=port, before=before))
        served[-1].start(path)
        windows.append(Window(browser, served[-1], {}))
        return windows[-1].open()

    yield open_served
    for each in windows:
        each.context.close()
        assert each.messages == []
    for cockpit in served:
        cockpit.stop()


def test_no_agent_is_installed(built_page: Path, open_page: Opened) -> None:
    page = open_page(built_page, "/usr/sbin:/usr/bin:/sbin:/bin")
    title(page, "fsrvpd is not installed")
    expect(page.get_by_text("fsrvpctl setup")).to_be_visible()


@pytest.mark.parametrize("wanted", [f"{MAJOR + 1}.0", f"{MAJOR}.{MINOR + 1}"])
def test_an_agent_of_another_version(
    nas: Nas, tmp_path: Path, open_page: Opened, wanted: str
) -> None:
    build(tmp_path / "page", wanted)
    page = open_page(tmp_path / "page")
    title(page, "The agent is of another version")
    version = nas.daemon.ask("status")["version"]
    expect(page.get_by_text(f"The agent: {version}")).to_be_visible()
    expect(page.get_by_text(f"version {wanted} of its JSON")).to_be_visible()


def test_a_user_without_rights(nas: Nas, built_page: Path, open_page: Opened) -> None:
    """The bridge of an ordinary user; nobody has given it administrative access."""
    nas.samba.add_user(ORDINARY_USER.name)
    page = open_page(built_page, before=f"runuser -u {ORDINARY_USER.name} --")
    title(page, "You have limited access")
    expect(page.get_by_text("only root and members of `fsrvpd:admin group`")).to_be_visible()
