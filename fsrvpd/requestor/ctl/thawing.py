"""What killed runs have left frozen is thawed: by `clean`, and by the next run."""

from __future__ import annotations

from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.errors import LEFT_SOMETHING, RequestorError
from fsrvpd.requestor.state.frozen import FrozenFiles, FrozenRecord
from fsrvpd.requestor.writers.left_frozen import Thawing, thaw_left

_UNREADABLE = "it may stand for a writer that is still frozen"
_LOOK = "look into it, see whether that writer works, and remove the file"


def clean_frozen(output: Output, *, dry_run: bool) -> bool:
    """Print what becomes of each. Returns whether nothing is left."""
    store = FrozenFiles.of_user(output.warning)
    thawing = thaw_left(store, dry_run=dry_run)
    done = "would be thawed" if dry_run else "thawed"
    for record in thawing.thawed:
        output.result(f"{_named(record)}: {done}", **_fields(record, done))
    for record in thawing.in_use:
        output.result(f"{_named(record)}: in use", **_fields(record, "in use"))
    unreadable = store.damaged()
    for error in [*_errors(thawing), *(_damage(str(path)) for path in unreadable)]:
        output.failed(error, LEFT_SOMETHING)
    return not thawing.left and not unreadable


def thaw_before(output: Output) -> None:
    """Before anything is frozen anew. What cannot be thawed is warned of."""
    thawing = thaw_left(FrozenFiles.of_user(output.warning))
    for record in thawing.thawed:
        text = f"{_named(record)}: thawed, as a run that was killed had not"
        output.event("writer-thawed", text, writer=record.writer, kind=record.kind)
    for error in _errors(thawing):
        output.warning(f"{error}; an earlier run may have left it frozen")


def _errors(thawing: Thawing) -> list[RequestorError]:
    return [left.error for left in thawing.left]


def _damage(path: str) -> RequestorError:
    return RequestorError(path, _UNREADABLE, _LOOK)


def _named(record: FrozenRecord) -> str:
    return f"writer {record.writer} ({record.kind})"


def _fields(record: FrozenRecord, outcome: str) -> dict[str, str]:
    return {
        "writer": record.writer,
        "kind": record.kind,
        "outcome": outcome.replace(" ", "-"),
        "job": record.job,
    }
