"""Exit statuses: those that the documentation promises."""

from __future__ import annotations

import signal

from fsrvpd.requestor.ctl import exit_status


def test_the_status_of_a_command_is_the_shells() -> None:
    assert exit_status.of_command(0) == 0
    assert exit_status.of_command(3) == 3
    assert exit_status.of_command(-signal.SIGKILL) == 137
    assert exit_status.of_signal(signal.SIGTERM) == 143


def test_the_manual_has_each_once() -> None:
    named = [
        exit_status.EXIT_DONE,
        exit_status.EXIT_FAILED,
        exit_status.EXIT_USAGE,
        exit_status.EXIT_INCOMPLETE,
        exit_status.EXIT_BUSY,
        exit_status.EXIT_LEFT,
    ]
    assert [name for name, _ in exit_status.MEANINGS] == [*map(str, named), "128 + n"]
    assert [name for name, _ in exit_status.MEANINGS_OF_RUN] == [
        *("status of COMMAND", "125", "3", "126", "127", "128 + n")
    ]
