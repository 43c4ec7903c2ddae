"""Makes a shadow copy as a client would, step by step, for `fsrvpctl doctor`, which reads the copy
and deletes it. SMB, the pipe and the caller's authorisation are not part of the test."""

from __future__ import annotations

from fsrvpd.core.messages import format_guid
from fsrvpd.daemon.agent.driver import AgentDriver
from fsrvpd.daemon.agent.share_lookups import Explained, ShareLookups
from fsrvpd.daemon.control.set_creation import SetCreation, Wanted
from fsrvpd.daemon.control.socket_server import ControlRequest
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.model import ShadowCopySet


def begin(driver: AgentDriver, lookups: ShareLookups, share: str, request: ControlRequest) -> None:
    """Replies with an error when the share does not exist or cannot be copied."""

    def explained(support: Explained) -> None:
        if isinstance(support, FsrvpdError):
            request.fail(str(support))
        elif support.location is None:
            request.fail(f"share {share} cannot be copied: {support.reason}")
        elif request.open:
            _make(driver, support.share.name, request)

    lookups.explain(share, explained)


def _make(driver: AgentDriver, share: str, request: ControlRequest) -> None:
    def made(creation: SetCreation, shadow_copy_set: ShadowCopySet) -> None:
        creation.complete(lambda: request.finish(_result(shadow_copy_set)))

    def failed(why: str) -> None:
        request.fail(f"self-test of share {share}: {why}")

    SetCreation(driver, Wanted([share], keep=False, self_test=True), request, made, failed)


def _result(shadow_copy_set: ShadowCopySet) -> dict[str, str]:
    [copy] = shadow_copy_set.shadow_copy_list
    [mapped] = copy.share_mapping_list
    [export] = shadow_copy_set.exports()
    return {
        "set": format_guid(shadow_copy_set.shadow_copy_set_id),
        "copy": format_guid(copy.shadow_copy_id),
        "shadow_copy_share": mapped.shadow_copy_share_name,
        "snapshot": export.mount_point,
        "provider": copy.location.provider,
    }
