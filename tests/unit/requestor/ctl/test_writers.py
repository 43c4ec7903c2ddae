"""From a section of the configuration to writers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fsrvpd.requestor.ctl.configuration import WriterSection
from fsrvpd.requestor.ctl.writer_keys import KINDS
from fsrvpd.requestor.ctl.writers import _MAKERS, Surroundings, make_writers
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.writers.ports import Writer

RUN = Surroundings(lambda: (), lambda name: Path("/nothing", name), has_mounts=True, window=10.0)


def made(kind: str, run: Surroundings = RUN, **keys: Any) -> list[Writer]:
    writers = make_writers(WriterSection("app", kind, keys), run)
    assert {writer.kind for writer in writers} == {kind}
    return writers


def test_a_writer_has_what_the_section_says() -> None:
    [writer] = made("command", hooks="/h", priority=3, required=False, timeout=2.5)
    assert (writer.name, writer.priority, writer.required) == ("app", 3, False)
    assert writer.timeout == 2.5
    [writer] = made("command", freeze=("a",), thaw=("b",))
    assert (writer.priority, writer.required) == (0, True)
    [writer] = made("fsfreeze", mountpoints=("/proc",), timeout=3.0)
    assert writer.timeout == 3.0
    [writer] = made("mariadb", option_file="/etc/my.cnf", user="mysql", timeout=4.0)
    assert (writer.name, writer.timeout) == ("app", 4.0)
    [writer] = made("postgresql", connect="service=nas", priority=-1)
    assert (writer.name, writer.priority) == ("app", -1)


def test_without_mounts_postgresql_is_not_in_backup_mode() -> None:
    """Nobody would back up the WAL that it adds."""
    run = RUN._replace(has_mounts=False)
    for mode in ("auto", "checkpoint"):
        [writer] = made("postgresql", run, mode=mode)
        assert writer.__dict__["_mode"] == "checkpoint"
    with pytest.raises(RequestorError, match="writer app: what backup mode adds would be in no"):
        made("postgresql", run, mode="backup")


def test_every_kind_of_the_configuration_can_be_made() -> None:
    assert _MAKERS.keys() == KINDS.keys()


def test_each_guest_is_a_writer() -> None:
    writers = made("guest-agent", domains=("web", "mail"), required=False)
    assert [(writer.name, writer.required) for writer in writers] == [
        ("app web", False),
        ("app mail", False),
    ]
    recipes = [writer.thaw_recipe() for writer in writers]
    assert [recipe and recipe.values["domain"] for recipe in recipes] == ["web", "mail"]
    [writer] = made("guest-agent", sockets=("/run/agent",))
    recipe = writer.thaw_recipe()
    assert writer.name == "app"
    assert recipe is not None
    assert recipe.values["socket"] == "/run/agent"
