"""Writers of a group: side by side, by priority, thawed once, and for no longer than the window."""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import Callable

import pytest

from fsrvpd.requestor.errors import LEFT_SOMETHING, RequestorError
from fsrvpd.requestor.events import Event
from fsrvpd.requestor.writers import writer_state
from fsrvpd.requestor.writers.group import WriterGroup
from fsrvpd.requestor.writers.ports import WriterFailed
from tests.unit.requestor.writers.fake_writer import FakeKeeper, FakeWriter, Hanging


def failing(writer: str) -> Callable[[], None]:
    def fail() -> None:
        raise WriterFailed(writer, "it refuses")

    return fail


def run(group: WriterGroup) -> None:
    with group:
        group.prepare()
        group.freeze()
        group.thaw()
        group.complete([])


def test_the_steps() -> None:
    writer = FakeWriter("a")
    run(WriterGroup([writer]))
    assert writer.calls == ["a prepare", "a freeze", "a thaw", "a complete", "a close"]


def test_lower_priorities_are_frozen_first_and_thawed_last() -> None:
    calls: list[str] = []
    group = WriterGroup([FakeWriter(str(n), calls, priority=n) for n in (3, 1, 2)])
    group.freeze()
    assert calls == ["1 freeze", "2 freeze", "3 freeze"]
    group.thaw()
    assert calls[3:] == ["3 thaw", "2 thaw", "1 thaw"]


@pytest.mark.parametrize("step", ["prepare", "freeze", "thaw", "complete"])
def test_writers_of_one_priority_work_at_the_same_time(step: str) -> None:
    barrier = threading.Barrier(3)
    writers = [FakeWriter(str(n)) for n in range(3)]
    for writer in writers:
        writer.on[step] = lambda: [barrier.wait(20)] * 0 or None
    run(WriterGroup(writers))
    assert not barrier.broken


def test_a_freeze_that_fails_thaws_all_that_was_begun() -> None:
    calls: list[str] = []
    writers = [FakeWriter("a", calls, priority=1), FakeWriter("b", calls, priority=2)]
    writers.append(FakeWriter("c", calls, priority=3))
    writers[1].on["freeze"] = failing("b")
    group = WriterGroup(writers)
    with pytest.raises(WriterFailed, match="writer b: it refuses"):
        group.freeze()
    assert calls == ["a freeze", "b freeze", "b thaw", "a thaw"]
    group.close()
    assert calls[4:] == ["a close", "b close", "c close"]


def test_one_that_is_not_required_is_left_out() -> None:
    events: list[Event] = []
    writers = [FakeWriter("a"), FakeWriter("b", required=False)]
    writers[1].on["freeze"] = failing("b")
    group = WriterGroup(writers, report=events.append)
    run(group)
    assert writers[1].calls == ["b prepare", "b freeze", "b thaw", "b close"]
    assert writers[0].calls[-2:] == ["a complete", "a close"]
    assert [name for name, _ in group.left_out] == ["b"]
    failed = next(event for event in events if event.name == "writer-failed")
    assert failed.fields["step"] == "freeze"
    assert failed.fields["required"] is False


def test_one_that_is_not_required_may_fail_ahead() -> None:
    writer = FakeWriter("b", required=False)
    writer.on["prepare"] = failing("b")
    run(WriterGroup([writer]))
    assert writer.calls == ["b prepare", "b close"]


def test_one_that_is_required_may_not() -> None:
    writer = FakeWriter("b")
    writer.on["prepare"] = failing("b")
    with pytest.raises(WriterFailed):
        run(WriterGroup([writer]))
    assert writer.calls == ["b prepare", "b close"]


def test_a_freeze_that_hangs_ends_at_the_writers_time_limit() -> None:
    writer, hanging = FakeWriter("a", timeout=0.5), Hanging()
    writer.on["freeze"] = hanging
    writer.on["thaw"] = hanging.let_go.set
    group = WriterGroup([writer])
    with pytest.raises(WriterFailed, match="it was not frozen after"):
        group.freeze()
    assert writer.calls == ["a freeze", "a thaw", "a thaw"]  # the second one when it has ended


def test_the_windows_end_thaws_while_the_servers_are_waited_for() -> None:
    writer, thawed = FakeWriter("a"), threading.Event()
    writer.on["thaw"] = thawed.set
    group = WriterGroup([writer], window=1.0)
    group.freeze()
    assert thawed.wait(20)
    with pytest.raises(RequestorError, match="the window: it was over after 1 s"):
        group.thaw()
    assert writer.calls == ["a freeze", "a thaw"]
    group.close()
    assert writer.calls.count("a thaw") == 1


