"""The view Copies: what clients make and delete is shown, and each of its actions is done."""

from __future__ import annotations

import re
from typing import Any, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from lab import fss
from tests.cockpit.hands import BOTH, Hands
from tests.cockpit.served import Window
from tests.interop.nas import TORTURE_SHARE, Nas


@pytest.fixture(params=BOTH)
def hands(request: pytest.FixtureRequest) -> Hands:
    return BOTH[request.param]


@pytest.fixture(autouse=True)
def nothing_is_left(nas: Nas) -> Iterator[None]:
    yield
    for each in nas.daemon.ask("list-sets"):
        nas.daemon.ctl("delete-set", each["set"])
    copies = [each["copy"] for each in nas.daemon.ask("list-kept")]
    if copies:
        nas.daemon.ctl("release-set", copies[0])
        nas.daemon.ctl("delete-kept", *copies)
    nas.assert_nothing_is_left()


def row(page: Page, share: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_text(share, exact=True))


def button(page: Page, word: str, share: str) -> Locator:
    return page.get_by_role("button", name=re.compile(rf"^{word}: copy of {re.escape(share)} "))


def only_set(nas: Nas) -> Any:
    [found] = nas.daemon.ask("list-sets")
    return found


def test_what_a_client_makes_and_deletes_is_shown(nas: Nas, window: Window) -> None:
    page = window.open("copies")
    expect(page.get_by_text("There is no copy.")).to_be_visible()
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
    expect(row(page, TORTURE_SHARE)).to_contain_text("Exposed")
    expect(row(page, TORTURE_SHARE)).to_contain_text("127.0.0.1")
    fss.recovery_complete(nas.samba, copy)
    expect(row(page, TORTURE_SHARE)).to_contain_text("Recovered")
    fss.delete(nas.samba, copy)
    expect(page.get_by_text("There is no copy.")).to_be_visible()


def test_copies_are_made(nas: Nas, window: Window, hands: Hands) -> None:
    nas.samba.write("deep", "report", "as it was\n")
    page = window.open("copies")
    hands.press(page.get_by_role("button", name="Make copies"))
    dialog = page.get_by_role("dialog")
    hands.write(dialog.get_by_role("textbox", name="Filter the shares"), "ee")
    hands.press(dialog.get_by_role("checkbox", name="deep", exact=True))
    hands.write(dialog.get_by_role("textbox", name="Filter the shares"), "space")
    hands.press(dialog.get_by_role("checkbox", name="with space"))
    hands.choose(dialog.get_by_label("Kind"), "application rollback: survives a reboot")
    hands.press(dialog.get_by_role("button", name="Make copies"))
    expect(dialog).to_be_hidden()
    expect(row(page, "deep")).to_contain_text("Recovered")
    expect(row(page, "with space")).to_be_visible()
    made = only_set(nas)
    shares = {each["share"]: each for copy in made["copies"] for each in copy["shares"]}
    assert set(shares) == {"deep", "with space"}
    assert made["context"].startswith("application rollback")
    assert nas.samba.read(shares["deep"]["shadow_copy_share"], "report") == "as it was\n"


def test_a_writable_set_is_completed(nas: Nas, window: Window, hands: Hands) -> None:
    page = window.open("copies")
    hands.press(page.get_by_role("button", name="Make copies"))
    dialog = page.get_by_role("dialog")
    hands.press(dialog.get_by_role("checkbox", name="deep", exact=True))
    hands.press(dialog.get_by_role("checkbox", name="Let users write"))
    hands.press(dialog.get_by_role("button", name="Make copies"))
    expect(row(page, "deep")).to_contain_text("Exposed")
    share = only_set(nas)["copies"][0]["shares"][0]["shadow_copy_share"]
    nas.samba.smbclient(share, "mkdir repaired")
    hands.press(button(page, "Complete", "deep"))
    expect(row(page, "deep")).to_contain_text("Recovered")
    assert only_set(nas)["status"] == "Recovered"
    assert "NT_STATUS_ACCESS_DENIED" in nas.samba.smbclient(share, "mkdir late", check=False).stdout


def test_a_copy_is_kept_released_and_deleted(nas: Nas, window: Window, hands: Hands) -> None:
    made = nas.daemon.ask("create-set", "deep")
    page = window.open("copies")
    hands.press(button(page, "Keep", "deep"))
    expect(row(page, "deep")).to_contain_text("kept")
    nas.daemon.ctl("delete-set", made["set"])
    expect(row(page, "deep")).to_contain_text("held")
    assert nas.daemon.ask("list-kept")[0]["status"] == "held"
    hands.press(button(page, "Release", "deep"))
    expect(button(page, "Keep", "deep")).to_be_visible()
    assert nas.daemon.ask("list-kept")[0]["status"] == "kept"
    hands.press(button(page, "Delete", "deep"))
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(nas.daemon.ask("list-kept")[0]["snapshot"])
    hands.press(dialog.get_by_role("button", name="Delete"))
    expect(page.get_by_text("There is no copy.")).to_be_visible()
    assert nas.daemon.ask("list-kept") == []


def test_a_set_is_deleted_and_says_what_that_means(nas: Nas, window: Window, hands: Hands) -> None:
    made = nas.daemon.ask("create-set", "deep")
    [share] = made["shares"]
    page = window.open("copies")
    hands.press(button(page, "Delete", "deep"))
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(share["shadow_copy_share"])
    hands.press(dialog.get_by_role("button", name="Cancel"))
    expect(dialog).to_be_hidden()
    assert only_set(nas)["set"] == made["set"]
    hands.press(button(page, "Delete", "deep"))
    hands.press(dialog.get_by_role("button", name="Delete"))
    expect(page.get_by_text("There is no copy.")).to_be_visible()
    nas.assert_nothing_is_left()


def test_an_address_is_copied(nas: Nas, window: Window, hands: Hands) -> None:
    share = nas.daemon.ask("create-set", "deep")["shares"][0]["shadow_copy_share"]
    window.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = window.open("copies")
    hands.press(button(page, "Address", "deep"))
    for where, address in (
        ("Explorer", rf"\\127.0.0.1\{share}"),
        ("Linux, as root", f"mount -t cifs '//127.0.0.1/{share}' /mnt -o username=USER"),
    ):
        hands.press(page.get_by_role("button", name=f"Copy: {where}"))
        expect(page.get_by_role("button", name=f"Copy: {where}")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == address


def test_a_filter_finds_what_a_row_shows(nas: Nas, window: Window, hands: Hands) -> None:
    for share in ("deep", "vault"):
        nas.daemon.ctl("create-set", share)
    page = window.open("copies")
    expect(row(page, "deep")).to_be_visible()
    hands.write(page.get_by_role("textbox", name="Filter"), "VAULT root")
    expect(row(page, "deep")).to_be_hidden()
    expect(row(page, "vault")).to_be_visible()
    hands.write(page.get_by_role("textbox", name="Filter"), "nothing like that")
    expect(page.get_by_text("Nothing matches the filter.")).to_be_visible()
    hands.press(page.get_by_role("button", name="Clear the filter"))
    expect(row(page, "deep")).to_be_visible()
