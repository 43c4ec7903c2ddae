"""This server's own names and addresses, only from the kernel, smb.conf and /etc/hosts.

DNS is never asked: the host of a UNC is compared with these strings and nothing else.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

from fsrvpd.protocol.unc import normal_host

HOSTS = "/etc/hosts"


def local_addresses() -> set[str]:
    """Every address of this host, IPv4 and IPv6, as the kernel lists them."""
    return _ipv4(_read("/proc/net/fib_trie")) | _ipv6(_read("/proc/net/if_inet6"))


def own_names(configured: Iterable[str], realm: str) -> set[str]:
    """All names in the form of `normal_host`: addresses, host name, `configured` (netbios name
    and aliases, Samba's further DNS names, `fsrvpd:additional host names`), each also with the
    realm as domain, and what /etc/hosts calls this host."""
    addresses = local_addresses()
    host = socket.gethostname()
    of_host = {normal_host(name) for name in (host, host.partition(".")[0]) if name}
    names = {normal_host(name) for name in configured if name} | of_host | {"localhost"}
    names |= _also_called(of_host, addresses, _read(HOSTS))
    if realm:
        names |= {f"{name}.{realm.casefold()}" for name in names if "." not in name}
    return names | addresses


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:  # a kernel without that address family, a host without that file
        return ""


def _also_called(host: set[str], addresses: set[str], hosts: str) -> set[str]:
    """The other names in the lines of a file of hosts that have a name and an address of this host:
    mostly its name with its domain, which is how Samba gets to know that. Another host may have the
    same short name."""
    lines = (line.partition("#")[0].split() for line in hosts.splitlines())
    ours = (line[1:] for line in lines if line and _is_local(line[0], addresses))
    named = ({normal_host(name) for name in names} for names in ours)
    return {name for names in named if names & host for name in names}


def _is_local(address: str, addresses: set[str]) -> bool:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return parsed.is_loopback or str(parsed) in addresses


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
