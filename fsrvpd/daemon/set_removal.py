"""`delete-set` and `abort-set`: an admin has a set removed and is told how that went."""

from __future__ import annotations

import time
from typing import Any, Callable, Mapping, Sequence

from fsrvpd.core.messages import Guid, format_guid, parse_guid
from fsrvpd.daemon import events
from fsrvpd.daemon.answers import event_to_json, removal_to_json
from fsrvpd.daemon.control import Conversation
from fsrvpd.daemon.events import Event, Field
from fsrvpd.daemon.service import Service
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.model import ShadowCopySet, Status

DRY_RUN = "--dry-run"


def set_id(text: str) -> Guid:
    """Raises: FsrvpdError."""
    try:
        return parse_guid(text)
    except ValueError:
        raise FsrvpdError(
            f"{text}: no id of a set; `fsrvpctl fsrvpd list-sets` shows them"
        ) from None


def find_set(service: Service, key: Guid) -> ShadowCopySet:
    """A set in the table or on its way out. Raises: FsrvpdError."""
    found = service.agent.table.get(key) or service.agent.leaving.get(key)
    if found is None:
        raise FsrvpdError(
            f"there is no shadow copy set {format_guid(key)};"
            " `fsrvpctl fsrvpd list-sets` shows those that exist"
        )
    return found


class SetRemoval:
    """The two messages. The answer comes when the set is gone, or could not be removed."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def delete(self, parameters: Sequence[str], conversation: Conversation) -> None:
        """Whatever its Status."""
        of, dry = self._asked_for("delete-set", parameters)
        self._remove(of, dry, "an admin deleted it", conversation)

    def abort(self, parameters: Sequence[str], conversation: Conversation) -> None:
        """Only while its creation goes on."""
        of, dry = self._asked_for("abort-set", parameters)
        if of.status is Status.RECOVERED and not of.doomed:
            raise FsrvpdError(
                f"set {format_guid(of.shadow_copy_set_id)} is Recovered: a backup may be"
                " reading it; `fsrvpctl fsrvpd delete-set` removes it all the same"
            )
        self._remove(of, dry, "an admin aborted it", conversation)

    def _asked_for(self, message: str, parameters: Sequence[str]) -> tuple[ShadowCopySet, bool]:
        names = [word for word in parameters if word != DRY_RUN]
        if len(names) != 1:
            raise FsrvpdError(f"usage: {message} ID [{DRY_RUN}]")
        return find_set(self._service, set_id(names[0])), DRY_RUN in parameters

    def _remove(self, of: ShadowCopySet, dry: bool, why: str, conversation: Conversation) -> None:
        answer = removal_to_json(of, done=not dry)
        if dry:
            conversation.finish(answer)
            return
        _Follower(of.shadow_copy_set_id, answer, conversation)
        if not of.doomed:
            agent, key = self._service.agent, of.shadow_copy_set_id
            self._service.keep_up(lambda now: agent.doom(key, why, now))


class _Follower:
    """Waits for the event that tells of a removal's end."""

    def __init__(self, key: Guid, answer: Mapping[str, Any], conversation: Conversation) -> None:
        self._key = format_guid(key)
        self._conversation = conversation
        self._ends: dict[str, Callable[[str], None]] = {
            "set-removed": lambda text: conversation.finish(answer),
            "removal-failed": conversation.fail,
        }
        unwatch = events.watch(self._see)
        conversation.on_close.append(unwatch)

    def _see(self, event: Event, text: str, fields: Mapping[str, Field]) -> None:
        if fields.get("set") != self._key:
            return
        self._conversation.tell(event_to_json(time.time(), event, text, fields))
        if event.name in self._ends:
            self._ends[event.name](text)
