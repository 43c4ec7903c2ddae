"""libsamba-passdb.so.0, Samba's account database: whatever `passdb backend` says.

The functions named pdb_ and samu_ are the library's public ones, with the same signatures in its
versions 0.28 to 0.30, which are Samba 4.13 to 4.25 (source3/passdb/ABI).
"""

from __future__ import annotations

import contextlib
import sys
from typing import Iterator, NamedTuple, Optional

from fsrvpd.errors import RegistryError
from samba_hooks.accounts import PASSDB_LIBRARY
from samba_hooks.accounts.account import Account
from samba_hooks.accounts.ntlmv2 import NT_HASH_SIZE
from samba_hooks.worker import library as samba_library
from samba_hooks.worker.library import text

_FLAGS_SIZE = 14  # bytes; "[U          ]" as pdbedit prints it, and a NUL

passdb_ffi = samba_library.ffi_of("""
typedef long time_t;  // 64-bit, see below
struct samu;
struct dom_sid;

bool lp_load_global(const char *file);
bool lp_file_list_changed(void);
const char *lp_passdb_backend(void);
const char *lp_private_dir(void);

bool initialize_password_db(bool reload, void *events);
struct samu *samu_new(TALLOC_CTX *mem);
bool pdb_getsampwnam(struct samu *account, const char *name);
const char *pdb_get_username(const struct samu *account);
const char *pdb_get_domain(const struct samu *account);
const struct dom_sid *pdb_get_user_sid(const struct samu *account);
uint32_t pdb_get_acct_ctrl(const struct samu *account);
time_t pdb_get_kickoff_time(const struct samu *account);
time_t pdb_get_pass_must_change_time(const struct samu *account);
const uint8_t *pdb_get_nt_passwd(const struct samu *account);
char *pdb_encode_acct_ctrl(uint32_t flags, size_t length);
char *dom_sid_string(TALLOC_CTX *mem, const struct dom_sid *sid);
""")


class Database(NamedTuple):
    """What Samba opened. A process cannot open another one later: tdbsam keeps its file."""

    backend: str
    private_dir: str


class PassdbLibrary(samba_library.Library):
    """The loaded library. Raises: RegistryError if it cannot be used here."""

    def __init__(self, name: str = PASSDB_LIBRARY) -> None:
        if sys.maxsize < 1 << 32:
            raise RegistryError(f"{name}: the size of its times is known on 64-bit machines only")
        super().__init__(passdb_ffi, name)

    def open(self, config_file: str) -> Database:
        """Load [global] and open the database, again if it was open. Raises: RegistryError."""
        with self.frame():
            loaded = self.call.lp_load_global(samba_library.encoded(config_file))
            self.log_warnings_only()
            if not loaded:
                raise RegistryError(f"Samba cannot read {config_file}; check it with `testparm`")
            database = Database(
                text(self.call.lp_passdb_backend()), text(self.call.lp_private_dir())
            )
            if not self.call.initialize_password_db(True, passdb_ffi.NULL):
                raise RegistryError(
                    f"Samba cannot open its accounts (passdb backend = {database.backend});"
                    " check `pdbedit -L`"
                )
        return database

    def configuration_changed(self) -> bool:
        with self.frame():
            return bool(self.call.lp_file_list_changed())

    @contextlib.contextmanager
    def account(self, name: str) -> Iterator[Optional[Account]]:
        """An account as it is now, None if there is none of that name. Its hash is Samba's own
        memory, which Samba wipes at the end."""
        with self.frame() as memory:
            account = self.call.samu_new(memory)
            if not self.call.pdb_getsampwnam(account, _encoded(name)):
                yield None
                return
            nt_hash = self.call.pdb_get_nt_passwd(account)
            flags = self.call.pdb_get_acct_ctrl(account)
            yield Account(
                name=text(self.call.pdb_get_username(account)),
                domain=text(self.call.pdb_get_domain(account)),
                sid=text(self.call.dom_sid_string(memory, self.call.pdb_get_user_sid(account))),
                flags=text(self.call.pdb_encode_acct_ctrl(flags, _FLAGS_SIZE)),
                kickoff=self.call.pdb_get_kickoff_time(account),
                must_change=self.call.pdb_get_pass_must_change_time(account),
                nt_hash=passdb_ffi.buffer(nt_hash, NT_HASH_SIZE) if nt_hash else b"",
            )


def _encoded(name: str) -> bytes:
    """A name that no account can have is that of none."""
    if "\0" in name:
        return b""
    return name.encode("utf-8", "replace")
