"""A daemon that does nothing: floor.py SOCKET answers every request with fixed bytes.

The handshakes use fsrvpd's own modules. After them, each request costs one epoll_wait, one recv
and one send.
"""

from __future__ import annotations

import os
import select
import socket
import sys

from fsrvpd.core import messages, ndr
from fsrvpd.core.messages import Opnum
from fsrvpd.core.ndr import Syntax
from fsrvpd.rpc.association import Association
from samba_hooks.pipe import named_pipe_auth
from samba_hooks.pipe.framing import MessageFraming

RECEIVE = 65536
CALL_ID = slice(14, 18)  # of a framed PDU
OPNUM = 24
ANSWERS: dict[Opnum, messages.Response] = {
    Opnum.GetSupportedVersion: messages.VersionResponse(0, 1, 1),
    Opnum.IsPathSupported: messages.PathSupportedResponse(0, True, "FLOOR"),
}


def framed_answers() -> dict[int, tuple[bytes, bytes]]:
    """Return the bytes before and after the call id of each answer, by opnum."""
    found = {}
    for opnum, response in ANSWERS.items():
        stub = ndr.encode_response(opnum, response, Syntax.NDR)
        head = (
            bytes([5, 0, 2, 3, 0x10, 0, 0, 0]) + (24 + len(stub)).to_bytes(2, "little") + bytes(2)
        )
        tail = len(stub).to_bytes(4, "little") + bytes(4) + stub
        size = (len(head) + 4 + len(tail)).to_bytes(2, "little")
        found[int(opnum)] = (size + head, tail)
    return found


def shake_hands(connected: socket.socket) -> None:
    """Do named_pipe_auth and the bind, blocking."""
    request = connected.recv(RECEIVE)
    connected.send(named_pipe_auth.reply(named_pipe_auth.parse_request(request).level))
    association, framing = Association(1), MessageFraming()
    for message in framing.feed(connected.recv(RECEIVE)):
        association.receive(message)
    for answer in association.outgoing():
        connected.send(MessageFraming.encode(answer))


def serve(listener: socket.socket) -> None:
    answers = framed_answers()
    connections: dict[int, socket.socket] = {}
    epoll = select.epoll()
    epoll.register(listener.fileno(), select.EPOLLIN)
    while True:
        for file, _ in epoll.poll():
            if file == listener.fileno():
                connected, _ = listener.accept()
                shake_hands(connected)
                connections[connected.fileno()] = connected
                epoll.register(connected.fileno(), select.EPOLLIN)
                continue
            data = connections[file].recv(RECEIVE)
            if not data:
                connections.pop(file).close()
                continue
            before, after = answers[data[OPNUM]]
            connections[file].send(before + data[CALL_ID] + after)


def main(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen(64)
        serve(listener)


if __name__ == "__main__":
    main(sys.argv[1])
