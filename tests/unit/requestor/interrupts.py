"""`interrupting`: something happens at one bytecode after a set is complete on all servers.

Python lets signals come after a call and at the beginning of a function or loop, never between the
end of a block and the return that follows.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dis import opname
from types import FrameType
from typing import Any, Callable, Iterator, Optional

import pytest

from fsrvpd.requestor.sets.creation import Creation


@contextmanager
def interrupting(
    number: int, happens: Callable[[], None], end: Callable[..., object]
) -> Iterator[list[int]]:
    """`happens` is called before the bytecode of that number, in whatever function it is, and may
    raise. `end` is the function at whose return that ends. Yields a list that has the number then.
    """
    done: list[int] = []
    run = Creation.run
    left = number

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal left
        frame.f_trace_opcodes = True
        if event == "return" and frame.f_code is end.__code__:
            sys.settrace(None)
        if event == "opcode" and not opname[frame.f_code.co_code[frame.f_lasti]].startswith(
            "RETURN"
        ):
            left -= 1
            if left < 0 and not done:
                done.append(number)
                sys.settrace(None)
                happens()
        return trace

    def and_then(creation: Creation, *arguments: Any) -> None:
        run(creation, *arguments)
        for caller in _callers(sys._getframe(1), end):
            caller.f_trace, caller.f_trace_opcodes = trace, True
        sys.settrace(trace)

    before = sys.gettrace()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Creation, "run", and_then)
        try:
            yield done
        finally:
            sys.settrace(before)


def _callers(frame: Optional[FrameType], last: Callable[..., object]) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = None if frame.f_code is last.__code__ else frame.f_back
