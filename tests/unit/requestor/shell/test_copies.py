"""fsrvpd/requestor/shell/copies.py"""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any, Callable, Collection, Optional, Sequence

import pytest

from fsrvpd import filetime
from fsrvpd.core.messages import Guid, new_guid
from fsrvpd.requestor.ctl.signals import Interrupted, Signals
from fsrvpd.requestor.errors import LEFT_SOMETHING, RequestorError
from fsrvpd.requestor.ports import SetRecord, SetState, ShadowCopyRecord, ShareRoot
from fsrvpd.requestor.sets.removal import Cleaning, Left
from fsrvpd.requestor.shell.copies import RequestorCopies, listed
from fsrvpd.requestor.shell.ports import FrozenWriters
from fsrvpd.requestor.shell.texts import shown_guid
from tests.unit.requestor.shell.copies import ignore

SET_ID = new_guid()
STARTED, CREATED = 1_700_000_000.0, 1_700_000_005.0


def root(share: str) -> ShareRoot:
    unc = rf"\\nas\{share}"
    return ShareRoot(unc + r"\below", unc, "nas", share, "below")


def record(*copies: ShadowCopyRecord, owner: Optional[str] = None) -> SetRecord:
    state = SetState.RECOVERED
    return SetRecord(SET_ID, "nas", new_guid(), 9, state, copies, owner, "", STARTED, 0)


def copy(share: str, created: Optional[int] = None) -> ShadowCopyRecord:
    return ShadowCopyRecord(new_guid(), root(share), f"{share}@{{X}}", created)


def test_a_set_on_two_servers_is_listed_as_one() -> None:
    first, second = copy("vm", filetime.from_unix(CREATED)), copy("data")
    records = [record(first, owner="node1"), record(second)]
    one, two = listed(records)
    assert one.copy_id == shown_guid(first.copy_id)
    assert (one.set_id, one.copies_in_set) == (two.set_id, 2) == (shown_guid(SET_ID), 2)
    assert (one.volume, one.prefix, one.context) == (r"\\nas\vm", "below", 9)
    assert (one.device, one.server, one.created) == (r"\\node1\vm@{X}", "node1", CREATED)
    assert (two.device, two.server, two.created) == (r"\\nas\data@{X}", "nas", STARTED)


@pytest.mark.parametrize("created", [0, 1, 1 << 63])
def test_times_of_no_calendar(created: int) -> None:
    assert listed([record(copy("vm", created))])[0].created == STARTED


def test_what_has_no_share_is_not_listed() -> None:
    assert listed([record(copy("vm")._replace(shadow_share=None))]) == []


class Created:
    """A ShadowCopySet."""

    def __init__(self, requestor: Requestor, records: Sequence[SetRecord], kept: bool) -> None:
        self._requestor = requestor
        self.set_id = SET_ID
        self.records = records
        self.copies = [copy for record in reversed(records) for copy in record.copies]
        self.kept = kept

    def close(self) -> None:
        assert self.kept
        self._requestor.did.append("close")

    def delete(self) -> None:
        self._requestor.did.append("delete set")
        self._requestor.there.clear()


class Requestor:
    """Two copies on two servers."""

    def __init__(self, signal_number: int = 0) -> None:
        self.there: list[SetRecord] = []
        self.did: list[str] = []
        self.left: tuple[Left, ...] = ()
        self._signal = signal_number

    def create(
        self, shares: Sequence[str], *, context: int, wait: float, completed: Callable[[], None]
    ) -> Created:
        self.did.append(f"create {' '.join(shares)} {context} {wait}")
        if self._signal:
            signal.raise_signal(self._signal)
        self.there += [record(copy("vm")), record(copy("data"))]
        completed()
        return Created(self, list(self.there), bool(context & 1))

    def clean_own(self) -> Cleaning:
        self.did.append("clean")
        return Cleaning((), (), (), self.left)

    def records(self) -> list[SetRecord]:
        return list(self.there)

    def delete(self, set_id: Guid, copy_ids: Collection[Guid]) -> None:
        [copy_id] = copy_ids
        self.did.append("delete copy")
        self.there = [each for each in self.there if each.copies[0].copy_id != copy_id]


