"""The cost of one request in the RPC layer, by protection: from the bytes of the request to the
bytes of the response, without the agent and without a socket.

python -m benchmarks.rpc_protection
"""

from __future__ import annotations

import struct
import time
from typing import Callable, Iterator, Sequence

from fsrvpd.core import messages, ndr
from fsrvpd.core.messages import Opnum
from fsrvpd.core.ndr import Syntax
from fsrvpd.rpc import presentation
from fsrvpd.rpc.association import Association
from fsrvpd.rpc.security.context import AuthLevel
from fsrvpd.rpc.verification_trailer import SIGNATURE
from tests.oracle import pdu
from tests.unit.rpc.secured_client import PLAIN, SecuredClient
from tests.unit.rpc.security.initiators import Impacket

EXCHANGES: tuple[tuple[messages.Request, messages.Response], ...] = (
    (messages.GetSupportedVersion(), messages.VersionResponse(0, 1, 1)),
    (
        messages.IsPathSupported("\\\\NAS\\data\\"),
        messages.PathSupportedResponse(0, True, "NAS"),
    ),
)
BURST, BURSTS = 20, 60  # bursts are short, so that some are not interrupted

# Windows appends this to the stub of a request: a bit mask, and interface and syntax.
TRAILER = (
    SIGNATURE
    + struct.pack("<HHI", 1, 4, 1)
    + struct.pack("<HH", 0x4002, 40)
    + presentation.INTERFACE
    + presentation.NDR
)


def unsigned(opnum: Opnum, stub: bytes) -> tuple[Association, Iterator[bytes]]:
    association = Association(1)
    association.receive(pdu.bind(PLAIN))
    return association, iter([pdu.request(opnum, stub)] * BURST * BURSTS)


def protected(
    level: AuthLevel,
) -> Callable[[Opnum, bytes], tuple[Association, Iterator[bytes]]]:
    def made(opnum: Opnum, stub: bytes) -> tuple[Association, Iterator[bytes]]:
        client = SecuredClient(Impacket(), level=level)
        client.authenticate()
        stub += bytes(-len(stub) % 4) + TRAILER
        data = [client.request(stub, opnum) for _ in range(BURST * BURSTS)]
        return client.association, iter(data)

    return made


PROTECTIONS = {
    "unsigned": unsigned,
    "signed": protected(AuthLevel.PKT_INTEGRITY),
    "sealed": protected(AuthLevel.PKT_PRIVACY),
}


def serve(association: Association, data: Sequence[bytes], response: messages.Response) -> None:
    for message in data:
        (request,) = association.receive(message)
        ndr.decode_request(request.opnum, request.stub, request.syntax, request.big_endian)
        association.respond(request, response)
        association.outgoing()


def measure() -> dict[tuple[str, str], float]:
    """Return seconds per request by method and protection: the best mean of a burst."""
    times = {}
    for request, response in EXCHANGES:
        method = type(request).__name__
        stub = ndr.encode_request(request, Syntax.NDR)
        for protection, begin in PROTECTIONS.items():
            association, data = begin(Opnum[method], stub)
            best = float("inf")
            for _ in range(BURSTS):
                burst = [next(data) for _ in range(BURST)]
                began = time.perf_counter()
                serve(association, burst, response)
                best = min(best, (time.perf_counter() - began) / BURST)
            times[method, protection] = best
    return times


if __name__ == "__main__":
    for (method, protection), seconds in measure().items():
        print(f"{method:20} {protection:9} {seconds * 1e6:6.2f} us")
