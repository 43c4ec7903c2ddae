"""Verifies NTLM on a member of a domain: winbindd asks a domain controller.

libwbclient.so.0 through cffi's ABI mode; its structures have not changed since Samba 4.0, as its
version promises. Source: nsswitch/libwbclient/wbclient.h.
"""

from __future__ import annotations

from typing import Any

from cffi import FFI

from fsrvpd.errors import AuthenticationError, WrongPassword
from fsrvpd.protocol.ports import Caller, NtlmResponse, VerifiedAccount

LIBRARY = "libwbclient.so.0"

_SUCCESS, _AUTH_ERROR = 0, 10
_LEVEL_RESPONSE = 3
# MSV1_0_ALLOW_SERVER_TRUST_ACCOUNT and _WORKSTATION_TRUST_ACCOUNT: the caller may be the
# client's machine account.
_TRUST_ACCOUNTS = 0x20 | 0x800
_GUEST = 0x1
# NT_STATUS_WRONG_PASSWORD, _LOGON_FAILURE, _ACCOUNT_LOCKED_OUT (MS-ERREF 2.3.1).
_WRONG_PASSWORD = (0xC000006A, 0xC000006D, 0xC0000234)

ffi = FFI()
ffi.cdef(
    """
    struct wbcDomainSid { uint8_t sid_rev_num; uint8_t num_auths; uint8_t id_auth[6];
                          uint32_t sub_auths[15]; };
    struct wbcSidWithAttr { struct wbcDomainSid sid; uint32_t attributes; };
    struct wbcAuthUserParams {
        const char *account_name; const char *domain_name; const char *workstation_name;
        uint32_t flags; uint32_t parameter_control; int level;
        union {
            const char *plaintext;
            struct { uint8_t challenge[8]; uint32_t nt_length; uint8_t *nt_data;
                     uint32_t lm_length; uint8_t *lm_data; } response;
        } password;
    };
    struct wbcAuthUserInfo {
        uint32_t user_flags;
        char *account_name; char *user_principal; char *full_name; char *domain_name;
        char *dns_domain_name;
        uint32_t acct_flags; uint8_t user_session_key[16]; uint8_t lm_session_key[8];
        uint16_t logon_count; uint16_t bad_password_count;
        uint64_t logon_time; uint64_t logoff_time; uint64_t kickoff_time;
        uint64_t pass_last_set_time; uint64_t pass_can_change_time;
        uint64_t pass_must_change_time;
        char *logon_server; char *logon_script; char *profile_path; char *home_directory;
        char *home_drive;
        uint32_t num_sids; struct wbcSidWithAttr *sids;
    };
    struct wbcAuthErrorInfo { uint32_t nt_status; char *nt_string; int32_t pam_error;
                              char *display_string; uint8_t authoritative; };
    struct wbcContext;
    struct wbcContext *wbcCtxCreate(void);
    void wbcCtxFree(struct wbcContext *ctx);
    int wbcCtxAuthenticateUserEx(struct wbcContext *ctx, const struct wbcAuthUserParams *params,
                                 struct wbcAuthUserInfo **info, struct wbcAuthErrorInfo **error);
    void wbcFreeMemory(void *memory);
    const char *wbcErrorString(int error);
    """
)


class WinbindVerifier:
    """An `AccountVerifier`, thread-safe. The domain counts wrong passwords. An account other than
    that of the SMB session is refused later, when the two users are compared."""

    likely_cause = "winbindd may be hung (`wbinfo -p`)"

    def __init__(self) -> None:
        try:
            self._call: Any = ffi.dlopen(LIBRARY)
        except OSError as error:
            raise AuthenticationError(f"{LIBRARY}: {error}; install winbind's library") from error

    def open(self) -> None:
        """Nothing to do: winbindd is another process."""

    def close(self) -> None:
        """Nothing to do."""

    def verify(self, response: NtlmResponse, caller: Caller) -> VerifiedAccount:
        _check_claim(response, caller)
        context = self._call.wbcCtxCreate()
        if not context:
            raise AuthenticationError("winbind: out of memory")
        try:
            return self._verify(context, response)
        finally:
            self._call.wbcCtxFree(context)

    def _verify(self, context: Any, response: NtlmResponse) -> VerifiedAccount:
        parameters, _kept = _parameters(response)
        info, error = ffi.new("struct wbcAuthUserInfo **"), ffi.new("struct wbcAuthErrorInfo **")
        status = self._call.wbcCtxAuthenticateUserEx(context, parameters, info, error)
        try:
            if status != _SUCCESS:
                raise self._refusal(response, status, error[0])
            return _account(info[0])
        finally:
            self._call.wbcFreeMemory(info[0])
            self._call.wbcFreeMemory(error[0])

    def _refusal(self, response: NtlmResponse, status: int, error: Any) -> AuthenticationError:
        who = f"winbind rejected {response.domain}\\{response.account}"
        if status == _AUTH_ERROR and error:
            kind = WrongPassword if error.nt_status in _WRONG_PASSWORD else AuthenticationError
            return kind(f"{who}: {_text(error.nt_string)}")
        why = _text(self._call.wbcErrorString(status))
        return AuthenticationError(f"{who}: {why}; is winbindd running (`wbinfo -p`)?")


def _check_claim(response: NtlmResponse, caller: Caller) -> None:
    """Accounts of another name than the SMB session's are not asked for. Raises:
    AuthenticationError."""
    if "@" in response.account and not response.domain:
        return  # a user principal name need not resemble the account's name: compared afterwards
    if response.account.casefold() != caller.name.casefold():
        raise AuthenticationError(
            f"{response.account!r} is not the user of the SMB session, "
            f"which belongs to {caller.account} ({caller.user_sid})"
        )


def _parameters(response: NtlmResponse) -> tuple[Any, tuple[Any, ...]]:
    """The parameters of the call, and the memory that they point to."""
    kept = (
        ffi.new("char[]", response.account.encode()),
        ffi.new("char[]", response.domain.encode()),
        ffi.new("char[]", response.workstation.encode()),
        ffi.new("uint8_t[]", response.nt_response),
        ffi.new("uint8_t[]", response.lm_response),
    )
    parameters = ffi.new("struct wbcAuthUserParams *")
    parameters.account_name, parameters.domain_name, parameters.workstation_name = kept[:3]
    parameters.parameter_control = _TRUST_ACCOUNTS
    parameters.level = _LEVEL_RESPONSE
    answer = parameters.password.response
    answer.challenge = response.challenge
    answer.nt_length, answer.nt_data = len(response.nt_response), kept[3]
    answer.lm_length, answer.lm_data = len(response.lm_response), kept[4]
    return parameters, kept


def _account(info: Any) -> VerifiedAccount:
    if info.user_flags & _GUEST or info.num_sids < 1:
        raise AuthenticationError("winbind authenticated a guest, or nobody")
    name = f"{_text(info.domain_name)}\\{_text(info.account_name)}"
    return VerifiedAccount(name, _sid(info.sids[0].sid), bytes(info.user_session_key))


def _sid(sid: Any) -> str:
    authority = int.from_bytes(bytes(sid.id_auth), "big")
    parts = list(sid.sub_auths)[: sid.num_auths]
    return "-".join([f"S-{sid.sid_rev_num}", str(authority), *map(str, parts)])


def _text(pointer: Any) -> str:
    if not pointer:
        return ""
    raw: Any = ffi.string(pointer)
    return str(raw, "utf-8", "replace")
