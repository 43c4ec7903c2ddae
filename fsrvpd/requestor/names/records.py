"""What look-ups find, as plain records, and what they need."""

from __future__ import annotations

from typing import FrozenSet, NamedTuple, Optional, Protocol, Tuple

from fsrvpd.requestor.ports import ShareRoot
from fsrvpd.requestor.smb.records import Referral


class Step(NamedTuple):
    """One step on the way from the name that was given to the root of the share."""

    how: str  # "reverse DNS", "DNS", "short name", "DFS", "same server"
    before: str
    after: str

    def __str__(self) -> str:
        change = "" if self.before == self.after else f" → {self.after}"
        return f"{self.before}{change} ({self.how})"


class Resolution(NamedTuple):
    """A share's root, and the part of the given name that stands for it."""

    root: ShareRoot
    logical_prefix: str
    addresses: FrozenSet[str]
    steps: Tuple[Step, ...]


class Forward(NamedTuple):
    """The addresses of a name, as text; and the name that DNS calls canonical, or empty."""

    addresses: FrozenSet[str]
    canonical: str


class LookUp(Protocol):
    """The system's resolver."""

    def forward(self, host: str) -> Forward:
        """Raises: RequestorError if the name is not known, or nobody answers."""

    def reverse(self, address: str) -> Tuple[str, ...]:
        """The names of an address; none if nobody knows one."""


class Referrals(Protocol):
    """FSCTL_DFS_GET_REFERRALS of servers, over SMB."""

    def ask(self, host: str, path: str) -> Optional[Referral]:
        r"""What `host` says of `\\host\share\path`; None if that is not a path of DFS.

        Raises: RequestorError if it cannot be asked.
        """
