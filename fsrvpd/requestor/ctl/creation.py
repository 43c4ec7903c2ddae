"""`fsrvpshadow create`, and the creation of a set as `run` does it, too."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Sequence

from fsrvpd.core.messages import format_guid
from fsrvpd.protocol.context import CTX_FILE_SHARE_BACKUP, CTX_NAS_ROLLBACK, is_persistent
from fsrvpd.requestor.ctl.command_environment import Copy, exports, of_mounts, variables
from fsrvpd.requestor.ctl.exit_status import EXIT_DONE
from fsrvpd.requestor.ctl.opening import open_requestor
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.ctl.settings import Settings, need_shares, read
from fsrvpd.requestor.ctl.signals import Interrupted, Signals
from fsrvpd.requestor.sets.requestor import Requestor
from fsrvpd.requestor.sets.shadow_copy_set import ShadowCopy, ShadowCopySet
from fsrvpd.terminal import one_line

if TYPE_CHECKING:
    from fsrvpd.requestor.writers.group import WriterGroup

_UNTIL = ("until    you type",)
# The protocol cannot ask when.
_UNTIL_THE_SERVER = (
    "until    the server removes it: fsrvpd after a day (`fsrvpd:auto release max age`) and at a",
    "         reboot, Windows when it restarts; --persistent prevents that. Or until you type",
)


def create(arguments: argparse.Namespace, output: Output) -> int:
    settings = read(arguments)
    need_shares(settings)
    with Signals() as signals:
        with signals.interrupting():  # it may ask for a password
            requestor = open_requestor(settings, output)
        created = make_set(
            requestor, settings, signals, output, kept=True, persistent=arguments.persistent
        )
        try:
            tell(created, output)
            signals.check()
            shown = exports if arguments.export_env else None
            text = shown(environment(created)) if shown else described(created)
            output.result(text, **fields(created))
        except BaseException:  # nobody would delete what nobody knows of
            created.delete()
            raise
        created.close()
    return EXIT_DONE


def make_set(
    requestor: Requestor,
    settings: Settings,
    signals: Signals,
    output: Output,
    *,
    job: str = "",
    kept: bool = False,
    persistent: bool = False,
    writers: Optional[WriterGroup] = None,
) -> ShadowCopySet:
    """Raises: RequestorError, Interrupted; nothing is left then, unless the exit status says so."""
    try:
        with signals.interrupting():
            return requestor.create(
                settings.shares,
                context=CTX_NAS_ROLLBACK if persistent else CTX_FILE_SHARE_BACKUP,
                keep=kept,
                job=job,
                wait=settings.wait,
                completed=signals.interrupt_no_more,
                prepare=writers.prepare if writers else None,
                freeze=writers.freeze if writers else None,
                thaw=writers.thaw if writers else None,
            )
    except Interrupted:
        for left in requestor.clean_own().left:
            output.warning(f"{left.error}; something is left there: `fsrvpshadow clean` removes it")
        raise


def tell(created: ShadowCopySet, output: Output) -> None:
    text = f"{created.id}: {len(created.copies)} copies"
    if len(created.records) > 1:
        text += f"; {_ms(created.skew)} ms between the servers"
    output.event("set-created", text, **fields(created))


def environment(
    created: ShadowCopySet, directory: Optional[Path] = None, mounts: Sequence[Path] = ()
) -> Dict[str, str]:
    """`mounts` are those of the copies, in their order, and are in `directory`."""
    found = variables(
        created.id,
        [Copy(format_guid(copy.copy_id), copy.unc, copy.root.prefix) for copy in created.copies],
    )
    return {**found, **of_mounts(directory, mounts)} if directory else found


def described(created: ShadowCopySet) -> str:
    lines = [f"set      {created.id}"]
    for copy in created.copies:
        lines += [
            f"share    {one_line(copy.root.unc)}",
            f"  as     {one_line(copy.unc)}",
            f"  copy   {format_guid(copy.copy_id)}",
            f"  moment {_moment(copy) or 'the server does not say'}",
        ]
    if len(created.records) > 1:
        lines.append(f"skew     {_ms(created.skew)} ms between the servers")
    lines += _UNTIL if is_persistent(created.records[0].context) else _UNTIL_THE_SERVER
    lines.append(f"         fsrvpshadow delete --set '{created.id}'")
    return "\n".join(lines)


def fields(created: ShadowCopySet) -> Dict[str, Any]:
    return {
        "set": created.id,
        "kept": created.kept,
        "skew_ms": _ms(created.skew),
        "window_ms": _ms(created.window),
        "copies": [_fields_of(copy) for copy in created.copies],
    }


def _fields_of(copy: ShadowCopy) -> Dict[str, Any]:
    return {
        "share": copy.root.unc,
        "given": copy.root.given,
        "prefix": copy.root.prefix,
        "shadow_share": copy.unc,
        "copy": format_guid(copy.copy_id),
        "created": _moment(copy),
    }


def _moment(copy: ShadowCopy) -> Optional[str]:
    return copy.created.isoformat(" ", "seconds") if copy.created else None


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
