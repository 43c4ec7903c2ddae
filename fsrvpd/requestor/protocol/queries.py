"""What a client asks before it creates a set, and about sets of others.

Spec: MS-FSRVP 3.2.4.1 and 3.2.4.2.1.
"""

from __future__ import annotations

from typing import NamedTuple, Optional, cast

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Opnum
from fsrvpd.requestor.errors import Refused
from fsrvpd.requestor.ports import ShareRoot
from fsrvpd.requestor.protocol.exchange import Exchange, must

CLIENT_VERSION = 1  # FSRVP_RPC_VERSION_1, the only one (2.2.2.4)


class PathShadowCopied(NamedTuple):
    """The answer to IsPathShadowCopied: whether a copy of the share's volume exists, and what
    must not run on the volume meanwhile (2.2.2.3)."""

    present: bool
    compatibility: int


def share_name(root: ShareRoot) -> str:
    """As opnums 3, 8, 9, 10 and 11 want it. Without the backslash at the end a hidden share's
    copy is not hidden (note 9)."""
    return root.unc + "\\"


def path_supported(root: ShareRoot) -> Exchange[Optional[str]]:
    """Require that the share can be copied. Returns OwnerMachineName: the server's word, to be
    checked before anybody contacts it."""
    response = yield from must(root.unc, m.IsPathSupported(share_name(root)))
    answer = cast(m.PathSupportedResponse, response)
    if not answer.supported_by_this_provider:
        cause = f"the server cannot copy this share ({Opnum.IsPathSupported.name})"
        raise Refused(root.unc, cause, "use `fsrvpshadow check` to see what can be copied")
    return answer.owner_machine_name


def supported_version(server: str) -> Exchange[None]:
    """Require that the server speaks version 1."""
    response = yield from must(server, m.GetSupportedVersion())
    answer = cast(m.VersionResponse, response)
    if not answer.min_version <= CLIENT_VERSION <= answer.max_version:
        cause = (
            f"the server speaks versions {answer.min_version} to {answer.max_version} of MS-FSRVP,"
            f" not {CLIENT_VERSION}"
        )
        raise Refused(server, cause, "update fsrvpshadow")


def path_shadow_copied(root: ShareRoot) -> Exchange[PathShadowCopied]:
    """Ask whether the server holds a copy of the share's volume, whoever made it."""
    response = yield from must(root.unc, m.IsPathShadowCopied(share_name(root)))
    answer = cast(m.PathShadowCopiedResponse, response)
    return PathShadowCopied(answer.shadow_copy_present, answer.shadow_copy_compatibility)
