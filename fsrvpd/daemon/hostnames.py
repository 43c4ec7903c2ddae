"""This server's own names and addresses, from the kernel and from smb.conf alone.

No resolver is ever asked: a UNC's host is compared with these strings and nothing else.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

from fsrvpd.protocol.unc import normal_host


def local_addresses() -> set[str]:
    """Every address of this host, IPv4 and IPv6, as the kernel lists them."""
    return _ipv4(_read("/proc/net/fib_trie")) | _ipv6(_read("/proc/net/if_inet6"))


def own_names(configured: Iterable[str], realm: str) -> set[str]:
    """All names in comparable form: addresses, host name, `configured` ones (netbios name
    and aliases, `fsrvpd:additional host names`), each also with the realm as domain."""
    host = socket.gethostname()
    short = {name for name in (*configured, host, host.partition(".")[0]) if name}
    names = {normal_host(name) for name in short} | {"localhost"}
    if realm:
        names |= {f"{name}.{realm.casefold()}" for name in names if "." not in name}
    return names | local_addresses()


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except FileNotFoundError:  # a kernel without that address family
        return ""


def _ipv4(fib_trie: str) -> set[str]:
    """Addresses whose leaf in the routing tries is marked `/32 host LOCAL`."""
    found: set[str] = set()
    leaf = ""
    for line in fib_trie.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "|--":
            leaf = rest.strip()
        elif word == "/32" and "LOCAL" in rest:
            found.add(leaf)
    return found


def _ipv6(if_inet6: str) -> set[str]:
    return {
        str(ipaddress.IPv6Address(int(line.split()[0], 16)))
        for line in if_inet6.splitlines()
        if line.split()
    }
