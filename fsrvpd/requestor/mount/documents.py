"""What a mount's process is told by whoever starts it, and what it answers: JSON over pipes, in
which a password is seen by nobody else.
"""

from __future__ import annotations

import json
from typing import Any, Mapping, NamedTuple, Optional

from fsrvpd.requestor.errors import RequestorError


class Order(NamedTuple):
    host: str
    share: str  # of the copy
    live_share: str  # of which it is a copy
    prefix: str
    point: str
    problems: str  # the file for what cannot be shown
    user: str
    password: Optional[str]
    kerberos: bool
    encrypt: bool


def order_to_line(order: Order) -> bytes:
    return json.dumps(order._asdict()).encode() + b"\n"


def order_from_line(line: bytes) -> Order:
    fields: Mapping[str, Any] = json.loads(line)
    return Order(**fields)


MOUNTED = b'{"mounted": true}\n'
STAY = b"stay\n"  # said to a mount that does not end with the pipe


def failure_to_line(error: RequestorError) -> bytes:
    fields = {
        "object": error.object,
        "cause": error.cause,
        "next_step": error.next_step,
        "result": error.result,
        "exit_status": error.exit_status,
    }
    return json.dumps({"failed": fields}).encode() + b"\n"


def failure_from_line(line: bytes) -> Optional[RequestorError]:
    """None if it says that the mount is there. Raises: ValueError for half a line."""
    found = json.loads(line)
    fields = found.get("failed")
    if fields is None:
        return None
    return RequestorError(
        fields["object"],
        fields["cause"],
        fields["next_step"],
        result=fields["result"],
        exit_status=fields["exit_status"],
    )
