"""The names in an NTLM challenge: what a server that knows the account says it is called.

With signing required they are proved: the client's response covers them (MS-NLMP 3.3.2), and only
whoever had that response verified has the key of the session. Spec: MS-NLMP 2.2.1.2, 2.2.2.1.
"""

from __future__ import annotations

import struct
from typing import FrozenSet, Iterable, Iterator

from fsrvpd.protocol.unc import normal_host

_SIGNATURE = b"NTLMSSP\0" + struct.pack("<I", 2)  # CHALLENGE_MESSAGE
_TARGET_INFO = 40  # where the field's size and offset stand in the message
_END, _NETBIOS_NAME, _DNS_NAME = 0, 1, 3  # of the computer


def proved_names(tokens: Iterable[bytes]) -> FrozenSet[str]:
    """The names of the server, from its tokens of SPNEGO or NTLM. Hostile bytes have none."""
    found = set()
    for token in tokens:
        start = token.find(_SIGNATURE)
        if start >= 0:
            found |= {normal_host(name) for name in _computer_names(token[start:])}
    return frozenset(found - {""})


def _computer_names(challenge: bytes) -> Iterator[str]:
    for kind, value in _pairs(_target_info(challenge)):
        if kind in (_NETBIOS_NAME, _DNS_NAME):
            yield value.decode("utf-16-le", "replace")


def _target_info(challenge: bytes) -> bytes:
    if len(challenge) < _TARGET_INFO + 8:
        return b""
    size, offset = struct.unpack_from("<HxxI", challenge, _TARGET_INFO)
    return challenge[offset : offset + size]


def _pairs(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        kind, size = struct.unpack_from("<HH", data)
        if kind == _END or len(data) < 4 + size:
            return
        yield kind, data[4 : 4 + size]
        data = data[4 + size :]
