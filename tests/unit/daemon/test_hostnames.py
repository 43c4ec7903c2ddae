"""Own names come from the kernel's tables and from configuration, never from a resolver."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from fsrvpd.daemon import hostnames

FIB_TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 192.0.2.0/24 2 0 2
        |-- 192.0.2.7
           /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
     |-- 198.51.100.1
        /32 host LOCAL
"""


def test_local_ipv4_addresses_are_the_leaves_marked_local() -> None:
    assert hostnames._ipv4(FIB_TRIE) == {"192.0.2.7", "198.51.100.1"}


def test_ipv6_addresses_are_in_their_shortest_form() -> None:
    line = "20010db8000000000000000000000007 02 40 00 80     eth0\n"
    assert hostnames._ipv6(line) == {"2001:db8::7"}


def test_this_host_has_its_loopback_addresses() -> None:
    assert "127.0.0.1" in hostnames.local_addresses()


def test_names_come_with_and_without_the_realm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Filer.lab.example")
    names = hostnames.own_names(["NAS", "files.example.net"], "CORP.EXAMPLE")
    assert {"nas", "nas.corp.example", "filer", "filer.lab.example", "localhost"} <= names
    assert "files.example.net" in names
    assert "files.example.net.corp.example" not in names


def test_no_resolver_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> Any:
        raise AssertionError("a resolver was asked")

    for name in ("getaddrinfo", "gethostbyname", "gethostbyaddr", "getfqdn", "getnameinfo"):
        monkeypatch.setattr(socket, name, forbidden)
    hostnames.own_names(["NAS"], "CORP.EXAMPLE")
