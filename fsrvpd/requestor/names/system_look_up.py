"""The system's resolver: /etc/hosts, DNS and whatever else nsswitch.conf names."""

from __future__ import annotations

import socket
from typing import Tuple

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.names.records import Forward
from fsrvpd.requestor.names.spelling import address_of

_UNKNOWN = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


class SystemLookUp:
    """Blocking; a resolver that does not answer takes as long as resolv.conf says."""

    def forward(self, host: str) -> Forward:
        try:
            found = socket.getaddrinfo(
                host, None, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME
            )
        except (socket.gaierror, UnicodeError) as error:
            raise _not_found(host, error) from None
        addresses = (_text(str(address[0])) for *_, address in found)
        return Forward(frozenset(addresses), found[0][3])

    def reverse(self, address: str) -> Tuple[str, ...]:
        try:
            name, aliases, _ = socket.gethostbyaddr(address)
        except OSError:  # herror and gaierror: an address without a name is used as it is
            return ()
        return (name, *aliases)


def _text(address: str) -> str:
    known = address_of(address.partition("%")[0])
    return str(known) if known else address


def _not_found(host: str, error: Exception) -> RequestorError:
    known = isinstance(error, UnicodeError) or error.args[0] in _UNKNOWN
    cause = "no address is known for this name" if known else f"no answer: {error.args[-1]}"
    return RequestorError(host, cause, f"try `getent ahosts {host}`, or write the address")
