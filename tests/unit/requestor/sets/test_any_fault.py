"""Whatever goes wrong at whatever call, once or often: nothing is left, or `clean` finishes it.

Hypothesis plays two servers in both dialects, connections that break before or after a call, jobs
that fail, refusals, and the kill of the requestor's process.
"""

from __future__ import annotations

from typing import Optional

from hypothesis import given, settings
from hypothesis import strategies as st

from fsrvpd.protocol.settings import CURRENT, WS2012
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.sets.shadow_copy_set import ShadowCopySet
from tests.unit.requestor.memory import Fault, Killed
from tests.unit.requestor.world import SHARES, World

FAULTS = st.dictionaries(st.integers(0, 24), st.sampled_from(Fault), max_size=3)


def create(world: World, *, keep: bool) -> tuple[Optional[ShadowCopySet], Optional[Exception]]:
    try:
        return world.requestor.create(SHARES, keep=keep), None
    except RequestorError as error:
        return None, error


def end(world: World, created: ShadowCopySet) -> None:
    world.requestor.delete(created.set_id)
    created.close()


@settings(max_examples=300)
@given(FAULTS, FAULTS, st.booleans(), st.sampled_from([CURRENT, WS2012]), st.booleans())
def test_nothing_is_left(
    nas: dict[int, Fault], fs2: dict[int, Fault], keep: bool, dialect: object, as_samba: bool
) -> None:
    world = World(dialect=dialect, parallel_sets=as_samba)
    world.fs2.keeps_committed = as_samba
    world.nas.faults, world.fs2.faults = dict(nas), dict(fs2)
    try:
        created, error = create(world, keep=keep)
        if created is not None:
            end(world, created)
    except (Killed, RequestorError) as failure:
        error = failure if isinstance(failure, RequestorError) else None
        created = None
    if created is None and error is not None and error.exit_status != 5:
        world.assert_clean()  # exit status 1 promises it
    for server in world.servers:
        server.faults.clear()
        server.open_connections = 0  # the process has ended
    world.restart_host()
    cleaning = world.requestor.clean()
    assert cleaning.left == ()
    world.pass_time(4000)  # what a server could not remove it tries again
    for record in cleaning.kept:  # the process was killed after the set was complete
        world.requestor.delete(record.set_id)
    world.assert_clean()


@settings(max_examples=200)
@given(FAULTS)
def test_a_record_tells_more_than_the_server_has(nas: dict[int, Fault]) -> None:
    """At every call there is a record of each set that the server has."""
    world = World()
    world.nas.faults = dict(nas)

    def look(request: object) -> None:
        held = {each.shadow_copy_set_id for each in world.nas.table}
        known = {record.server_set_id for record in world.store.records()}
        assert held <= known or None in known

    world.nas.on_call = look
    try:
        with world.requestor.create(SHARES[:2]):
            pass
    except (Killed, RequestorError):
        pass
