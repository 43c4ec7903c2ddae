"""`list-kept`, `keep-set`, `release-set` and `delete-kept`."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Optional, Sequence, Union

from fsrvpd.core.messages import format_guid
from fsrvpd.daemon.agent.driver import AgentDriver
from fsrvpd.daemon.control.parameters import Parameters
from fsrvpd.daemon.control.replies import deletion_to_json, kept_to_json
from fsrvpd.daemon.control.set_removal import parse_set_id
from fsrvpd.daemon.control.socket_server import ControlRequest
from fsrvpd.daemon.retention.keeper import Deletion, Keeper
from fsrvpd.daemon.retention.kept_copies import KeptCopy
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.model import ShadowCopySet, Status

NO_COPY = (
    "{0} is no set whose copies can be kept, and no kept copy; `fsrvpctl fsrvpd list-sets` and"
    " `list-kept` show the ids"
)


class KeptMessages:
    """An id is that of a set, be it gone, or of a copy."""

    def __init__(self, driver: AgentDriver, keeper: Keeper) -> None:
        self._driver = driver
        self._keeper = keeper

    def listing(self, parameters: Sequence[str], request: ControlRequest) -> None:
        Parameters.read(parameters, "list-kept").no_names()

        def done(found: Union[Sequence[KeptCopy], FsrvpdError]) -> None:
            _answer(request, found, lambda copies: [kept_to_json(each) for each in copies])

        self._keeper.listing(done)

    def keep(self, parameters: Sequence[str], request: ControlRequest) -> None:
        """Until `release-set`."""
        wanted = _id(Parameters.read(parameters, "keep-set ID").only_name())
        found = self._driver.view.get(parse_set_id(wanted))
        if found is not None:
            self._keep_set(request, wanted, found)
        else:
            self._keeper.hold(wanted, partial(self._held, request, wanted))

    def release(self, parameters: Sequence[str], request: ControlRequest) -> None:
        """They are kept like others from now on."""
        wanted = _id(Parameters.read(parameters, "release-set ID").only_name())

        def done(found: Union[Sequence[KeptCopy], FsrvpdError]) -> None:
            def change(copies: Sequence[KeptCopy]) -> Any:
                ids = [each.copy_id for each in copies if wanted in (each.copy_id, each.set_id)]
                self._keeper.holds.change(dict.fromkeys(ids, False))
                return _changed(wanted, ids, held=False)

            _answer(request, found, change)

        self._keeper.listing(done)

    def _held(
        self, request: ControlRequest, wanted: str, found: Union[Sequence[KeptCopy], FsrvpdError]
    ) -> None:
        def to_json(copies: Sequence[KeptCopy]) -> Any:
            return _changed(wanted, [each.copy_id for each in copies], held=True)

        _answer(request, found, to_json)

    def delete(self, parameters: Sequence[str], request: ControlRequest) -> None:
        given = Parameters.read(parameters, "delete-kept [ID...] [--dry-run]", ["dry-run"])
        ids, dry_run = [_id(name) for name in given.names], "dry-run" in given.flags

        def done(deletions: Union[list[Deletion], FsrvpdError]) -> None:
            _answer(
                request,
                deletions,
                lambda found: [deletion_to_json(each, dry_run=dry_run) for each in found],
            )

        self._keeper.delete(ids, dry_run=dry_run, done=done)

    def _keep_set(
        self, request: ControlRequest, wanted: str, shadow_copy_set: ShadowCopySet
    ) -> None:
        """Raises: FsrvpdError."""
        set_id = format_guid(shadow_copy_set.shadow_copy_set_id)
        if shadow_copy_set.status is not Status.RECOVERED:
            raise FsrvpdError(
                f"set {set_id} is {shadow_copy_set.status.value}: only a complete backup is kept;"
                f" the backup program completes it, or `fsrvpctl fsrvpd complete-set '{set_id}'`"
            )
        copies = [format_guid(copy.shadow_copy_id) for copy in shadow_copy_set.shadow_copy_list]
        if any(copy.deleting for copy in shadow_copy_set.shadow_copy_list):
            raise FsrvpdError(
                f"set {set_id} cannot be kept: its client is deleting it; `fsrvpctl fsrvpd"
                " create-set SHARE` makes another one"
            )
        self._keeper.holds.change(dict.fromkeys(copies, True))

        def done(failure: Optional[FsrvpdError]) -> None:
            _answer(request, failure or copies, lambda ids: _changed(wanted, ids, held=True))

        self._driver.keep_set(shadow_copy_set.shadow_copy_set_id, done)


def _changed(wanted: str, ids: Sequence[str], *, held: bool) -> Any:
    """Raises: FsrvpdError when there are no such copies."""
    if not ids:
        raise FsrvpdError(NO_COPY.format(wanted))
    return {"set": wanted, "copies": ids, "held": held}


def _id(text: str) -> str:
    """In registry form. Raises: FsrvpdError."""
    return format_guid(parse_set_id(text))


def _answer(request: ControlRequest, found: Any, to_json: Callable[[Any], Any]) -> None:
    def reply() -> None:
        if isinstance(found, FsrvpdError):
            raise found
        request.finish(to_json(found))

    request.guard(reply)
