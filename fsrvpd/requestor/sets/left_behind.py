"""`LeftBehind`: a failure after which something of a set may still be on a server."""

from __future__ import annotations

from typing import Sequence

from fsrvpd.requestor.errors import LEFT_SOMETHING, RequestorError


class LeftBehind(RequestorError):
    """`error` came first; `left` is why not everything could be removed, and may have it too. The
    record of the set stays, so that `clean` tries again."""

    def __init__(self, error: Exception, left: Sequence[Exception]) -> None:
        known = error if isinstance(error, RequestorError) else None
        cause = known.cause if known else str(error) or type(error).__name__
        others = "; ".join(_line(each) for each in left if each is not error)
        steps = {each.next_step for each in left if isinstance(each, RequestorError)} - {""}
        super().__init__(
            known.object if known else "the set",
            f"{cause}; something was left: {others}" if others else cause,
            "; ".join([*sorted(steps), "then type `fsrvpshadow clean`"]),
            result=known.result if known else None,
            exit_status=LEFT_SOMETHING,
        )


def _line(error: Exception) -> str:
    if isinstance(error, RequestorError):
        return f"{error.object}: {error.cause}"
    return str(error)