def test_the_window_ends_before_a_slow_keeper_thaws() -> None:
    class Slow(FakeKeeper):
        def freezing(self, seconds: float) -> None:
            threading.Event().wait(0.25)

    writer = FakeWriter("a", has_recipe=True)
    with pytest.raises(RequestorError, match="the window: it was over"):
        run(WriterGroup([writer], window=0.2, keeper=Slow([])))


def test_a_process_that_was_stopped_beyond_the_window_does_not_trust_its_copies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threading.Timer, "run", lambda timer: None)  # it comes too late
    group = WriterGroup([FakeWriter("a")], window=1.0)
    group.freeze()
    threading.Event().wait(1.01)
    thaw = group._thaw

    def thaw_and_be_late() -> None:
        group._begin_thaw()
        group._window_is_over()
        thaw()

    monkeypatch.setattr(group, "_thaw", thaw_and_be_late)
    with pytest.raises(RequestorError, match="the window: it was over"):
        group.thaw()


def test_the_windows_end_during_the_freezes_freezes_no_more() -> None:
    calls: list[str] = []
    slow, hanging = FakeWriter("slow", calls, priority=1), Hanging()
    slow.on["freeze"] = hanging
    slow.on["thaw"] = hanging.let_go.set
    group = WriterGroup([slow, FakeWriter("later", calls, priority=2)], window=1.0)
    with pytest.raises(RequestorError):
        group.freeze()
    assert calls == ["slow freeze", "slow thaw", "slow thaw"]


class Signal(BaseException):
    """As a signal's handler raises it."""


def test_an_interrupted_freeze_thaws() -> None:
    writer, begun = FakeWriter("a"), threading.Event()

    class Interrupting(FakeWriter):
        @property
        def timeout(self) -> float:  # it is read by the thread that a signal interrupts
            assert begun.wait(20)
            raise Signal

        @timeout.setter
        def timeout(self, value: float) -> None:
            """Is not kept."""

    other = Interrupting("b")
    other.on["freeze"] = begun.set
    group = WriterGroup([writer, other])
    with pytest.raises(Signal):
        group.freeze()
    assert writer.calls == ["a freeze", "a thaw"]
    assert other.calls == ["b freeze", "b thaw"]


