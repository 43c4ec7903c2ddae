"""Ends the servers of each test."""

from __future__ import annotations

from typing import Iterator

import pytest

from tests.unit.requestor.files.peer import PEERS


@pytest.fixture(autouse=True)
def _end_the_peers() -> Iterator[None]:
    yield
    for peer in PEERS:
        peer.end()
    PEERS.clear()
