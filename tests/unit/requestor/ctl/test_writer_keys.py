"""The kinds of writers have keys that are explained, and say which of them they need."""

from __future__ import annotations

import pytest

from fsrvpd.requestor.ctl.writer_keys import COMMAND, KEYS_OF_WRITERS, KINDS, Kind


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_a_kind_needs_are_keys_of_its_own(kind: Kind) -> None:
    names = {key.name for key in kind.keys}
    assert {name for needs in kind.needs for name in needs} <= names
    assert not names & {key.name for key in KEYS_OF_WRITERS}
    assert kind.meaning.endswith(".")


def test_a_writer_without_a_kind_is_one_of_commands() -> None:
    assert [key.name for key in KINDS[COMMAND].keys] == ["freeze", "thaw", "hooks", "timeout"]
