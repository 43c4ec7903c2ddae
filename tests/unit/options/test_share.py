"""The options of a share, typed."""

from __future__ import annotations

from math import inf

import pytest

from fsrvpd.options.share import NAMESPACE, SHARE_OPTIONS, ShareOptions

COMMANDS = ("check_path_command", "create_command", "delete_command")


def test_every_option_has_a_field_of_its_name() -> None:
    names = [option.name for option in SHARE_OPTIONS]
    assert names == [f"{NAMESPACE}:{field.replace('_', ' ')}" for field in ShareOptions._fields]


def test_the_defaults_are_those_of_the_options() -> None:
    defaults = {option.name: option.parse(option.default) for option in SHARE_OPTIONS}
    read = ShareOptions.read({})._asdict()
    for command in COMMANDS:
        assert read.pop(command) == ""
    assert all(defaults[f"fsrvp:{field.replace('_', ' ')}"] == read[field] for field in read)
    assert (read["enabled"], read["provider"], read["pool_limit"]) == (True, "auto", 90.0)
    assert (read["command_timeout"], read["clone_time_limit"], read["depth"]) == (60, 50, 0)


def test_values_are_read() -> None:
    read = ShareOptions.read(
        {
            "enabled": "No",
            "provider": "Reflink",
            "pool limit": "75.5",
            "create command": " snap 'two words ",
            "command timeout": "5",
            "include": " /*.vhdx/ ",
            "depth": " 3 ",
            "clone time limit": "0",
            "keep": "on",
            "previous versions": "1",
            "backup users": 'ada "+two words"',
            "unknown": "ignored",
        }
    )
    assert not read.enabled
    assert read.provider == "reflink"
    assert read.pool_limit == 75.5
    assert read.create_command == "snap 'two words"
    assert read.command_timeout == 5
    assert read.include == "/*.vhdx/"
    assert read.depth == 3
    assert read.clone_time_limit == inf
    assert read.keep
    assert read.previous_versions
    assert read.backup_users == ("ada", "+two words")


@pytest.mark.parametrize(
    "name",
    ["enabled", "keep", "previous versions", "pool limit", "command timeout", "depth"],
)
def test_what_cannot_be_parsed_counts_as_the_default(name: str) -> None:
    assert ShareOptions.read({name: "garbage"}) == ShareOptions.read({})
    assert ShareOptions.read({name: ""}) == ShareOptions.read({})


def test_the_same_options_are_parsed_once() -> None:
    assert ShareOptions.read({"keep": "yes"}) is ShareOptions.read({"keep": "yes"})
