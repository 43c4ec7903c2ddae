"""Recipes are read by the module of their kind, and an unknown one is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsrvpd.requestor.writers import recipes
from fsrvpd.requestor.writers.ports import ThawRecipe, WriterFailed


def test_a_command(tmp_path: Path) -> None:
    done = tmp_path / "done"
    values = {"commands": [["touch", str(done)]], "timeout": 20}
    recipes.thaw(ThawRecipe("command", "app", values))
    assert done.exists()


def test_a_command_is_not_late(tmp_path: Path) -> None:
    values = {"commands": [["mkdir", str(tmp_path / "done")]], "timeout": 20}
    recipes.thaw_late(ThawRecipe("command", "app", values))
    assert (tmp_path / "done").exists()


def test_an_unknown_kind() -> None:
    with pytest.raises(WriterFailed, match="writer app: nobody here knows"):
        recipes.thaw(ThawRecipe("later", "app", {}))


@pytest.mark.parametrize("kind", ["command", "fsfreeze", "guest-agent"])
def test_each_kind_has_a_module_that_thaws(kind: str) -> None:
    assert callable(recipes.module_of(ThawRecipe(kind, "app", {})).thaw)
