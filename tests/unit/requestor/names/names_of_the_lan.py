"""A resolver of a small network, for tests."""

from __future__ import annotations

from typing import Dict, List, Mapping, Sequence, Tuple

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.names.records import Forward

FORWARD = {
    "nas": (("10.0.0.7", "2001:db8::7"), "nas.example.org"),
    "nas.example.org": (("10.0.0.7", "2001:db8::7"), "nas.example.org"),
    "files.example.org": (("10.0.0.7", "2001:db8::7"), "nas.example.org"),
    "files": (("10.0.0.7", "2001:db8::7"), "nas.example.org"),
    "fs2": (("10.0.0.8",), "fs2.example.org"),
    "fs2.example.org": (("10.0.0.8",), "fs2.example.org"),
    # Of another domain, whose host names are not searched for.
    "vm.branch.example.com": (("10.9.0.1",), "vm.branch.example.com"),
    # In /etc/hosts, without a domain.
    "box": (("10.0.0.9",), "box"),
    "zeroconf.local": (("169.254.3.4", "fe80::1%2"), "zeroconf.local"),
    # Another server that has the host name of a server of another domain.
    "web": (("10.0.0.20",), "web.example.org"),
    "web.branch.example.com": (("10.9.0.2",), "web.branch.example.com"),
}
REVERSE = {
    "10.0.0.7": ("nas.example.org",),
    "2001:db8::7": ("NAS.example.org.", "nas"),
    "10.0.0.8": ("fs2.example.org",),
    "10.9.0.1": ("vm.branch.example.com",),
    "10.0.0.66": ("nas.example.org",),  # a reverse zone that lies
    "127.0.0.1": ("localhost", "ip6-localhost"),
}


class Lan:
    """Records each question. `forward` and `reverse` can be changed."""

    def __init__(self) -> None:
        self.forward_zone: Dict[str, Tuple[Sequence[str], str]] = dict(FORWARD)
        self.reverse_zone: Mapping[str, Tuple[str, ...]] = REVERSE
        self.asked: List[str] = []

    def forward(self, host: str) -> Forward:
        self.asked.append(host)
        if host not in self.forward_zone:
            raise RequestorError(host, "no address is known for this name", "write another")
        addresses, canonical = self.forward_zone[host]
        return Forward(frozenset(addresses), canonical)

    def reverse(self, address: str) -> Tuple[str, ...]:
        self.asked.append(address)
        return self.reverse_zone.get(address, ())
