"""The view Shares: which shares can be copied, why others cannot, and their last backups."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from lab import Share, fss
from tests.cockpit.hands import BOTH, Hands
from tests.cockpit.served import Window
from tests.interop.nas import TORTURE_SHARE, Nas

MANY = 45


@pytest.fixture(scope="module", autouse=True)
def many_shares(nas: Nas) -> None:
    for number in range(MANY):
        nas.samba.set_share(Share(f"many {number:02}", nas.volumes["more"]))
    nas.samba.reload()
    nas.daemon.ctl("reload-config")


@pytest.fixture(params=BOTH)
def hands(request: pytest.FixtureRequest) -> Hands:
    return BOTH[request.param]


def row(page: Page, share: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_text(share, exact=True))


def test_a_share_that_cannot_be_copied_says_why(nas: Nas, window: Window, hands: Hands) -> None:
    page = window.open("shares")
    hands.write(page.get_by_role("textbox", name="Filter"), "plain")
    expect(row(page, "plain")).to_contain_text("is not on btrfs but on ext4")
    hands.press(page.get_by_role("button", name="Check plain", exact=True))
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(nas.daemon.ask("check-path", "plain")["refusals"]["btrfs"])
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_a_completed_backup_is_shown(nas: Nas, window: Window) -> None:
    page = window.open("shares")
    page.get_by_role("textbox", name="Filter").fill(TORTURE_SHARE)
    expect(row(page, TORTURE_SHARE)).to_contain_text("none")
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
    fss.recovery_complete(nas.samba, copy)
    moment = row(page, TORTURE_SHARE).locator("time")
    expect(moment).to_be_visible()
    assert "on the server (" in (moment.get_attribute("title") or "")
    fss.delete(nas.samba, copy)


def test_a_filter_and_pages(window: Window, hands: Hands) -> None:
    page = window.open("shares")
    hands.write(page.get_by_role("textbox", name="Filter"), "MANY ready")
    expect(row(page, "many 00")).to_contain_text("ready")
    expect(row(page, "many 20")).to_be_hidden()
    hands.press(page.get_by_role("button", name="Go to next page"))
    expect(row(page, "many 20")).to_be_visible()
    hands.press(page.get_by_role("button", name="Go to next page"))
    expect(row(page, f"many {MANY - 1}")).to_be_visible()
    expect(page.get_by_role("button", name="Go to next page")).to_be_disabled()
    hands.write(page.get_by_role("textbox", name="Filter"), "many 07")
    expect(row(page, "many 07")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(2)
