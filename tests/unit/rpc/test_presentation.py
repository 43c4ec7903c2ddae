from __future__ import annotations

from uuid import UUID

import pytest

from fsrvpd.core.ndr import Syntax
from fsrvpd.core.pdu import Offer, Result
from fsrvpd.rpc.presentation import (
    INTERFACE,
    NDR,
    NDR64,
    ProtocolError,
    negotiate,
    syntax_id,
)

FEATURES = UUID("6cb71c2c-9812-4540-0300-000000000000").bytes_le + b"\1\0\0\0"
OTHER_INTERFACE = syntax_id("12345778-1234-abcd-ef00-0123456789ac", 1)
ACCEPTED_NDR, ACCEPTED_NDR64 = Result(0, 0, NDR), Result(0, 0, NDR64)
UNKNOWN_INTERFACE, UNKNOWN_SYNTAX = Result(2, 1), Result(2, 2)


def offer(context_id: int, *syntaxes: bytes, interface: bytes = INTERFACE) -> Offer:
    return Offer(context_id, interface, list(syntaxes))


def results(*offers: Offer, features: bool = True) -> list[Result]:
    return list(negotiate(offers, features=features).results)


def test_ndr_alone_is_accepted() -> None:
    agreement = negotiate([offer(3, NDR)], features=True)
    assert agreement == ([ACCEPTED_NDR], 3, Syntax.NDR)


@pytest.mark.parametrize("order", [(NDR, NDR64), (NDR64, NDR)])
def test_ndr64_is_preferred_within_a_context(order: tuple[bytes, bytes]) -> None:
    agreement = negotiate([offer(0, *order)], features=True)
    assert agreement == ([ACCEPTED_NDR64], 0, Syntax.NDR64)


def test_ndr64_is_preferred_among_contexts() -> None:
    agreement = negotiate([offer(0, NDR), offer(1, NDR64)], features=True)
    assert agreement == ([UNKNOWN_SYNTAX, ACCEPTED_NDR64], 1, Syntax.NDR64)


def test_at_most_one_context_is_accepted() -> None:
    assert results(offer(0, NDR), offer(1, NDR)) == [ACCEPTED_NDR, UNKNOWN_SYNTAX]


def test_other_interfaces_and_versions_are_rejected() -> None:
    newer = INTERFACE[:16] + b"\1\0\1\0"
    assert results(
        offer(0, NDR, interface=OTHER_INTERFACE), offer(1, NDR, interface=newer), offer(2, NDR)
    ) == [UNKNOWN_INTERFACE, UNKNOWN_INTERFACE, ACCEPTED_NDR]


def test_other_transfer_syntaxes_are_rejected() -> None:
    version_1 = NDR[:16] + b"\1\0\0\0"
    agreement = negotiate([offer(0, version_1), offer(1, bytes(20))], features=True)
    assert agreement == ([UNKNOWN_SYNTAX, UNKNOWN_SYNTAX], None, None)


@pytest.mark.parametrize(("asked", "granted"), [(0, 0), (1, 1), (2, 2), (3, 3), (0xFF, 3)])
def test_features_that_we_have_are_granted(asked: int, granted: int) -> None:
    wanted = FEATURES[:8] + bytes([asked]) + FEATURES[9:]
    assert results(offer(0, wanted), offer(1, NDR)) == [Result(3, granted), ACCEPTED_NDR]


def test_features_are_negotiated_once_and_only_in_a_bind() -> None:
    with pytest.raises(ProtocolError, match="twice"):
        results(offer(0, FEATURES), offer(1, FEATURES))
    assert results(offer(0, FEATURES), features=False) == [UNKNOWN_SYNTAX]


def test_an_offer_of_nothing_breaks_the_protocol() -> None:
    for offers in ([], [offer(0)], [offer(0, NDR), offer(1)]):
        with pytest.raises(ProtocolError, match="without a transfer syntax"):
            negotiate(offers, features=True)
