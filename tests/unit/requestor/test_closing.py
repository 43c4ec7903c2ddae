"""What is closed at the end of its block, however that ends."""

from __future__ import annotations

import pytest

from fsrvpd.requestor.closing import Closing


class Opened(Closing):
    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_it_is_closed_once() -> None:
    opened = Opened()
    with opened as inside:
        assert inside is opened
        assert not opened.closed
    assert opened.closed == 1


def test_an_error_goes_on() -> None:
    opened = Opened()
    with pytest.raises(KeyError), opened:
        raise KeyError
    assert opened.closed == 1
