"""What others have named is text, in the page and in the arguments of commands."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from lab import Share
from tests.cockpit.served import Window
from tests.interop.nas import Nas, make_directory

MARKUP = "<img src=x onerror=alert(1)>"
NAMES = {
    "markup": "&lt;b&gt;bold' $(touch marked) `x`",
    "right to left": "invoice\u202efdp.exe",
    "a dash": "--keep",
    "long": "ü" * 41,  # the longest name that a copy's share can be made of
    "invisible": "da\u200bta",
}
SHOWN = {"right to left": "invoice\\u{202e}fdp.exe", "invisible": "da\\u{200b}ta"}


@pytest.fixture(scope="module", autouse=True)
def hostile_shares(nas: Nas) -> None:
    folder = make_directory(nas.lab, nas.volumes["more"] / MARKUP)
    for name in NAMES.values():
        nas.samba.set_share(Share(name, folder))
    nas.samba.reload()
    nas.daemon.ctl("reload-config")


@pytest.mark.parametrize("kind", NAMES)
def test_a_share_of_any_name_is_text(nas: Nas, window: Window, kind: str) -> None:
    name, shown = NAMES[kind], SHOWN.get(kind, NAMES[kind])
    page = window.open("shares")
    dialogs: list[str] = []
    page.on("dialog", lambda opened: dialogs.append(opened.message))
    page.get_by_role("textbox", name="Filter").fill(name)
    expect(page.get_by_text(shown, exact=True)).to_be_visible()
    page.get_by_role("button", name=f"Check {shown}", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Yes, with btrfs")
    page.keyboard.press("Escape")
    page.goto(page.url.replace("#/shares", "#/copies"))
    page.get_by_role("button", name="Make copies").click()
    page.get_by_role("textbox", name="Filter the shares").fill(name)
    dialog.get_by_role("checkbox", name=shown, exact=True).click()
    dialog.get_by_role("button", name="Make copies").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("row").filter(has_text=shown)).to_contain_text("Recovered")
    [made] = nas.daemon.ask("list-sets")
    assert made["copies"][0]["shares"][0]["share"] == name
    assert dialogs == []
    assert page.locator("table b, table img, [role=dialog] img").count() == 0
    nas.daemon.ctl("delete-set", made["set"])
    nas.assert_nothing_is_left()


def test_a_name_of_255_characters_is_refused_as_text(nas: Nas, window: Window) -> None:
    nas.samba.set_share(Share("x" * 255, nas.volumes["more"]))
    nas.samba.reload()
    nas.daemon.ctl("reload-config")
    page = window.open("shares")
    page.get_by_role("textbox", name="Filter").fill("x" * 255)
    page.get_by_role("button", name="Check xxx").click()
    expect(page.get_by_role("dialog")).to_contain_text("its name is too long")


def test_a_path_with_markup_is_text(nas: Nas, window: Window) -> None:
    page = window.open("shares")
    page.get_by_role("button", name="Check machine", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("No: ")
    assert page.locator("[role=dialog] img").count() == 0
