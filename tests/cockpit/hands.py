"""The two ways to use a page: with a mouse, and with nothing but a keyboard."""

from __future__ import annotations

from typing import Protocol

from playwright.sync_api import Locator, Page, expect

STEPS = 150  # Tab is pressed so often at most; a view has fewer places to go to
IS_FOCUSED = "element => element === document.activeElement"


class Hands(Protocol):
    def press(self, target: Locator) -> None:
        """Press a button, follow a link, or change a checkbox."""

    def write(self, target: Locator, text: str) -> None:
        """Replace the text of a field."""

    def choose(self, target: Locator, label: str) -> None:
        """Choose an option of a list."""


class Mouse:
    def press(self, target: Locator) -> None:
        target.click()

    def write(self, target: Locator, text: str) -> None:
        target.click(click_count=3)
        target.page.keyboard.type(text)

    def choose(self, target: Locator, label: str) -> None:
        target.select_option(label=label)


class Keyboard:
    def press(self, target: Locator) -> None:
        page = self._go_to(target)
        page.keyboard.press("Space" if target.get_attribute("type") == "checkbox" else "Enter")

    def write(self, target: Locator, text: str) -> None:
        page = self._go_to(target)
        page.keyboard.press("Control+a")
        page.keyboard.type(text)

    def choose(self, target: Locator, label: str) -> None:
        page = self._go_to(target)
        page.keyboard.type(label)
        expect(target.locator("option:checked")).to_have_text(label)

    def _go_to(self, target: Locator) -> Page:
        """Press Tab until the target has the focus."""
        expect(target).to_be_visible()
        expect(target).to_be_enabled()
        for _ in range(STEPS):
            if target.evaluate(IS_FOCUSED):
                return target.page
            target.page.keyboard.press("Tab")
        raise AssertionError(f"no Tab leads to {target}")


BOTH = {"mouse": Mouse(), "keyboard": Keyboard()}
