"""axe-core finds nothing serious in any view or dialog, light or dark, wide or narrow."""

from __future__ import annotations

from typing import Any, Callable, Mapping

import pytest
from playwright.sync_api import Browser, Page, expect

from fsrvpd.core.messages import Opnum
from tests.cockpit.served import SOURCE, Cockpit, Window
from tests.interop.nas import Nas
from tests.interop.raw_agent import RawAgent, wide

AXE = SOURCE / "node_modules/axe-core/axe.min.js"
SERIOUS = ("serious", "critical")
SIZES: Mapping[str, Mapping[str, int]] = {
    "desk": {"width": 1280, "height": 800},
    "phone": {"width": 390, "height": 844},
}


def overview(page: Page) -> None:
    expect(page.get_by_role("heading", name="Space")).to_be_visible()


def shares(page: Page) -> None:
    expect(page.get_by_text("cannot be copied").first).to_be_visible()


def check(page: Page) -> None:
    page.get_by_role("button", name="Check plain").click()
    expect(page.get_by_role("dialog")).to_contain_text("No: ")


def copies(page: Page) -> None:
    expect(page.get_by_text("Recovered")).to_be_visible()


def create(page: Page) -> None:
    page.get_by_role("button", name="Make copies").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def address(page: Page) -> None:
    page.get_by_role("button", name="Address").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def delete(page: Page) -> None:
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog")).to_contain_text("cannot be had back")


def doctor(page: Page) -> None:
    page.get_by_role("button", name="Run the doctor").click()
    expect(page.get_by_text("registry shares: on")).to_be_visible()


def events(page: Page) -> None:
    expect(page.get_by_text("Nothing has happened yet.")).to_be_visible()


def options(page: Page) -> None:
    expect(page.get_by_text("fsrvpd:dialect")).to_be_visible()


def option(page: Page) -> None:
    page.get_by_role("button", name="Change fsrvpd:dialect").click()
    expect(page.get_by_role("dialog")).to_contain_text("Now: current")


VIEWS: list[tuple[str, Callable[[Page], None]]] = [
    ("overview", overview),
    *(("shares", each) for each in (shares, check)),
    *(("copies", each) for each in (copies, create, address, delete)),
    ("events", events),
    *(("options", each) for each in (options, option)),
    ("doctor", doctor),
]


@pytest.fixture(scope="module", autouse=True)
def something_to_show(nas: Nas) -> None:
    """A copy, and a problem."""
    nas.daemon.ctl("create-set", "deep")
    with RawAgent(nas) as agent:
        agent.result(Opnum.IsPathSupported, wide(agent.unc("plain")))


def violations(page: Page) -> list[Any]:
    page.evaluate(AXE.read_text())  # not as an element: Cockpit's policy refuses that
    found = page.evaluate("axe.run()")["violations"]
    return [
        (each["id"], [node["html"] for node in each["nodes"]])
        for each in found
        if each["impact"] in SERIOUS
    ]


@pytest.mark.parametrize(("theme", "size"), [("light", "phone"), ("dark", "desk")])
def test_nothing_serious(cockpit: Cockpit, browser: Browser, theme: str, size: str) -> None:
    window = Window(browser, cockpit, {"color_scheme": theme, "viewport": SIZES[size]})
    found = {}
    for view, reach in VIEWS:
        page = window.open(view)
        page.reload()
        reach(page)
        assert page.evaluate("document.documentElement.className.includes('dark')") == (
            theme == "dark"
        )
        wrong = violations(page)
        if wrong:
            found[reach.__name__] = wrong
        wide_by = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide_by <= 0, f"{reach.__name__} is wider than the window"
    window.context.close()
    assert found == {}
    assert window.messages == []
