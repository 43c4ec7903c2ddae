"""Chooses among the presentation contexts that a client offers.

A client offers each transfer syntax in a separate context, or several in one; the server
accepts at most one of all, the one that it prefers. (Clients of Windows offer NDR, NDR64
and a pseudo syntax for features of the connection.)

Spec: C706 12.6.3.1, MS-RPCE 3.3.1.5.3 and 3.3.1.5.6.
"""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence
from uuid import UUID

from fsrvpd.core.ndr import Syntax
from fsrvpd.core.pdu import Offer, Result
from fsrvpd.rpc.faults import ProtocolError

# The longest fragment that is accepted and sent, in bytes: what Samba and Windows offer on
# pipes. Every peer must receive the lower number (C706 12.6.3.1).
MAX_FRAGMENT, MUST_RECEIVE_FRAGMENT = 4280, 1432

ACCEPTANCE, PROVIDER_REJECTION, NEGOTIATE_ACK = 0, 2, 3
ABSTRACT_SYNTAX_NOT_SUPPORTED, TRANSFER_SYNTAXES_NOT_SUPPORTED = 1, 2


def syntax_id(uuid: str, major: int, minor: int = 0) -> bytes:
    """As in a PDU: C706 12.6.3.1, p_syntax_id_t."""
    return UUID(uuid).bytes_le + major.to_bytes(2, "little") + minor.to_bytes(2, "little")


INTERFACE = syntax_id("a8e0653c-2744-4389-a61d-7373df8b2292", 1)
NDR = syntax_id("8a885d04-1ceb-11c9-9fe8-08002b104860", 2)
NDR64 = syntax_id("71710533-beba-4937-8319-b5dbef9ccc36", 1)
SYNTAXES = {NDR64: Syntax.NDR64, NDR: Syntax.NDR}
SYNTAX_IDS = {syntax: identifier for identifier, syntax in SYNTAXES.items()}

# The first 8 bytes of the pseudo syntax; the other 8 are a bit mask.
FEATURES = UUID("6cb71c2c-9812-4540-0000-000000000000").bytes_le[:8]
# Security context multiplexing (1), and connections that stay open after orphaned (2).
SUPPORTED_FEATURES = 0x3


def fragment_size(wanted: int) -> int:
    """The longest fragment for a peer that wants none above `wanted`."""
    return min(MAX_FRAGMENT, max(MUST_RECEIVE_FRAGMENT, wanted)) & ~7


class Agreement(NamedTuple):
    """Results in the order of the offers, and the context that was accepted, if any."""

    results: Sequence[Result]
    context_id: Optional[int] = None
    syntax: Optional[Syntax] = None


def negotiate(offers: Sequence[Offer], *, features: bool) -> Agreement:
    """`features`: whether to negotiate them, which only the first bind does.

    Raises: ProtocolError.
    """
    if not offers or not all(offer.transfer_syntaxes for offer in offers):
        raise ProtocolError("a presentation context without a transfer syntax")
    if features and sum(map(_asks_for_features, offers)) > 1:
        raise ProtocolError("features are negotiated twice")
    chosen = _choice(offers)
    if chosen is None:
        return Agreement([_refuse(offer, features) for offer in offers])
    place, syntax = chosen
    results = [_refuse(offer, features) for offer in offers]
    results[place] = Result(ACCEPTANCE, 0, syntax)
    return Agreement(results, offers[place].context_id, SYNTAXES[syntax])


def _choice(offers: Sequence[Offer]) -> Optional[tuple[int, bytes]]:
    """NDR64 if it is offered anywhere, else the first offer of NDR."""
    for syntax in SYNTAXES:
        for place, offer in enumerate(offers):
            if offer.abstract_syntax == INTERFACE and syntax in offer.transfer_syntaxes:
                return place, syntax
    return None


def _refuse(offer: Offer, features: bool) -> Result:
    if features and _asks_for_features(offer):
        wanted = int.from_bytes(offer.transfer_syntaxes[0][8:16], "little")
        return Result(NEGOTIATE_ACK, wanted & SUPPORTED_FEATURES)
    if offer.abstract_syntax != INTERFACE:
        return Result(PROVIDER_REJECTION, ABSTRACT_SYNTAX_NOT_SUPPORTED)
    return Result(PROVIDER_REJECTION, TRANSFER_SYNTAXES_NOT_SUPPORTED)


def _asks_for_features(offer: Offer) -> bool:
    return offer.transfer_syntaxes[0].startswith(FEATURES)
