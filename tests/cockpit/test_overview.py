"""The overview: what is well, what to type where something is not, and what is being made."""

from __future__ import annotations

from typing import Iterator

import pytest
from playwright.sync_api import Browser, expect

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from tests.cockpit.hands import BOTH, Hands
from tests.cockpit.served import Cockpit, Window
from tests.interop.nas import Nas
from tests.interop.raw_agent import RawAgent, wide


@pytest.fixture
def full_volume(nas: Nas) -> Iterator[str]:
    """Leave less than 5 % of a volume free."""
    volume = nas.volumes["vault"]
    nas.lab.run(["fallocate", "-l", "405M", volume / "ballast"])
    yield str(volume)
    nas.lab.run(["rm", volume / "ballast"])


def test_all_is_well_and_a_set_is_seen_while_it_is_made(nas: Nas, window: Window) -> None:
    page = window.open()
    expect(page.get_by_text("All is well")).to_be_visible()
    expect(page.get_by_text("Nobody makes a shadow copy now.")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text=str(nas.volumes["more"]))).to_contain_text("MiB")
    with RawAgent(nas) as agent:
        set_id = agent.start()
        agent.add(set_id, "deep")
        shown = page.get_by_role("row").filter(has_text="deep")
        expect(shown).to_contain_text("Added")
        expect(shown).to_contain_text("127.0.0.1")
        agent.must(Opnum.AbortShadowCopySet, set_id)
    expect(page.get_by_text("Nobody makes a shadow copy now.")).to_be_visible()


def test_a_full_volume_is_named(full_volume: str, window: Window) -> None:
    page = window.open()
    problem = page.locator(".pf-v6-c-alert").filter(has_text=full_volume)
    expect(problem).to_be_visible()


def test_in_german(cockpit: Cockpit, browser: Browser) -> None:
    window = Window(browser, cockpit, {"locale": "de-DE"})
    page = window.open()
    expect(page.get_by_role("link", name="Übersicht")).to_be_visible()
    expect(page.get_by_role("heading", name="Platz")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "de"
    window.context.close()
    assert window.messages == []


@pytest.mark.parametrize("hands", BOTH.values(), ids=BOTH)
def test_what_to_type_is_copied(nas: Nas, window: Window, hands: Hands) -> None:
    """A client has asked for a share that no provider can snapshot."""
    with RawAgent(nas) as agent:
        unc = wide(agent.unc("plain"))
        assert agent.result(Opnum.IsPathSupported, unc) == HResult.FSRVP_E_NOT_SUPPORTED
    window.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = window.open()
    copy = page.get_by_role("button", name="Copy: fsrvpctl fsrvpd check-path plain")
    hands.press(copy)
    expect(copy).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "fsrvpctl fsrvpd check-path plain"
