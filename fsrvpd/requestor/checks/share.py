"""One share: may the account have it copied, and may it read what is in it? The rights differ."""

from __future__ import annotations

from typing import Iterator, Optional, Protocol, cast

from fsrvpd.core import messages as m
from fsrvpd.protocol.hresult import HResult, describe
from fsrvpd.requestor.checks.findings import Finding, Severity
from fsrvpd.requestor.checks.look import Server
from fsrvpd.requestor.errors import AccessRefused, RequestorError
from fsrvpd.requestor.ports import AgentConnection, ShareRoot
from fsrvpd.requestor.protocol.queries import share_name
from fsrvpd.requestor.smb.records import Space, Trial

_NEARLY_FULL = 0.05  # of the space is free
_MOST_SHOWN = 3
_GIB = 1 << 30


class OwnerRule(Protocol):
    """The part of `Resolver` that says which names of a server may be contacted."""

    def other_host(
        self, owner: Optional[str], server: AgentConnection, unc: str
    ) -> Optional[str]: ...


def reading(server: Server, root: ShareRoot) -> Iterator[Finding]:
    """What the account can read, in the share itself: nothing is copied for it."""
    try:
        trial = server.try_to_read(root.share, root.prefix)
    except RequestorError as error:
        text = error.cause
        if isinstance(error, AccessRefused):
            text = f"{server.account} may not list it, nor its copies"
        step = error.next_step or f"let {server.account} in: `valid users`, or its permissions"
        yield Finding(Severity.FAIL, "read", text, step)
        return
    yield _read(server, root, trial)
    if trial.space is not None:
        yield _space(trial.space)


def _read(server: Server, root: ShareRoot, trial: Trial) -> Finding:
    files = "1 file" if trial.files == 1 else f"{trial.files:,} files"
    folders = "1 directory" if trial.directories == 1 else f"{trial.directories:,} directories"
    counted = f"{files} and {folders}"
    if not trial.refused:
        extent = "all" if trial.complete else "the first"
        return Finding(Severity.OK, "read", f"{extent} {counted} can be opened")
    shown = ", ".join(trial.refused[:_MOST_SHOWN])
    more = len(trial.refused) - _MOST_SHOWN
    shown += f" and {more:,} more" if more > 0 else ""
    text = (
        f"{server.account} may not open {shown}: {len(trial.refused):,} of {counted} that were"
        " tried. A backup will lack them, unless the server opens copies wider than the share"
    )
    others = trial.files + trial.directories - 1  # besides the directory that was listed first
    nothing = trial.files > 0 and len(trial.refused) == others
    step = f"on fsrvpd's server, in [{root.share}]: fsrvp:backup users = {server.account}"
    return Finding(Severity.FAIL if nothing else Severity.WARN, "read", text, step)


def _space(space: Space) -> Finding:
    text = f"{_size(space.free)} of {_size(space.total)} free"
    if space.total and space.free < space.total * _NEARLY_FULL:
        text += "; a copy takes room for all that changes while it exists"
        return Finding(Severity.WARN, "space", text, "make room on the server")
    return Finding(Severity.OK, "space", text)


def _size(size: int) -> str:
    return f"{size / _GIB:,.1f} GiB"


def snapshot(agent: AgentConnection, account: str, root: ShareRoot, rule: OwnerRule) -> Finding:
    """Whether the agent would copy the share for the account, and where."""
    request = m.IsPathSupported(share_name(root))
    try:
        answer = cast(m.PathSupportedResponse, agent.call(request))
        if answer.result or not answer.supported_by_this_provider:
            return _refused(account, root, answer.result)
        other = rule.other_host(answer.owner_machine_name, agent, root.unc)
    except AccessRefused:
        return _refused(account, root, HResult.E_ACCESSDENIED)
    except RequestorError as error:
        return Finding(Severity.FAIL, "snapshot", error.cause, error.next_step)
    where = f"; the copy will be made on {other}" if other else ""
    return Finding(Severity.OK, "snapshot", f"{account} may have it copied{where}")


def _refused(account: str, root: ShareRoot, result: int) -> Finding:
    text = f"the agent refuses it with {describe(result)}"
    step = f"on fsrvpd's server: fsrvpctl fsrvpd check-path {root.share}"
    if result == HResult.E_ACCESSDENIED:
        text = f"{account} may not have shares copied"
        step = (
            f'on Windows: net localgroup "Backup Operators" {account} /add; on Samba: net sam'
            f" rights grant '{account}' SeBackupPrivilege"
        )
    elif result in (0, HResult.FSRVP_E_NOT_SUPPORTED):
        text = "nothing on the server can copy the volume of this share"
    elif result == HResult.FSRVP_E_OBJECT_NOT_FOUND:
        text = "the agent knows no such share"
    return Finding(Severity.FAIL, "snapshot", text, step)


def existing_copies(agent: AgentConnection, root: ShareRoot) -> Iterator[Finding]:
    """Whether the share's volume has copies already. Servers limit their number."""
    request = m.IsPathShadowCopied(share_name(root))
    try:
        answer = cast(m.PathShadowCopiedResponse, agent.call(request))
    except RequestorError:
        return
    if not answer.result and answer.shadow_copy_present:
        text = "its volume has a shadow copy now, of this client or of another"
        yield Finding(Severity.NOTE, "kept", text, "fsrvpshadow list")
