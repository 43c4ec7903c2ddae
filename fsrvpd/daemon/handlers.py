"""What the control socket's messages do."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Mapping, Sequence, Union

from fsrvpd import __version__
from fsrvpd.core.messages import format_guid
from fsrvpd.daemon import events, self_test
from fsrvpd.daemon.administration import Administration, Loaded
from fsrvpd.daemon.answers import (
    Gauge,
    event_to_json,
    set_to_json,
    snapshot_to_json,
    verdict_to_json,
)
from fsrvpd.daemon.comparison import Finding
from fsrvpd.daemon.control import Conversation, Handler
from fsrvpd.daemon.events import Event, Field
from fsrvpd.daemon.housekeeping import Housekeeping, Wish, as_json
from fsrvpd.daemon.lookups import Explained, Lookups
from fsrvpd.daemon.loop import Loop
from fsrvpd.daemon.server import PipeServer
from fsrvpd.daemon.service import Service
from fsrvpd.daemon.set_removal import DRY_RUN, SetRemoval, find_set, set_id
from fsrvpd.daemon.survey import Survey
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.model import Status

Question = Callable[[Sequence[str]], Any]


class Handlers:
    """The messages that a running daemon answers."""

    def __init__(
        self,
        loop: Loop,
        service: Service,
        server: PipeServer,
        lookups: Lookups,
        housekeeping: Housekeeping,
        administration: Administration,
        samba_version: str,
        gauge: Gauge,
    ) -> None:
        self._loop = loop
        self._service = service
        self._server = server
        self._lookups = lookups
        self._housekeeping = housekeeping
        self._administration = administration
        self._samba_version = samba_version
        self._gauge = gauge
        self._started = time.monotonic()

    def by_name(self) -> dict[str, Handler]:
        removal = SetRemoval(self._service)
        questions: dict[str, Question] = {
            "ping": self.ping,
            "status": self.status,
            "list-sets": self.list_sets,
            "show-set": self.show_set,
            "debug": self.debug,
            "debuglevel": self.debug_level,
            "shutdown": self.shutdown,
        }
        return {
            **{name: _at_once(question) for name, question in questions.items()},
            "abort-set": removal.abort,
            "delete-set": removal.delete,
            "check-path": self.check_path,
            "list-snapshots": self.list_snapshots,
            "prune": self.prune,
            "reload-config": self.reload_config,
            "self-test": self.self_test,
            "watch-events": self.watch_events,
        }

    def ping(self, parameters: Sequence[str]) -> Any:
        _expect(parameters, 0, "ping")
        return {"pid": os.getpid()}

    def status(self, parameters: Sequence[str]) -> Any:
        _expect(parameters, 0, "status")
        agent = self._service.agent
        by_status = {status.value: 0 for status in Status}
        for each in agent.table:
            by_status[each.status.value] += 1
        return {
            "version": __version__,
            "pid": os.getpid(),
            "samba_version": self._samba_version,
            "uptime_seconds": int(time.monotonic() - self._started),
            "dialect": agent.settings.dialect.name,
            "debug_level": self._administration.debug_level,
            "pipe": {
                "path": self._server.path,
                "ours": self._server.owns_pipe(),
                "retaken": self._server.retaken,
                "connections": len(self._server.connections),
            },
            "sets": by_status,
            "sets_being_removed": len(agent.leaving),
            "sets_at_work": agent.at_work,
            "calls": dict(self._service.calls),
            "failures": dict(self._service.failures),
        }

    def list_sets(self, parameters: Sequence[str]) -> Any:
        _expect(parameters, 0, "list-sets")
        agent = self._service.agent
        sets = (*agent.table, *agent.leaving.values())
        return [set_to_json(each, self._gauge) for each in sets]

    def show_set(self, parameters: Sequence[str]) -> Any:
        _expect(parameters, 1, "show-set ID")
        return set_to_json(find_set(self._service, set_id(parameters[0])), self._gauge)

    def debug(self, parameters: Sequence[str]) -> Any:
        _expect(parameters, 1, "debug LEVEL")
        self._administration.set_debug_level(parameters[0])
        return self.debug_level([])

    def debug_level(self, parameters: Sequence[str]) -> Any:
        _expect(parameters, 0, "debuglevel")
        return {"pid": os.getpid(), "level": self._administration.debug_level}

    def shutdown(self, parameters: Sequence[str]) -> Any:
        _expect(parameters, 0, "shutdown")
        self._administration.shutdown()
        return {"pid": os.getpid()}

    def reload_config(self, parameters: Sequence[str], conversation: Conversation) -> None:
        _expect(parameters, 0, "reload-config")

        def done(loaded: Loaded) -> None:
            if isinstance(loaded, FsrvpdError):
                conversation.fail(f"nothing is changed: {loaded}")
            else:
                conversation.finish({"complaints": list(loaded)})

        self._administration.reload(done)

    def check_path(self, parameters: Sequence[str], conversation: Conversation) -> None:
        _expect(parameters, 1, "check-path SHARE")

        def done(explained: Explained) -> None:
            if isinstance(explained, FsrvpdError):
                conversation.fail(str(explained))
            else:
                conversation.finish(verdict_to_json(explained))

        self._lookups.explain(parameters[0], done)

    def list_snapshots(self, parameters: Sequence[str], conversation: Conversation) -> None:
        _expect(parameters, 0, "list-snapshots")

        def done(result: Union[Survey, FsrvpdError]) -> None:
            if isinstance(result, FsrvpdError):
                conversation.fail(str(result))
            else:
                agent = self._service.agent
                sets = (*agent.table, *agent.leaving.values())
                copies = {copy.shadow_copy_id for of in sets for copy in of.shadow_copy_list}
                known = frozenset(map(format_guid, copies))
                found = sorted(result.found, key=lambda each: each.snapshot.created)
                conversation.finish([snapshot_to_json(each, known, result) for each in found])

        self._housekeeping.look(done)

    def prune(self, parameters: Sequence[str], conversation: Conversation) -> None:
        dry_run = list(parameters) == [DRY_RUN]
        _expect(parameters, int(dry_run), f"prune [{DRY_RUN}]")

        def done(result: Union[list[Finding], FsrvpdError]) -> None:
            if isinstance(result, FsrvpdError):
                conversation.fail(str(result))
            else:
                conversation.finish([as_json(finding) for finding in result])

        self._housekeeping.compare(Wish(dry_run, everything=True), done)

    def self_test(self, parameters: Sequence[str], conversation: Conversation) -> None:
        _expect(parameters, 1, "self-test SHARE")
        self_test.begin(self._service, self._lookups, parameters[0], conversation)

    def watch_events(self, parameters: Sequence[str], conversation: Conversation) -> None:
        """Every event from now on, until the client hangs up."""
        _expect(parameters, 0, "watch-events")

        def pass_on(event: Event, text: str, fields: Mapping[str, Field]) -> None:
            line = event_to_json(time.time(), event, text, fields)
            self._loop.ring(lambda: conversation.tell(line))

        conversation.on_close.append(events.watch(pass_on))


def _at_once(question: Question) -> Handler:
    """A handler whose answer needs no waiting."""
    return lambda parameters, conversation: conversation.finish(question(parameters))


def _expect(parameters: Sequence[str], number: int, usage: str) -> None:
    if len(parameters) != number:
        raise FsrvpdError(f"usage: {usage}")
