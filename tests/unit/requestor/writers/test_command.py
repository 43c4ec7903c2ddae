"""The writer `command`: which commands are called, in which order, and what their failure does."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest

from fsrvpd.requestor.writers import recipes
from fsrvpd.requestor.writers.command import CommandWriter, commands_of
from fsrvpd.requestor.writers.ports import WriterFailed
from lab.namespaces import wait_until


class Hooks:
    """A directory of hooks that note how they were called."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "hooks"
        self.directory.mkdir()
        self._log = directory / "log"
        self._log.touch()

    def add(self, name: str, text: str = "", mode: int = 0o755) -> None:
        path = self.directory / name
        path.write_text(f'#!/bin/sh\necho "{name} $1" >> {self._log}\n{text}\n')
        path.chmod(mode)

    def called(self) -> list[str]:
        return self._log.read_text().splitlines()

    def writer(self, timeout: float = 20.0) -> CommandWriter:
        return CommandWriter("app", hooks=str(self.directory), timeout=timeout)


@pytest.fixture
def hooks(tmp_path: Path) -> Hooks:
    return Hooks(tmp_path)


def test_two_commands(tmp_path: Path) -> None:
    frozen = tmp_path / "frozen"
    writer = CommandWriter("app", freeze=["touch", str(frozen)], thaw=["rm", str(frozen)])
    writer.prepare()
    writer.freeze()
    assert frozen.exists()
    writer.thaw()
    assert not frozen.exists()
    writer.complete([])
    writer.close()


def test_hooks_freeze_in_order_and_thaw_in_the_other(hooks: Hooks) -> None:
    for name in ("20-b", "10-a", "30-c.rpmsave", "40-d~", ".hidden", "50-e.dpkg-old"):
        hooks.add(name)
    hooks.add("60-readme", mode=0o644)
    writer = hooks.writer()
    writer.prepare()
    writer.freeze()
    writer.thaw()
    assert hooks.called() == ["10-a freeze", "20-b freeze", "20-b thaw", "10-a thaw"]


def test_a_hook_that_fails_ends_the_freeze_and_is_thawed(hooks: Hooks) -> None:
    hooks.add("1")
    hooks.add("2", '[ "$1" = thaw ] || { echo locked >&2; exit 1; }')
    hooks.add("3")
    writer = hooks.writer()
    writer.prepare()
    with pytest.raises(WriterFailed, match="/2 ended with status 1: locked"):
        writer.freeze()
    writer.thaw()
    assert hooks.called() == ["1 freeze", "2 freeze", "2 thaw", "1 thaw"]


def test_a_thaw_that_fails_keeps_no_other_from_thawing(hooks: Hooks) -> None:
    hooks.add("1")
    hooks.add("2", '[ "$1" = freeze ]')
    writer = hooks.writer()
    writer.prepare()
    writer.freeze()
    with pytest.raises(WriterFailed, match="/2 ended with status 1"):
        writer.thaw()
    assert hooks.called()[-1] == "1 thaw"


def test_a_thaw_ends_a_freeze_that_hangs(hooks: Hooks) -> None:
    hooks.add("1", '[ "$1" = thaw ] || sleep 300')
    hooks.add("2")
    writer = hooks.writer()
    writer.prepare()
    errors: list[Exception] = []

    def freeze() -> None:
        try:
            writer.freeze()
        except WriterFailed as error:
            errors.append(error)

    thread = threading.Thread(target=freeze)
    thread.start()
    wait_until("the first hook runs", lambda: hooks.called() == ["1 freeze"])
    writer.thaw()
    thread.join(20)
    assert errors
    assert hooks.called() == ["1 freeze", "1 thaw"]


def test_who_thaws_for_another_ends_its_freeze_first(hooks: Hooks) -> None:
    """A client that was killed has left a hook running, which would freeze afterwards."""
    hooks.add(
        "1", f'[ "$1" = thaw ] || {{ sleep 300; echo late >> {hooks.directory.parent}/log; }}'
    )
    writer = hooks.writer(timeout=300)
    writer.prepare()
    recipe = writer.thaw_recipe()
    assert recipe is not None

    def freeze() -> None:
        with pytest.raises(WriterFailed, match="signal 9"):
            writer.freeze()

    thread = threading.Thread(target=freeze)
    thread.start()
    wait_until("the hook runs", lambda: hooks.called() == ["1 freeze"])
    recipes.thaw(recipe)
    thread.join(20)
    assert not thread.is_alive()
    assert hooks.called() == ["1 freeze", "1 thaw"]


def test_nothing_is_frozen_when_its_time_is_over(hooks: Hooks) -> None:
    """As by a process that was stopped, for which the keeper has thawed."""
    hooks.add("1")
    writer = hooks.writer(timeout=0.0)
    writer.prepare()
    with pytest.raises(WriterFailed, match="its time was over before all of it was frozen"):
        writer.freeze()
    writer.thaw()
    assert hooks.called() == []


def test_all_hooks_share_the_time(hooks: Hooks) -> None:
    hooks.add("1", '[ "$1" = thaw ] || sleep 300')
    writer = hooks.writer(timeout=2.0)
    writer.prepare()
    with pytest.raises(WriterFailed, match="not ended after"):
        writer.freeze()


def test_a_directory_without_hooks_would_freeze_nothing(hooks: Hooks) -> None:
    with pytest.raises(WriterFailed, match="nothing would be frozen"):
        hooks.writer().prepare()


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WriterFailed, match="cannot read the directory"):
        commands_of("app", str(tmp_path / "none"))


def test_what_everybody_may_write_is_not_run(hooks: Hooks) -> None:
    hooks.add("1")
    [commands] = commands_of("app", str(hooks.directory))
    for path in (commands.freeze[0], str(hooks.directory)):
        os.chmod(path, 0o777)
        with pytest.raises(WriterFailed, match=re.escape(f"everybody may write to {path};")):
            commands_of("app", str(hooks.directory))
        os.chmod(path, 0o755)


def test_what_belongs_to_another_user_is_not_run(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks.add("1")
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 12345)
        patch.setattr(os, "stat", lambda path: os.stat_result((0o755, 0, 0, 1, 54321, *[0] * 5)))
        with pytest.raises(WriterFailed, match="belongs to another user; chown 12345"):
            commands_of("app", str(hooks.directory))


def test_whoever_has_the_recipe_thaws(hooks: Hooks) -> None:
    hooks.add("1")
    hooks.add("2")
    writer = hooks.writer()
    writer.prepare()
    recipe = writer.thaw_recipe()
    assert recipe is not None
    recipes.thaw(recipe)
    assert hooks.called() == ["2 thaw", "1 thaw"]
