"""fsrvpd/requestor/shell/words.py: the tables agree with one another."""

from __future__ import annotations

import pytest

from fsrvpd.requestor.shell.words import BY_WORDS, COMMANDS, FOLLOWING, REFUSED, shown, shown_path


@pytest.mark.parametrize("path", BY_WORDS, ids=" ".join)
def test_each_command_can_be_reached(path: tuple[str, ...]) -> None:
    assert all(path[number] in FOLLOWING[path[:number]] for number in range(len(path)))


@pytest.mark.parametrize("path", FOLLOWING, ids=str)
def test_each_word_leads_to_a_command(path: tuple[str, ...]) -> None:
    assert any(command[: len(path[:2])] == path[:2] for command in BY_WORDS)
    for word in FOLLOWING[path]:
        if len(path) < 2 and (*path, word) not in BY_WORDS:
            assert (*path, word) in FOLLOWING


@pytest.mark.parametrize("path", REFUSED, ids=" ".join)
def test_no_word_is_both_known_and_refused(path: tuple[str, ...]) -> None:
    assert path[-1] not in FOLLOWING[path[:-1]]


def test_syntax() -> None:
    by_syntax = {command.syntax for command in COMMANDS}
    assert {"CREATE", "SET METADATA FILE", "SET VERBOSE {ON | OFF}"} <= by_syntax
    assert (shown(("on", "off")), shown_path(("set", "verbose"))) == ("ON, OFF", "SET VERBOSE")
