"""Requests to winbindd and the meaning of its answers, without a winbindd."""

from __future__ import annotations

from typing import Any

import pytest

from fsrvpd.errors import AuthenticationError
from fsrvpd.protocol.ports import Caller, NtlmResponse, VerifiedAccount
from samba_hooks.accounts import winbind
from samba_hooks.accounts.winbind import WinbindVerifier, ffi

RESPONSE = NtlmResponse(b"12345678", "bäckup", "LAB", "CLIENT", b"nt response", b"lm")
SID = "S-1-5-21-1-2-3-1104"
CALLER = Caller("192.0.2.1", "LAB\\bäckup", SID, frozenset({SID}), 0, 1000, False)
GUEST = 0x1
AUTH_ERROR = 10
NOT_AVAILABLE = 5


class Library:
    """libwbclient with one answer; counts what is freed."""

    def __init__(self, status: int = 0, flags: int = 0, sids: int = 1) -> None:
        self.status, self.freed = status, 0
        self.asked: dict[str, Any] = {}
        self._info = ffi.new("struct wbcAuthUserInfo *")
        self._error = ffi.new("struct wbcAuthErrorInfo *")
        self._kept = [ffi.new("char[]", text) for text in (b"backup", b"LAB", b"NT_STATUS_X")]
        self._info.account_name, self._info.domain_name, self._error.nt_string = self._kept
        self._info.user_flags = flags
        self._info.user_session_key = b"k" * 16
        self._sids = ffi.new("struct wbcSidWithAttr[1]")
        self._sids[0].sid = {
            **{"sid_rev_num": 1, "num_auths": 5, "id_auth": [0, 0, 0, 0, 0, 5]},
            "sub_auths": [21, 1, 2, 3, 1104],
        }
        self._info.sids, self._info.num_sids = self._sids, sids

    def wbcCtxCreate(self) -> int:
        return 1

    def wbcCtxFree(self, context: int) -> None:
        self.freed += 1

    def wbcFreeMemory(self, memory: Any) -> None:
        self.freed += 1

    def wbcErrorString(self, error: int) -> Any:
        return self._kept[0] if error == 0 else ffi.new("char[]", b"WBC_ERR_NOT_AVAILABLE")

    def wbcCtxAuthenticateUserEx(self, context: int, parameters: Any, info: Any, error: Any) -> int:
        given = parameters.password.response
        self.asked = {
            "account": ffi.string(parameters.account_name).decode(),
            "domain": ffi.string(parameters.domain_name).decode(),
            "workstation": ffi.string(parameters.workstation_name).decode(),
            "challenge": bytes(given.challenge),
            "nt": ffi.buffer(given.nt_data, given.nt_length)[:],
            "lm": ffi.buffer(given.lm_data, given.lm_length)[:],
        }
        if self.status == 0:
            info[0] = self._info
        elif self.status == AUTH_ERROR:
            error[0] = self._error
        return self.status


def verify(monkeypatch: pytest.MonkeyPatch, library: Library) -> VerifiedAccount:
    monkeypatch.setattr(winbind.ffi, "dlopen", lambda name: library, raising=False)
    return WinbindVerifier().verify(RESPONSE, CALLER)


def test_an_account_that_winbind_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    assert verify(monkeypatch, library) == VerifiedAccount("LAB\\backup", SID, b"k" * 16)
    assert library.asked == {
        **{"account": "bäckup", "domain": "LAB", "workstation": "CLIENT"},
        **{"challenge": b"12345678", "nt": b"nt response", "lm": b"lm"},
    }
    assert library.freed == 3


@pytest.mark.parametrize(
    ("library", "why"),
    [
        (Library(status=AUTH_ERROR), r"rejected LAB\\bäckup: NT_STATUS_X"),
        (Library(status=NOT_AVAILABLE), "WBC_ERR_NOT_AVAILABLE; is winbindd running"),
        (Library(flags=GUEST), "authenticated a guest"),
        (Library(sids=0), "or nobody"),
    ],
)
def test_a_refusal(monkeypatch: pytest.MonkeyPatch, library: Library, why: str) -> None:
    with pytest.raises(AuthenticationError, match=why):
        verify(monkeypatch, library)
    assert library.freed == 3


def claim(monkeypatch: pytest.MonkeyPatch, account: str, domain: str = "LAB") -> Library:
    library = Library()
    monkeypatch.setattr(winbind.ffi, "dlopen", lambda name: library, raising=False)
    response = RESPONSE._replace(account=account, domain=domain)
    WinbindVerifier().verify(response, CALLER._replace(account="LAB\\alice"))
    return library


@pytest.mark.parametrize(
    ("account", "domain"),
    [("alice", "LAB"), ("ALICE", ""), ("Alice", "lab.example"), ("a.smith@lab.example", "")],
)
def test_claims_that_may_be_the_sessions(
    account: str, domain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert claim(monkeypatch, account, domain).asked["account"] == account


@pytest.mark.parametrize(
    "account", ["bob", "alice2", "LAB\\alice", "bob@lab.example", "", "bob\nfsrvpd: all is well"]
)
def test_winbind_is_not_asked_for_somebody_else(
    account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AuthenticationError, match="not the user of the SMB session") as refused:
        claim(monkeypatch, account)
    assert "\n" not in str(refused.value)
