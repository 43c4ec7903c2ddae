"""A client's calls for one set, from its start to its end, and the responses.

The set has two copies, on btrfs and on XFS, which are read-write until they are recovered: so
every method of providers and registry is called.
"""

from __future__ import annotations

from typing import Optional

from impacket import smbconnection
from impacket.dcerpc.v5.rpcrt import DCERPCException
from impacket.nmb import NetBIOSError

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol import context
from tests.interop.nas import TORTURE_SHARE, Nas
from tests.interop.raw_agent import RawAgent, wide

SHARES = (TORTURE_SHARE, "vault")
BTRFS = SHARES[:1]  # whose snapshots record themselves
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


class ClientSession:
    """`asked` is the last step that was requested, `told` the last that succeeded.

    Their order is that of STEPS.
    """

    def __init__(self, nas: Nas, ends: tuple[str, ...], shares: tuple[str, ...] = SHARES) -> None:
        self._nas = nas
        self._shares = shares
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
        """Run until the step `until` is done, or as far as the daemon lets."""
        try:
            with RawAgent(self._nas) as agent:
                for number, step in enumerate(self.steps):
                    self.asked = number
                    getattr(self, f"_{step}")(agent)
                    self.told = number
                    if step == until:
                        return
        except BROKEN:
            return
        except AssertionError as error:  # RawAgent raises this for an error result
            if "0x" not in str(error):
                raise
            self.refused = True

    def mappings(self, agent: RawAgent) -> dict[str, str]:
        """Return the shadow copy share of each share, as the agent reports it."""
        return {
            share: agent.mapping(self.set_id, copy_id, share).share
            for share, copy_id in self.copies.items()
        }

    def _start(self, agent: RawAgent) -> None:
        self.set_id = agent.start(WRITABLE)

    def _add(self, agent: RawAgent) -> None:
        for share in self._shares:
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
