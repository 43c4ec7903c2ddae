"""fsrvpd/requestor/shell/settings.py"""

from __future__ import annotations

import pytest

from fsrvpd.protocol.context import is_valid
from fsrvpd.requestor.shell.lines import WrongWord
from fsrvpd.requestor.shell.settings import Aliases, Settings


@pytest.mark.parametrize(
    ("settings", "context"),
    [
        (Settings(), 0x00400000),
        (Settings(persistent=True), 0x00400009),
        (Settings(persistent=True, writers=False), 0x19),
        (Settings(writers=False), 0x10),
        (Settings(auto_recovery=False), 0x2),
        (Settings(persistent=True, auto_recovery=False), 0xB),
        (Settings(writers=False, auto_recovery=True), 0x400010),
    ],
)
def test_contexts_are_those_of_diskshadow(settings: Settings, context: int) -> None:
    assert settings.context == context
    assert is_valid(context)


def test_settings_are_shown() -> None:
    assert list(Settings().shown()) == ["CONTEXT VOLATILE", "METADATA <none>", "VERBOSE OFF"]
    changed = Settings(True, False, False, "x.json", True)
    assert list(changed.shown()) == [
        "CONTEXT PERSISTENT NOWRITERS",
        "OPTION NOAUTORECOVER",
        "METADATA x.json",
        "VERBOSE ON",
    ]
    assert "OPTION ROLLBACKRECOVER" in Settings(auto_recovery=True).shown()


def test_aliases_have_no_case_and_come_before_the_environment() -> None:
    aliases = Aliases({"HOME": "/root", "x": "environment"})
    aliases.set("X", "1")
    aliases.set("vm", "1")
    aliases.set("x", "2")
    assert [aliases.value(name) for name in ("x", "X", "VM", "HOME")] == ["2", "2", "1", "/root"]
    assert aliases.value("home") is None
    assert aliases.named() == {"x": "2", "vm": "1"}


def test_of_two_names_of_a_value_the_first_is_shown() -> None:
    aliases = Aliases({})
    aliases.set("VSS_SHADOW_1", "1")
    aliases.set("System1", "1")
    assert aliases.by_value() == {"1": "VSS_SHADOW_1"}
    aliases.clear()
    assert aliases.by_value() == {}


@pytest.mark.parametrize("name", ["", "a=b", "a%", "a b", "a\0"])
def test_what_cannot_be_a_variable_of_the_environment_is_no_name(name: str) -> None:
    with pytest.raises(WrongWord, match="this cannot be the name of an alias"):
        Aliases({}).set(name, "1")


def test_a_value_without_nul() -> None:
    with pytest.raises(WrongWord, match="NUL"):
        Aliases({}).set("x", "\0")
