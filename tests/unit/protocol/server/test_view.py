"""Queries of other modules to the agent."""

from __future__ import annotations

import pytest

from fsrvpd.core import messages as m
from fsrvpd.protocol.model import Status
from tests.unit.protocol.server.driver import Client, Server, client_at, guid

PUBLISHED = (Status.COMMITTED, Status.EXPOSED, Status.RECOVERED)


def test_a_set_is_found_while_it_exists_and_while_it_is_being_removed() -> None:
    client = client_at(Status.EXPOSED)
    view = client.server.agent.view
    [found] = view.sets
    assert view.get(client.set_id) is view.find(client.set_id) is found
    client.send(m.AbortShadowCopySet(client.set_id))
    assert view.get(client.set_id) is None
    assert view.find(client.set_id) is found
    assert view.removing == view.all_sets == [found]
    client.server.finish_all()
    assert view.find(client.set_id) is None
    assert not view.all_sets


def test_sets_are_counted_by_every_status() -> None:
    server = Server()
    Client(server, "10.0.0.1").reach(Status.ADDED)
    Client(server, "10.0.0.2").reach(Status.EXPOSED)
    Client(server, "10.0.0.3").reach(Status.EXPOSED)
    counts = server.agent.view.count_by_status()
    assert list(counts) == list(Status)
    assert {status: n for status, n in counts.items() if n} == {
        Status.ADDED: 1,
        Status.EXPOSED: 2,
    }


@pytest.mark.parametrize("status", Status)
def test_published_sets_are_stable_while_no_job_runs(status: Status) -> None:
    client = client_at(status)
    client.server.finish_all()
    view = client.server.agent.view
    stable = {client.set_id} if status in PUBLISHED else set()
    assert set(view.stable_revisions()) == stable


def test_a_job_makes_a_set_unstable() -> None:
    client = client_at(Status.COMMITTED)
    view = client.server.agent.view
    [(key, revision)] = view.stable_revisions().items()
    assert view.unchanged_since(key, revision) is view.get(key)
    client.send(m.ExposeShadowCopySet(key, 1000))
    assert view.running_jobs == 1
    assert not view.stable_revisions()
    assert view.unchanged_since(key, revision) is None
    client.server.finish_all()
    assert view.running_jobs == 0
    assert view.unchanged_since(key, revision) is None, "Expose has changed the set"
    assert view.unchanged_since(guid(0xBAD), 0) is None


def test_documents_that_cannot_be_read_are_named() -> None:
    server = Server()
    server.store[guid(7)] = "{}"
    server.restart()
    assert server.agent.view.unreadable == {guid(7)}


def test_the_settings_in_force_are_shown() -> None:
    server = Server(max_sets=3)
    assert server.agent.view.settings.max_sets == 3
    server.agent.configure(server.settings._replace(max_sets=4))
    assert server.agent.view.settings.max_sets == 4
