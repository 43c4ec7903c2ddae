"""The schema of `--json` is valid and whole, and changes as docs/json.md promises."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Iterator

import pytest
from jsonschema import Draft202012Validator, ValidationError

from fsrvpd import JSON_VERSION
from fsrvpd.ctl.json_schema import COMMANDS, schema_of, whole
from fsrvpd.ctl.main import main
from fsrvpd.ctl.messages import MESSAGES
from fsrvpd.daemon.reconciliation import discrepancies
from fsrvpd.protocol.model import Status
from fsrvpd.store.history_records import OUTCOMES
from tests.paths import ROOT

NAMES = [*(message.name for message in MESSAGES), *COMMANDS]
FROZEN = ROOT / "tests/vectors/json_schema"
DESCRIBED = (ROOT / "docs/json.md").read_text()


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(whole())
    assert set(NAMES) <= set(whole()["$defs"])


def fields(name: str) -> Iterator[str]:
    """Every field that is printed, with its place and its type: `[].copies[].copy: string`."""
    schema = whole()

    def below(part: Any, place: str) -> Iterator[str]:
        if "$ref" in part:
            yield from below(schema["$defs"][part["$ref"].rpartition("/")[2]], place)
            return
        for alternative in part.get("anyOf", []):
            yield from below(alternative, place)
        if "anyOf" not in part:
            yield f"{place or '.'}: {kind_of(part)}"
        required = part.get("required", [])
        for field, inner in part.get("properties", {}).items():
            mark = "" if field in required else "?"
            yield from below(inner, f"{place}.{field}{mark}")
        for inner in [part[key] for key in ("items",) if key in part]:
            yield from below(inner, f"{place}[]")

    return below(schema["$defs"][name], "")


def kind_of(part: Any) -> str:
    if "enum" in part or "const" in part:
        return " ".join(map(json.dumps, part.get("enum", [part.get("const")])))
    kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
    return " ".join(kinds)


def lines() -> list[str]:
    return sorted({f"{name} {field}" for name in NAMES for field in fields(name)})


def test_the_version_is_that_of_these_fields() -> None:
    """A change is another version: write its fields into a file of its name. Those of one that is
    not released yet may be written anew."""
    assert whole()["version"] == JSON_VERSION
    frozen = FROZEN / f"{JSON_VERSION}.txt"
    assert frozen.read_text().splitlines() == lines(), f"see docs/json.md, and write {frozen}"


@pytest.mark.parametrize("path", sorted(FROZEN.iterdir()), ids=lambda path: path.name)
def test_no_field_is_lost_within_a_major_version(path: Path) -> None:
    if path.name.partition(".")[0] == JSON_VERSION.partition(".")[0]:
        assert set(path.read_text().splitlines()) <= set(lines())


def test_each_field_is_in_the_documentation() -> None:
    names = {word for line in lines() for word in re.findall(r"\.(\w+)", line)}
    assert {name for name in names if not re.search(rf'[`"]{name}[`"]', DESCRIBED)} == set()


def test_each_value_that_can_be_compared_is_in_the_documentation() -> None:
    values = {word for line in lines() for word in re.findall(r'"([^"]+)"', line)}
    assert {value for value in values if not re.search(rf'[`"]{value}[`"]', DESCRIBED)} == set()


def test_values_are_those_of_the_code() -> None:
    parts = whole()["$defs"]
    prune = parts["prune"]["items"]["properties"]
    assert set(prune["what"]["enum"]) == set(discrepancies.KINDS)
    assert set(prune["action"]["enum"]) == discrepancies.ACTIONS
    sets = parts["history"]["properties"]["sets"]["items"]["properties"]
    assert set(sets["outcome"]["enum"]) == OUTCOMES
    statuses = {status.value for status in Status}
    assert set(parts["set"]["properties"]["status"]["enum"]) == {*statuses, "Removing"}
    assert set(parts["status"]["properties"]["sets"]["properties"]) == statuses
    problems = parts["status"]["properties"]["problems"]["items"]["properties"]["what"]["examples"]
    assert [name for name in problems if f"`{name}`" not in DESCRIBED] == []


def test_a_later_field_does_no_harm_and_a_lost_one_does() -> None:
    validator = Draft202012Validator(schema_of("ping"))
    validator.validate({"pid": 1, "later": "x"})
    with pytest.raises(ValidationError, match="'pid' is a required property"):
        validator.validate({"later": "x"})


def test_it_is_printed_whole_or_for_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["json-schema"]) == 0
    assert json.loads(capsys.readouterr().out) == whole()
    assert main(["json-schema", "ping"]) == 0
    assert json.loads(capsys.readouterr().out)["$ref"] == "#/$defs/ping"
    assert main(["json-schema", "refusal"]) == 1
    assert "refusal: no message or command that prints JSON" in capsys.readouterr().err
