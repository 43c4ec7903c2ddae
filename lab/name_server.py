"""`NameServer`: DNS inside a lab, for its zones alone, with a record of what was asked."""

from __future__ import annotations

import ipaddress
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Mapping, Optional, Sequence, Type

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.reversename
import dns.rrset

from lab.namespaces import Lab

ADDRESS = "127.0.0.53"
TTL = 60  # s


class NameServer:
    """`hosts` maps names to addresses; `reverse` maps addresses to names, and is complete by
    itself: an address that it lacks has no name. `search` are the domains for host names."""

    def __init__(
        self,
        lab: Lab,
        hosts: Mapping[str, Sequence[str]],
        reverse: Mapping[str, str],
        search: Sequence[str] = (),
    ) -> None:
        self.asked: list[str] = []  # names as they were asked for, in lower case
        self._hosts = {f"{name}.": list(map(ipaddress.ip_address, hosts[name])) for name in hosts}
        self._reverse = {
            dns.reversename.from_address(address).to_text(): f"{name}."
            for address, name in reverse.items()
        }
        self._stopped = threading.Event()
        # Opened by a thread that is in the lab's network, the socket stays in it.
        with lab.network() as network:
            self._socket = network.submit(_listen).result()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        _use(lab, search)

    def __enter__(self) -> NameServer:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._stopped.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._stopped.is_set():
            try:
                data, client = self._socket.recvfrom(4096)
            except socket.timeout:
                continue
            self._socket.sendto(self._answer(data), client)

    def _answer(self, data: bytes) -> bytes:
        query = dns.message.from_wire(data)
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA | dns.flags.RA
        [question] = query.question
        name = question.name.to_text().lower()
        self.asked.append(name.rstrip("."))
        found = self._records(name, question.rdtype)
        if found:
            response.answer.append(
                dns.rrset.from_text(question.name, TTL, "IN", question.rdtype, *found)
            )
        elif name not in self._hosts and name not in self._reverse:
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()

    def _records(self, name: str, kind: int) -> list[str]:
        if kind == dns.rdatatype.PTR:
            return [self._reverse[name]] if name in self._reverse else []
        version = {dns.rdatatype.A: 4, dns.rdatatype.AAAA: 6}.get(dns.rdatatype.RdataType(kind))
        return [str(each) for each in self._hosts.get(name, []) if each.version == version]


def _listen() -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.settimeout(0.2)  # s until the end is noticed
    listener.bind((ADDRESS, 53))
    return listener


def _use(lab: Lab, search: Sequence[str]) -> None:
    """Have the lab's resolver ask this server, and only this."""
    lines = [f"nameserver {ADDRESS}", "options timeout:2 attempts:2"]
    lines += [f"search {' '.join(search)}"] if search else []
    texts = {
        "resolv.conf": "\n".join(lines),
        "hosts": "127.0.0.1 localhost\n::1 localhost",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns",
    }
    for name, text in texts.items():
        file = lab.directory / name
        file.write_text(f"{text}\n")
        lab.run(["mount", "--bind", file, Path("/etc", name)])