def interrupted(function: Callable[[], None], number: int) -> bool:
    """At the beginning of that one of our functions, or those of a thread, in their order.
    Whether there is one."""
    others = ("start", "cancel", "thawed")
    left = number

    def trace(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        mine = "fsrvpd" in frame.f_code.co_filename or frame.f_code.co_name in others
        left -= mine
        if left < 0:
            sys.settrace(None)
            raise Signal

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    except Signal:
        return True
    finally:
        sys.settrace(before)
    return False


def test_a_thaw_that_is_interrupted_anywhere_is_done() -> None:
    number = 0
    while True:
        writer = FakeWriter("vm", has_recipe=True)
        group = WriterGroup([writer], keeper=FakeKeeper(writer.calls))
        group.prepare()
        group.freeze()
        was_interrupted = interrupted(group.thaw, number)
        group.close()
        assert "vm thaw" in writer.calls, number
        assert writer.calls.count("vm thaw") == 1
        assert "keeper thawed" in writer.calls, number  # else it runs a command a second time
        assert writer.calls[-2:] == ["keeper close", "vm close"]
        if not was_interrupted:
            break
        number += 1
    assert number > 5


def test_one_that_is_left_out_is_thawed_wherever_the_freeze_is_interrupted() -> None:
    number = 0
    while True:
        calls: list[str] = []
        writer = FakeWriter("vm", calls, required=False, has_recipe=True)
        writer.on["freeze"] = failing("vm")
        with WriterGroup([writer], keeper=FakeKeeper(calls)) as group:
            group.prepare()
            if not interrupted(group.freeze, number):
                break
        if "vm freeze" in calls:
            assert "vm thaw" in calls[calls.index("vm freeze") :], number
        number += 1
    assert number > 10


def test_a_freeze_that_was_never_begun_is_not_said_to_be_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its thread comes too late to begin: the window is over."""
    told: list[Event] = []
    state = writer_state.WriterState(FakeWriter("a"), told.append)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda thread: None)
        state.begin_freeze()
    state.begin_thaw()
    assert state.wait_for_thaw() is None
    error = state.wait_for_freeze(20)
    assert isinstance(error, WriterFailed)
    assert "writer-frozen" not in [event.name for event in told]


class Late(FakeWriter):
    """Its thaw comes before its freeze has done anything."""

    def __init__(self) -> None:
        super().__init__("vm", timeout=0.01)
        self.thawing = threading.Event()
        self.is_frozen = False

    def freeze(self) -> None:
        assert self.thawing.wait(20)
        self.is_frozen = True

    def thaw(self) -> None:
        self.is_frozen = False
        self.thawing.set()


def test_a_freeze_that_is_overtaken_by_its_thaw_is_thawed() -> None:
    writer = Late()
    with pytest.raises(WriterFailed, match="it was not frozen after"), WriterGroup([writer]) as all:
        all.freeze()
    assert not writer.is_frozen


def test_a_freeze_that_goes_on_is_not_known_to_be_thawed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_state, "_LONGEST_FREEZE", 0.0)
    writer, hanging = FakeWriter("a", timeout=0.5, has_recipe=True), Hanging()
    writer.on["freeze"] = hanging
    group = WriterGroup([writer], keeper=FakeKeeper(writer.calls))
    group.prepare()
    with pytest.raises(WriterFailed):
        group.freeze()
    group.close()
    hanging.let_go.set()
    assert "keeper thawed" not in writer.calls


def test_without_threads_nothing_is_taken_for_thawed(monkeypatch: pytest.MonkeyPatch) -> None:
    writer = FakeWriter("a", has_recipe=True)
    group = WriterGroup([writer], keeper=FakeKeeper(writer.calls))
    group.prepare()
    group.freeze()

    def refuse(state: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(writer_state.WriterState, "begin_thaw", refuse)
    with pytest.raises(RuntimeError):
        group.thaw()
    assert "keeper thawed" not in writer.calls
    monkeypatch.undo()
    group.close()


def test_a_thaw_that_fails_leaves_something() -> None:
    writer = FakeWriter("a", required=False)
    writer.on["thaw"] = failing("a")
    keeper = FakeKeeper(writer.calls)
    group = WriterGroup([writer], keeper=keeper)
    group.freeze()
    with pytest.raises(WriterFailed, match="not known to be thawed") as caught:
        group.thaw()
    assert caught.value.exit_status == LEFT_SOMETHING
    assert group.frozen is None


def test_the_keeper_knows_what_can_stay_frozen() -> None:
    calls: list[str] = []
    keeper = FakeKeeper(calls)
    writers = [FakeWriter("a", calls), FakeWriter("vm", calls, priority=1, has_recipe=True)]
    with WriterGroup(writers, keeper=keeper, window=3) as group:
        group.prepare()
        del calls[:]
        group.freeze()
        group.thaw()
    assert calls[0] == "keeper freezing 4"
    assert calls[1:] == [
        *("a freeze", "vm freeze", "vm thaw", "a thaw", "keeper thawed"),
        *("keeper close", "a close", "vm close"),
    ]


def test_a_keeper_for_nothing_is_not_started() -> None:
    writer = FakeWriter("a")
    run(WriterGroup([writer], keeper=FakeKeeper(writer.calls)))
    assert not any("keeper" in call for call in writer.calls)


def test_a_keeper_that_is_not_told_of_a_thaw_tries_itself() -> None:
    writer = FakeWriter("a", has_recipe=True)
    writer.on["thaw"] = failing("a")
    keeper = FakeKeeper(writer.calls)
    with pytest.raises(WriterFailed):
        run(WriterGroup([writer], keeper=keeper))
    assert "keeper thawed" not in writer.calls
    assert writer.calls[-2:] == ["keeper close", "a close"]


def test_the_times_are_reported() -> None:
    events: list[Event] = []
    group = WriterGroup([FakeWriter("a"), FakeWriter("b")], report=events.append)
    run(group)
    assert [event.name for event in events].count("writer-frozen") == 2
    assert {event.fields["writer"] for event in events if event.name == "writer-thawed"} == {
        "a",
        "b",
    }
    (end,) = [event for event in events if event.name == "writers-thawed"]
    assert end.fields["limit_ms"] == 10000
    assert end.fields["worst_writer"] in ("a", "b")
    assert 0 <= float(end.fields["worst_ms"]) <= float(end.fields["window_ms"]) + 0.1
    assert group.frozen is not None
    assert str(group.frozen) == end.text
