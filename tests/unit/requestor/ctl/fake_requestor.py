"""A requestor that makes sets of nothing, for the commands that use one."""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Sequence

from fsrvpd.core.messages import Guid, parse_guid
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.events import Event, Report, ignore
from fsrvpd.requestor.ports import SetRecord, SetState, ShadowCopyRecord, ShareRoot
from fsrvpd.requestor.sets.removal import Cleaning
from fsrvpd.requestor.sets.shadow_copy_set import ShadowCopySet

SET = "{0E5C6C3B-8F0B-4C39-9D1C-3B1E0A6A5D11}"
COPY = "{2B9D4D1B-4AD4-4B39-B3A5-0D1D35CD7C14}"


def record(**changed: Any) -> SetRecord:
    root = ShareRoot("\\\\nas\\data\\sub", "\\\\nas\\data", "nas", "data", "sub")
    copy = ShadowCopyRecord(parse_guid(COPY), root, f"data@{COPY}", 0x1DC_0000_0000_0000)
    whole = SetRecord(
        set_id=parse_guid(SET),
        server="nas",
        server_set_id=parse_guid(COPY),
        context=0x10,
        state=SetState.RECOVERED,
        copies=(copy,),
        owner=None,
        job="nightly",
        started=1_700_000_000.0,
        pid=4711,
    )
    return whole._replace(**changed)


class FakeRequestor:
    """`log` lists what was asked for. `creating` and `deleting` are called meanwhile, and may
    raise; `gone`: the server does not have the copies any longer when they are deleted."""

    def __init__(self) -> None:
        self.log: List[Any] = []
        self.report: Report = ignore
        self.creating: Callable[[], object] = lambda: None
        self.deleting: Callable[[], object] = lambda: None
        self.gone = False
        self.context = 0x10  # of what is made
        self.cleaning = Cleaning((), (), (), ())
        self.error: Optional[RequestorError] = None

    def create(self, shares: Sequence[str], **options: Any) -> ShadowCopySet:
        self.log.append(("create", tuple(shares), options))
        for hook in ("prepare", "freeze"):
            if options.get(hook):
                options[hook]()
        try:
            self.creating()
        finally:
            if options.get("thaw"):
                options["thaw"]()
        self.report(Event("set-committed", "nas: committed", {"server": "nas"}))
        found = record(context=self.context)
        roots = [copy.root for copy in found.copies]
        kept = bool(options.get("keep"))
        return ShadowCopySet([found], roots, self._delete, lambda: None, kept=kept)

    def _delete(self, created: ShadowCopySet) -> None:
        self.log.append("delete")
        self.deleting()
        if self.gone:
            self.report(Event("snapshot-gone", "gone", {}))

    def delete(self, set_id: Guid, copy_ids: Optional[Sequence[Guid]] = None) -> None:
        self.log.append(("delete", set_id, copy_ids))
        if self.error:
            raise self.error

    def delete_unrecorded(self, unc: str, set_id: Guid, copy_id: Guid) -> None:
        self.log.append(("delete", unc, set_id, copy_id))

    def records(self) -> List[SetRecord]:
        return []

    def clean(self, records: Sequence[SetRecord], *, dry_run: bool = False) -> Cleaning:
        self.log.append(("clean", [each.job for each in records], dry_run))
        return self.cleaning

    def clean_own(self) -> Cleaning:
        return self.clean([])
