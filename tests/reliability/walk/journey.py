"""What a client does with one set, from its start to its end, and what it was told.

Two copies, on btrfs and on XFS, read-write until they are recovered: so every verb of
providers and registry has its part.
"""

from __future__ import annotations

from typing import Optional

from impacket import smbconnection
from impacket.dcerpc.v5.rpcrt import DCERPCException
from impacket.nmb import NetBIOSError

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol import context
from tests.interop.raw_agent import RawAgent, wide
from tests.interop.site import TORTURE_SHARE, Site

SHARES = (TORTURE_SHARE, "vault")
WRITABLE = context.CTX_APP_ROLLBACK | context.ATTR_AUTO_RECOVERY
BROKEN = (
    DCERPCException,
    smbconnection.SessionError,
    NetBIOSError,
    ConnectionError,
    TimeoutError,
)


class Refused(Exception):
    """The agent answered with an error."""


class Journey:
    """`told` is the last step that was answered with success, `asked` the last one that
    was asked for; in the order of STEPS."""

    def __init__(self, site: Site, ends: tuple[str, ...]) -> None:
        self._site = site
        self.steps = ("start", "add", "prepare", "commit", "expose", "mapping", *ends)
        self.told = -1
        self.asked = -1
        self.refused = False
        self.set_id = b""
        self.copies: dict[str, bytes] = {}
        self.shadow_shares: dict[str, str] = {}

    def was_told(self, step: str) -> bool:
        return step in self.steps and self.told >= self.steps.index(step)

    def was_asked(self, step: str) -> bool:
        return step in self.steps and self.asked >= self.steps.index(step)

    def go(self, until: str = "") -> None:
        """As far as the daemon lets, or to the end of a step."""
        try:
            with RawAgent(self._site) as agent:
                for number, step in enumerate(self.steps):
                    self.asked = number
                    getattr(self, f"_{step}")(agent)
                    self.told = number
                    if step == until:
                        return
        except BROKEN:
            return
        except AssertionError as error:  # RawAgent's word for an answer that is an error
            if "0x" not in str(error):
                raise
            self.refused = True

    def mappings(self, agent: RawAgent) -> dict[str, str]:
        """The shadow copy share of each share, as the agent says."""
        return {
            share: agent.mapping(self.set_id, copy_id, share).share
            for share, copy_id in self.copies.items()
        }

    def _start(self, agent: RawAgent) -> None:
        self.set_id = agent.start(WRITABLE)

    def _add(self, agent: RawAgent) -> None:
        for share in SHARES:
            self.copies[share] = agent.add(self.set_id, share)

    def _prepare(self, agent: RawAgent) -> None:
        agent.advance(Opnum.PrepareShadowCopySet, self.set_id)

    def _commit(self, agent: RawAgent) -> None:
        agent.advance(Opnum.CommitShadowCopySet, self.set_id)

    def _expose(self, agent: RawAgent) -> None:
        agent.advance(Opnum.ExposeShadowCopySet, self.set_id)

    def _mapping(self, agent: RawAgent) -> None:
        self.shadow_shares = self.mappings(agent)

    def _recover(self, agent: RawAgent) -> None:
        agent.advance(Opnum.RecoveryCompleteShadowCopySet, self.set_id)

    def _delete(self, agent: RawAgent) -> None:
        for share, copy_id in self.copies.items():
            self.deleting: Optional[str] = share
            agent.must(Opnum.DeleteShareMapping, self.set_id + copy_id + wide(agent.unc(share)))

    def _abort(self, agent: RawAgent) -> None:
        agent.must(Opnum.AbortShadowCopySet, self.set_id)


TO_DELETION = ("recover", "delete")
TO_ABORT = ("abort",)
