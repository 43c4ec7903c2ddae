"""The list of messages: each has a meaning, and a usage that says what it takes."""

from __future__ import annotations

import pytest

from fsrvpd.ctl.messages import BY_NAME, DRY_RUN, MESSAGES, Message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.name)
def test_every_message_has_a_meaning(message: Message) -> None:
    assert message.meaning.endswith(".")
    assert message.usage.startswith(" ".join([message.name, *message.parameters]))
    assert BY_NAME[message.name] is message


def test_usage_shows_a_dry_run_where_something_is_deleted() -> None:
    assert BY_NAME["delete-set"].usage == "delete-set ID [--dry-run]"
    assert BY_NAME["show-set"].usage == "show-set ID"
    assert [message.name for message in MESSAGES if DRY_RUN in message.options] == [
        "delete-set",
        "delete-kept",
        "abort-set",
        "prune",
    ]
    assert [message.name for message in MESSAGES if message.endless] == ["watch-events"]


def test_a_parameter_with_dots_is_any_number_of_words() -> None:
    create = BY_NAME["create-set"]
    assert [number for number in range(4) if create.takes(number)] == [1, 2, 3]
    optional = create._replace(parameters=("[ID...]",))
    assert [number for number in range(3) if optional.takes(number)] == [0, 1, 2]
    assert [number for number in range(3) if BY_NAME["show-set"].takes(number)] == [1]


def test_an_option_is_one_word_for_the_daemon() -> None:
    context, keep, _ = BY_NAME["create-set"].options
    assert (context.given("backup"), context.given(None)) == ("--context=backup", None)
    assert (keep.given(True), keep.given(False)) == ("--keep", None)
    assert context.usage == "--context NAME"