def copies(requestor: Requestor) -> RequestorCopies:
    requestor_: Any = requestor
    names: Any = None
    return RequestorCopies(requestor_, names, Signals(), wait=2.0)


def test_a_persistent_set_is_let_go() -> None:
    requestor = Requestor()
    created = copies(requestor).create([root("vm"), root("data")], 9, {}, ignore)
    assert [copy.volume for copy in created] == [r"\\nas\data", r"\\nas\vm"]
    assert requestor.did == [r"create \\nas\vm\below \\nas\data\below 9 2.0", "close"]


def test_the_last_copy_of_a_volatile_set_ends_it() -> None:
    requestor = Requestor()
    shown = copies(requestor)
    shown.create([root("vm"), root("data")], 0, {}, ignore)
    for each in shown.listed():
        shown.delete(each)
    assert requestor.did[1:] == ["delete copy", "delete set"]


def test_an_interrupted_creation_is_cleaned() -> None:
    requestor = Requestor(signal.SIGTERM)
    with Signals() as signals, pytest.raises(Interrupted):
        RequestorCopies(requestor, None, signals).create([root("vm")], 0, {}, ignore)  # type: ignore[arg-type]
    assert requestor.did[-1] == "clean"


def test_what_an_interrupted_creation_leaves_is_told() -> None:
    requestor = Requestor(signal.SIGTERM)
    gone = RequestorError("nas", "it cannot be reached", "check its name")
    requestor.left = (Left(record(copy("vm")), gone),)
    with Signals() as signals, pytest.raises(RequestorError, match="fsrvpshadow clean") as caught:
        RequestorCopies(requestor, None, signals).create([root("vm")], 0, {}, ignore)  # type: ignore[arg-type]
    assert caught.value.exit_status == LEFT_SOMETHING
    assert str(caught.value).startswith("nas: ended by SIGTERM")


class OpenedWriters:
    """Of one set, with a name for each step."""

    outcome = FrozenWriters([], "writers held still for 1 ms")

    def __init__(self, did: list[str], error: Optional[RequestorError] = None) -> None:
        self._did = did
        self._error = error

    def __enter__(self) -> OpenedWriters:
        return self

    def __exit__(self, *_: object) -> None:
        self._did.append("closed")

    def prepare(self) -> None:
        self._did.append("prepare")

    def freeze(self) -> None:
        self._did.append("freeze")

    def thaw(self) -> None:
        self._did.append("thaw")

    def complete(self, created: Created) -> None:
        self._did.append("complete")
        if self._error:
            raise self._error


class WithHooks(Requestor):
    """Calls what is to be called before, at and after the commit."""

    def create(self, shares: Sequence[str], *, context: int, wait: float, **hooks: Any) -> Created:
        for name in ("prepare", "freeze", "thaw"):
            hooks[name]()
        return super().create(shares, context=context, wait=wait, completed=hooks["completed"])


@pytest.mark.parametrize("error", [None, RequestorError("writer pg", "no WAL", "")])
def test_writers_take_part(error: Optional[RequestorError]) -> None:
    requestor: Any = WithHooks()
    writers: Any = SimpleNamespace(open=lambda roots, wanted: OpenedWriters(requestor.did, error))
    names: Any = None
    shown = RequestorCopies(requestor, names, Signals(), 2.0, writers)
    told: list[FrozenWriters] = []
    if error:
        with pytest.raises(RequestorError, match="no WAL"):
            shown.create([root("vm")], 0, {"pg": True}, told.append)
    else:
        shown.create([root("vm")], 0, {"pg": True}, told.append)
    steps = [each for each in requestor.did if not each.startswith("create")]
    undone = ["delete set"] if error else []
    assert steps == ["prepare", "freeze", "thaw", "complete", "closed", *undone]
    assert told == ([] if error else [OpenedWriters.outcome])
