"""The configuration's writers, by DISKSHADOW's names for them."""

from __future__ import annotations

from typing import Any, Mapping

import pytest

from fsrvpd.requestor.ctl.configuration import WriterSection
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.shell import writers
from fsrvpd.requestor.shell.writers import HYPER_V_ID, SetWriters, listed
from fsrvpd.requestor.state.frozen import FrozenFiles

SECTIONS = (
    WriterSection("web", "guest-agent", {"domains": ["web"]}),
    WriterSection("app", "command", {"freeze": ("true",), "thaw": ("true",)}),
    WriterSection("mail", "guest-agent", {"sockets": ["/run/mail"]}),
)


def test_guests_are_components_of_hyper_vs_writer() -> None:
    guests, app = listed(SECTIONS)
    assert (guests.writer_id, guests.components) == (HYPER_V_ID, ("web", "mail"))
    assert (app.name, app.components) == ("app", ("app",))
    assert listed(SECTIONS[1:2]) == [app]
    assert listed([]) == []


@pytest.fixture
def set_writers(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> SetWriters:
    def of_user(warn: object) -> FrozenFiles:
        return FrozenFiles(tmp_path / "state")

    monkeypatch.setattr(writers.FrozenFiles, "of_user", of_user)
    sections = {section.name: section for section in SECTIONS}
    nobody: Any = None
    return SetWriters(sections, 10.0, nobody, nobody, Output())


def test_they_are_frozen_and_thawed(set_writers: SetWriters) -> None:
    with set_writers.open([], {"app": True}) as opened:
        opened.prepare()
        opened.freeze()
        opened.thaw()
        assert opened.outcome.left_out == []
        assert opened.outcome.window.startswith("writers held still for ")


@pytest.mark.parametrize("is_verified", [True, False])
def test_one_that_was_verified_is_required(
    set_writers: SetWriters, monkeypatch: pytest.MonkeyPatch, is_verified: bool
) -> None:
    keys: Mapping[str, Any] = {"freeze": ("false",), "thaw": ("true",), "required": False}
    section = WriterSection("app", "command", keys)
    monkeypatch.setitem(set_writers._sections, "app", section)  # type: ignore[arg-type]
    with set_writers.open([], {"app": is_verified}) as opened:
        opened.prepare()
        if is_verified:
            with pytest.raises(RequestorError, match="false ended with"):
                opened.freeze()
        else:
            opened.freeze()
            opened.thaw()
            [(name, reason)] = opened.outcome.left_out
            assert name == "app"
            assert "false ended with" in reason
