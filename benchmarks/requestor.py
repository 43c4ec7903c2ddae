"""A whole create by the requestor, by impacket and by rpcclient, as the wire shows it.

All three sign at SMB and at RPC level, log in with NTLM and talk to fsrvpd behind one smbd. The
packets on the loopback are read with the kernel's time stamps, so that no client measures itself:

create        from the first message to the answer to GetShareMapping, the last call that all make
server        of that, the time in which the client waited: no client can be faster
round trips   messages of SMB that the client sent until then
client        from the answer to Prepare to the request of Commit: the client's share of the time
              in which applications are frozen
start         from the start of the process to the first message
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time
from pathlib import Path
from statistics import median
from typing import Callable, Iterator, NamedTuple, Sequence

from benchmarks.servers import Server, servers
from fsrvpd.core.messages import Opnum
from lab import Lab, fss
from lab.namespaces import enter_network

CLIENT = Path(__file__).with_name("requestor_client.py")
ROUNDS, WARM_UP = 30, 3
CLIENTS = ("ours", "impacket", "rpcclient")

_PORT = 445
_TIMESTAMP = 35  # SO_TIMESTAMPNS and SCM_TIMESTAMPNS, which Python does not name
_ALL, _OUTGOING = 3, 4  # ETH_P_ALL, PACKET_OUTGOING
_REQUEST = bytes((5, 0, 0, 3, 0x10, 0, 0, 0))  # the beginnings of PDUs in one fragment
_RESPONSE = bytes((5, 0, 2, 3, 0x10, 0, 0, 0))


class Packet(NamedTuple):
    """What one end sent to the other; `time` in s since 1970."""

    time: float
    from_server: bool
    payload: bytes


class Create(NamedTuple):
    """In s."""

    start: float
    create: float
    server: float
    client: float
    round_trips: int


class Wire:
    """Reads the packets of SMB on the loopback of a lab, in a thread."""

    def __init__(self, lab: Lab) -> None:
        self._packets: list[Packet] = []
        self._pid = lab._init
        ready = threading.Event()
        threading.Thread(target=self._read, args=(ready,), daemon=True).start()
        ready.wait(20)

    def take(self) -> list[Packet]:
        """Those since the last call."""
        time.sleep(0.05)  # the thread may not have read the last ones yet
        packets, self._packets = self._packets, []
        return packets

    def _read(self, ready: threading.Event) -> None:
        enter_network(self._pid)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL)) as wire:
            wire.bind(("lo", _ALL))
            wire.setsockopt(socket.SOL_SOCKET, _TIMESTAMP, 1)
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            ready.set()
            while True:
                data, more, _, address = wire.recvmsg(1 << 17, 64)
                if address[2] != _OUTGOING:  # each is seen twice
                    seconds, nanoseconds = struct.unpack("qq", more[0][2])
                    self._packets += packet(seconds + nanoseconds / 1e9, data)


def packet(when: float, data: bytes) -> Iterator[Packet]:
    """A frame with TCP over IPv4, if it is one of SMB."""
    if data[12:14] != b"\x08\x00" or data[23] != socket.IPPROTO_TCP:
        return
    segment = 14 + 4 * (data[14] & 15)
    source, target = struct.unpack_from(">HH", data, segment)
    end = 14 + struct.unpack_from(">H", data, 16)[0]
    if _PORT in (source, target):
        payload = data[segment + 4 * (data[segment + 12] >> 4) : end]
        yield Packet(when, source == _PORT, payload)


def analysed(began: float, packets: Sequence[Packet]) -> Create:
    first = next(found.time for found in packets if found.payload)
    requests = {opnum(found.payload): found for found in packets if _REQUEST in found.payload}
    last = answer(packets, requests[Opnum.GetShareMapping])
    prepared = answer(packets, requests[Opnum.PrepareShadowCopySet])
    sent = [p for p in packets if not p.from_server and p.payload and p.time < last]
    return Create(
        start=first - began,
        create=last - first,
        server=waited([found for found in packets if found.payload and found.time <= last]),
        client=requests[Opnum.CommitShadowCopySet].time - prepared,
        round_trips=len(sent),
    )


def waited(packets: Sequence[Packet]) -> float:
    """The time before the packets of the server."""
    pairs = zip(packets, packets[1:])
    return sum(after.time - before.time for before, after in pairs if after.from_server)


def opnum(payload: bytes) -> int:
    number: int = struct.unpack_from("<H", payload, payload.index(_REQUEST) + 22)[0]
    return number


def answer(packets: Sequence[Packet], request: Packet) -> float:
    return next(
        found.time
        for found in packets
        if found.from_server and found.time > request.time and _RESPONSE in found.payload
    )


def create_with(server: Server, client: str, share: str) -> None:
    """One set, made and deleted by a process of its own."""
    root = server.samba.root
    if client == "rpcclient":
        (copy,) = fss.create_expose(server.samba, share, binding="sign")
        fss.recovery_complete(server.samba, copy)
        fss.delete(server.samba, copy, binding="sign")
        return
    login = [server.samba.address, root.name, root.password, share]
    path = {"PYTHONPATH": str(CLIENT.parents[1])}
    server.lab.run([sys.executable, CLIENT, client, *login], environment=path)


def measure(rounds: int = ROUNDS) -> dict[str, list[Create]]:
    """The clients take turns, so that all have the same machine."""
    found: dict[str, list[Create]] = {client: [] for client in CLIENTS}
    with servers("ours") as opened:
        server = opened["ours"]
        server.samba.set_option("server signing", "mandatory")
        server.samba.reload()
        wire = Wire(server.lab)
        for number in range(WARM_UP + rounds):
            for client in CLIENTS:
                wire.take()
                began = time.time()
                create_with(server, client, server.shares[number % len(server.shares)])
                if number >= WARM_UP:
                    found[client].append(analysed(began, wire.take()))
    return found


def middle(creates: Sequence[Create], what: Callable[[Create], float]) -> float:
    return median(map(what, creates))
