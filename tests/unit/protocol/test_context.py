"""2.2.2.2: four contexts, each with one recovery attribute or none."""

from __future__ import annotations

import pytest

from fsrvpd.protocol import context

AUTO, NO_AUTO = context.ATTR_AUTO_RECOVERY, context.ATTR_NO_AUTO_RECOVERY


@pytest.mark.parametrize("base", context.NAMES)
def test_a_context_takes_one_recovery_attribute(base: int) -> None:
    assert context.is_valid(base)
    assert context.is_valid(base | AUTO)
    assert context.is_valid(base | NO_AUTO)
    assert not context.is_valid(base | AUTO | NO_AUTO)
    assert context.is_writable(base | AUTO)
    assert not context.is_writable(base | NO_AUTO)


def test_rollback_contexts_are_persistent() -> None:
    persistent = {base for base in context.NAMES if context.is_persistent(base)}
    assert persistent == {context.CTX_APP_ROLLBACK, context.CTX_NAS_ROLLBACK}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "backup (0x0)"),
        (context.CTX_NAS_ROLLBACK | AUTO, "NAS rollback, auto-recovery (0x400019)"),
        (NO_AUTO, "backup, no auto-recovery (0x2)"),
        (0x80, "unknown (0x80)"),
    ],
)
def test_a_context_is_described_for_people(value: int, text: str) -> None:
    assert context.describe(value) == text


def test_an_admin_can_type_each_of_them() -> None:
    assert set(context.BY_NAME.values()) == set(context.NAMES)
