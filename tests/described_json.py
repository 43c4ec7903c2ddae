"""What `--json` prints, against the schema of its release, and more strictly: each field that is
printed must be described."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator

from fsrvpd.ctl.json_schema import schema_of


def assert_described(name: str, printed: Any) -> None:
    """`name` is that of a message or a command."""
    errors = [
        f"{error.json_path}: {error.message}" for error in _validator(name).iter_errors(printed)
    ]
    assert errors == []


@lru_cache(None)
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(without_more(schema_of(name)))


def without_more(schema: Any) -> Any:
    """The schema of objects that have no other fields than those that it names."""
    if isinstance(schema, list):
        return [without_more(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {
        key: value if key in ("if", "then") else without_more(value)
        for key, value in schema.items()
    }
    return {**inner, "additionalProperties": False} if "required" in schema else inner
