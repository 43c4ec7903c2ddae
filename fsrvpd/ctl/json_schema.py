"""`fsrvpctl json-schema [NAME]`: the JSON schema of what `--json` prints."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any, Dict

from fsrvpd.ctl.messages import BY_NAME
from fsrvpd.errors import FsrvpdError

COMMANDS = ("check-config", "doctor", "set-option", "unset-option")
FILE = os.path.join(os.path.dirname(__file__), "json_schema.json")
_PARTS = "$defs"


def json_schema(arguments: argparse.Namespace) -> int:
    print(json.dumps(schema_of(arguments.of) if arguments.of else whole(), indent=2))
    return 0


def whole() -> Dict[str, Any]:
    """Its parts have the names of messages and commands."""
    with open(FILE, encoding="utf-8") as file:
        schema: Dict[str, Any] = json.load(file)
    return schema


def schema_of(name: str) -> Dict[str, Any]:
    """Of what one message or command prints. Raises: FsrvpdError if there is none of that name."""
    schema = whole()
    if name not in (*BY_NAME, *COMMANDS):
        raise FsrvpdError(f"{name}: no message or command that prints JSON; fsrvpctl(8) lists them")
    return {**schema, "$ref": f"#/{_PARTS}/{name}"}
