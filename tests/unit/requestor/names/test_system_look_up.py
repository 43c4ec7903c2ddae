"""The system's resolver; with DNS in tests/requestor."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.names.system_look_up import SystemLookUp


def test_an_address_has_itself() -> None:
    assert SystemLookUp().forward("127.0.0.9").addresses == {"127.0.0.9"}


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "no address is known for this name"),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), "no answer: try again"),
        (UnicodeError("label too long"), "no address is known for this name"),
    ],
)
def test_why_a_name_is_not_found(
    monkeypatch: pytest.MonkeyPatch, error: Exception, cause: str
) -> None:
    def refuse(*arguments: Any, **more: Any) -> Any:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(RequestorError) as refused:
        SystemLookUp().forward("nas")
    assert refused.value.cause == cause
    assert "getent ahosts nas" in refused.value.next_step


def test_addresses_are_in_one_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*arguments: Any, **more: Any) -> Any:
        found = [
            ("::ffff:10.0.0.7", 0, 0, 0),
            ("fe80::7%eth0", 0, 0, 2),
            ("2001:db8:0::7", 0, 0, 0),
        ]
        return [(0, 0, 0, "nas.example.org", address) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    found = SystemLookUp().forward("nas")
    assert found.addresses == {"10.0.0.7", "fe80::7", "2001:db8::7"}
    assert found.canonical == "nas.example.org"


def test_an_address_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(address: str) -> Any:
        raise socket.herror(1, "unknown host")

    monkeypatch.setattr(socket, "gethostbyaddr", refuse)
    assert SystemLookUp().reverse("10.0.0.99") == ()
