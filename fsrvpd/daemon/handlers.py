"""What the control socket's messages do. Every answer is plain JSON.

The shapes are stable: a field is added, never renamed.
"""

from __future__ import annotations

import os
import time
from typing import Any, Sequence, Union

from fsrvpd import __version__
from fsrvpd.core.messages import format_guid
from fsrvpd.daemon.comparison import Finding
from fsrvpd.daemon.control import Done, Handler, Later
from fsrvpd.daemon.housekeeping import Housekeeping, Wish, as_json
from fsrvpd.daemon.server import PipeServer
from fsrvpd.daemon.service import Service
from fsrvpd.daemon.shares import ShareFinder
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol import context
from fsrvpd.protocol.hresult import describe
from fsrvpd.protocol.model import ShadowCopy, ShadowCopySet, Status


class Handlers:
    """The messages that a running daemon answers."""

    def __init__(
        self,
        service: Service,
        server: PipeServer,
        finder: ShareFinder,
        housekeeping: Housekeeping,
        samba_version: str,
    ) -> None:
        self._service = service
        self._server = server
        self._finder = finder
        self._housekeeping = housekeeping
        self._samba_version = samba_version
        self._started = time.time()

    def by_name(self) -> dict[str, Handler]:
        return {
            "ping": self.ping,
            "status": self.status,
            "list-sets": self.list_sets,
            "check-path": self.check_path,
            "prune": self.prune,
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
            "uptime_seconds": int(time.time() - self._started),
            "dialect": agent.settings.dialect.name,
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
        return [_set_to_json(each) for each in (*agent.table, *agent.leaving.values())]

    def check_path(self, parameters: Sequence[str]) -> Any:
        _expect(parameters, 1, "check-path SHARE")
        verdict = self._finder.explain(parameters[0])
        place = verdict.place
        return {
            "share": verdict.share.name,
            "path": verdict.share.path,
            "directory": verdict.directory,
            "supported": place is not None,
            "result": describe(verdict.result),
            "reason": verdict.reason,
            "refusals": dict(verdict.refusals),
            "provider": place.provider if place else None,
            "volume": place.volume_name if place else None,
            "volume_root": place.volume_root if place else None,
        }

    def prune(self, parameters: Sequence[str]) -> Any:
        dry_run = list(parameters) == ["--dry-run"]
        _expect(parameters, int(dry_run), "prune [--dry-run]")
        wish = Wish(dry_run, everything=True)

        def begin(done: Done) -> None:
            self._housekeeping.compare(wish, lambda result: done(_findings(result)))

        return Later(begin)


def _findings(result: Union[list[Finding], FsrvpdError]) -> Any:
    if isinstance(result, FsrvpdError):
        return result
    return [as_json(finding) for finding in result]


def _expect(parameters: Sequence[str], number: int, usage: str) -> None:
    if len(parameters) != number:
        raise FsrvpdError(f"usage: {usage}")


def _set_to_json(of: ShadowCopySet) -> dict[str, Any]:
    return {
        "set": format_guid(of.shadow_copy_set_id),
        "status": "Removing" if of.doomed else of.status.value,
        "context": context.describe(of.context),
        "client": of.client_address,
        "account": of.account,
        "started": of.started,
        "spread_ms": round(of.spread * 1000, 3),
        "copies": [_copy_to_json(copy) for copy in of.shadow_copy_list],
    }


def _copy_to_json(copy: ShadowCopy) -> dict[str, Any]:
    return {
        "copy": format_guid(copy.shadow_copy_id),
        "volume": copy.volume_name,
        "provider": copy.place.provider,
        "snapshot": copy.snapshot.root if copy.snapshot else None,
        "shares": [
            {
                "share": mapped.share,
                "shadow_copy_share": mapped.shadow_copy_share_name or None,
                "exposed": mapped.is_exposed,
            }
            for mapped in copy.share_mapping_list
        ],
    }
