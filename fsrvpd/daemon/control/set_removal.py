"""`delete-set` and `abort-set`: removes a set for an admin and reports the result."""

from __future__ import annotations

import time
from typing import Callable, Mapping, Sequence

from fsrvpd.core.messages import Guid, format_guid, parse_guid
from fsrvpd.daemon.agent.driver import AgentDriver
from fsrvpd.daemon.control.replies import event_to_json, removal_to_json
from fsrvpd.daemon.control.socket_server import ControlRequest
from fsrvpd.daemon.log import events
from fsrvpd.daemon.log.events import Event, Field
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.model import ShadowCopySet, Status
from fsrvpd.protocol.server.view import AgentView

DRY_RUN = "--dry-run"


def parse_set_id(text: str) -> Guid:
    """Raises: FsrvpdError."""
    try:
        return parse_guid(text)
    except ValueError:
        raise FsrvpdError(
            f"{text} is not the id of a set; `fsrvpctl fsrvpd list-sets` shows the ids"
        ) from None


def find_set(view: AgentView, set_id: Guid) -> ShadowCopySet:
    """A set, also one that is being removed. Raises: FsrvpdError."""
    found = view.find(set_id)
    if found is None:
        raise FsrvpdError(
            f"there is no shadow copy set {format_guid(set_id)};"
            " `fsrvpctl fsrvpd list-sets` shows those that exist"
        )
    return found


class SetRemoval:
    """Handles both messages. The reply is sent when the set is removed, or could not be."""

    def __init__(self, driver: AgentDriver) -> None:
        self._driver = driver

    def delete(self, parameters: Sequence[str], request: ControlRequest) -> None:
        """In any Status."""
        shadow_copy_set, dry_run = self._parse("delete-set", parameters)
        self._remove(shadow_copy_set, dry_run, "an admin deleted it", request)

    def abort(self, parameters: Sequence[str], request: ControlRequest) -> None:
        """Only while it is being created."""
        shadow_copy_set, dry_run = self._parse("abort-set", parameters)
        if shadow_copy_set.status is Status.RECOVERED and not shadow_copy_set.removing:
            set_id = format_guid(shadow_copy_set.shadow_copy_set_id)
            raise FsrvpdError(
                f"set {set_id} is Recovered: a backup may be reading it;"
                " `fsrvpctl fsrvpd delete-set` removes it nevertheless"
            )
        self._remove(shadow_copy_set, dry_run, "an admin aborted it", request)

    def _parse(self, message: str, parameters: Sequence[str]) -> tuple[ShadowCopySet, bool]:
        names = [word for word in parameters if word != DRY_RUN]
        if len(names) != 1:
            raise FsrvpdError(f"usage: {message} ID [{DRY_RUN}]")
        return find_set(self._driver.view, parse_set_id(names[0])), DRY_RUN in parameters

    def _remove(
        self, shadow_copy_set: ShadowCopySet, dry_run: bool, why: str, request: ControlRequest
    ) -> None:
        result = removal_to_json(shadow_copy_set, done=not dry_run)
        if dry_run:
            request.finish(result)
            return
        set_id = shadow_copy_set.shadow_copy_set_id
        RemovalWatcher(set_id, request, lambda: request.finish(result), request.fail)
        self._driver.remove_set(set_id, why)


class RemovalWatcher:
    """Passes on the events of a set's removal; the one that ends it calls `removed`, or `failed`
    with the reason."""

    def __init__(
        self,
        set_id: Guid,
        request: ControlRequest,
        removed: Callable[[], None],
        failed: Callable[[str], None],
    ) -> None:
        self._set_id = format_guid(set_id)
        self._request = request
        self._ends: dict[str, Callable[[str], None]] = {
            "set-removed": lambda text: removed(),
            "removal-failed": failed,
        }
        request.on_close.append(events.watch(self._see))

    def _see(self, event: Event, text: str, fields: Mapping[str, Field]) -> None:
        if fields.get("set") != self._set_id:
            return
        self._request.send_event(event_to_json(time.time(), event, text, fields))
        if event.name in self._ends:
            self._ends[event.name](text)
