"""The views Doctor, Events and Options, by mouse and by keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from lab import fss
from tests.cockpit.hands import BOTH, Hands
from tests.cockpit.served import Window
from tests.interop.nas import TORTURE_SHARE, Nas

DOCTOR = 120_000  # ms; it makes, reads and deletes a copy


@pytest.fixture(params=BOTH)
def hands(request: pytest.FixtureRequest) -> Hands:
    return BOTH[request.param]


def test_the_doctor_says_what_fsrvpctl_doctor_says(nas: Nas, window: Window, hands: Hands) -> None:
    page = window.open("doctor")
    hands.press(page.get_by_role("button", name="Run the doctor"))
    expect(page.get_by_text("self-test: deleted, share and snapshot")).to_be_visible(timeout=DOCTOR)
    expect(page.get_by_text("registry shares: on")).to_be_visible()
    nas.assert_nothing_is_left()


def test_events_are_shown_as_they_happen(nas: Nas, window: Window, hands: Hands) -> None:
    page = window.open("events")
    expect(page.get_by_text("Nothing has happened yet.")).to_be_visible()
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
    expect(page.get_by_text("StartShadowCopySet").first).to_be_visible()
    fss.recovery_complete(nas.samba, copy)
    fss.delete(nas.samba, copy)
    hands.write(page.get_by_role("textbox", name="Filter"), f"200 DELETE {copy.set_id}")
    deleted = page.get_by_role("row").filter(has_text="method=DeleteShareMapping")
    expect(deleted).to_have_count(1)
    expect(deleted).to_contain_text("client=127.0.0.1")
    expect(page.get_by_text("StartShadowCopySet")).to_have_count(0)


def test_the_last_week_has_what_failed(nas: Nas, window: Window) -> None:
    done = nas.daemon.ctl("create-set", "deep", "plain", check=False)
    assert done.returncode == 1
    nas.daemon.ctl("delete-set", nas.daemon.ask("create-set", "vault")["set"])
    page = window.open()
    week = page.get_by_role("grid", name="The last seven days")
    expect(week.get_by_role("row").filter(has_text="deep")).to_contain_text("ext4")
    expect(week.get_by_role("row").filter(has_text="vault").locator(".set")).to_have_count(1)


def effective(nas: Nas, name: str) -> str:
    """What testparm reads."""
    argv = ["testparm", "-s", "--parameter-name", name, nas.samba.conf]
    return nas.samba.run(argv, check=False).stdout.strip()


def open_option(page: Page, hands: Hands, name: str) -> None:
    hands.write(page.get_by_role("textbox", name="Filter"), name)
    hands.press(page.get_by_role("button", name=f"Change {name}", exact=True))
    expect(page.get_by_role("dialog").get_by_text("Now: ")).not_to_contain_text("…")


def test_an_option_of_the_server_is_set_and_removed(nas: Nas, window: Window, hands: Hands) -> None:
    page = window.open("options")
    open_option(page, hands, "fsrvpd:auto release max age")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Now: 86400")
    hands.write(dialog.get_by_role("textbox", name="Value"), "many")
    hands.press(dialog.get_by_role("button", name="Set"))
    expect(dialog).to_contain_text("whole number")
    hands.write(dialog.get_by_role("textbox", name="Value"), "7200")
    hands.press(dialog.get_by_role("button", name="Set"))
    expect(dialog).to_contain_text("Written and in force")
    assert "max age = 7200" in nas.samba.conf.read_text()
    hands.press(dialog.get_by_role("button", name="Remove"))
    expect(dialog).to_contain_text("Now: 86400")
    assert "7200" not in nas.samba.conf.read_text()


def test_an_option_of_a_share_is_set(nas: Nas, window: Window, hands: Hands) -> None:
    page = window.open("options")
    hands.write(page.get_by_role("combobox", name="Share"), "deep")
    open_option(page, hands, "fsrvp:keep last")
    dialog = page.get_by_role("dialog")
    hands.write(dialog.get_by_role("textbox", name="Value"), "4")
    hands.press(dialog.get_by_role("button", name="Set"))
    expect(dialog).to_contain_text("Written and in force")
    section = nas.samba.conf.read_text().split("[deep]")[1].split("[")[0]
    assert "fsrvp:keep last = 4" in section
    hands.press(dialog.get_by_role("button", name="Remove"))
    expect(dialog).to_contain_text("Now: 0")
    assert "keep last" not in nas.samba.conf.read_text()
