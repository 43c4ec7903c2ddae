"""Own names come from the kernel's tables and from configuration, never from a resolver."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from fsrvpd.shares import server_names

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
    assert server_names._ipv4(FIB_TRIE) == {"192.0.2.7", "198.51.100.1"}


def test_ipv6_addresses_are_in_their_shortest_form() -> None:
    line = "20010db8000000000000000000000007 02 40 00 80     eth0\n"
    assert server_names._ipv6(line) == {"2001:db8::7"}


def test_this_host_has_its_loopback_addresses() -> None:
    assert "127.0.0.1" in server_names.local_addresses()


def test_names_come_with_and_without_the_realm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Filer.lab.example")
    names = server_names.own_names(["NAS", "files.example.net"], "CORP.EXAMPLE")
    assert {"nas", "nas.corp.example", "filer", "filer.lab.example", "localhost"} <= names
    assert "files.example.net" in names
    assert "files.example.net.corp.example" not in names


HOSTS = """\
127.0.0.1 localhost
192.0.2.7 filer.lab.example Filer storage # other
192.0.2.8 another.lab.example another
127.0.1.1 filer at-loopback
2001:DB8:0::7 filer by-ipv6
10.9.9.9 filer.partner.example filer
no-address filer nonsense
"""


def test_the_line_of_this_host_in_etc_hosts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "hosts").write_text(HOSTS)
    monkeypatch.setattr(server_names, "HOSTS", str(tmp_path / "hosts"))
    monkeypatch.setattr(socket, "gethostname", lambda: "filer")
    monkeypatch.setattr(server_names, "local_addresses", lambda: {"192.0.2.7", "2001:db8::7"})
    names = server_names.own_names([], "")
    assert {"filer.lab.example", "filer", "storage", "at-loopback", "by-ipv6"} <= names
    assert not {"another", "another.lab.example", "other", "#"} & names
    assert not {"filer.partner.example", "nonsense"} & names, "another host's line"


def test_no_resolver_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> Any:
        raise AssertionError("a resolver was asked")

    for name in ("getaddrinfo", "gethostbyname", "gethostbyaddr", "getfqdn", "getnameinfo"):
        monkeypatch.setattr(socket, name, forbidden)
    server_names.own_names(["NAS"], "CORP.EXAMPLE")
