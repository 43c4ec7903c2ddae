from __future__ import annotations

import pytest

from tests.unit.protocol.server.driver import Client, Server


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def client(server: Server) -> Client:
    return Client(server)
