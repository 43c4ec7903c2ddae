"""Runs in the lab: prints what Samba's own getters return for an smb.conf, as JSON.

Arguments: the file, and names of shares in it. A getter is named after its parameter, unless it is
in `_FUNCTIONS`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from samba_hooks.worker import library
from samba_hooks.worker.library import encoded, text

# Those that Samba expands and trims, and those that it takes as they are.
OF_SHARES = ("path", "veto files", "force user")
EXPANDED = ("log file", "config file", "root directory")
AS_THEY_ARE = (
    *("ncalrpc dir", "state directory", "lock directory", "cache directory", "pid directory"),
    *("private dir", "netbios name", "workgroup", "realm", "guest account"),
    "dedicated keytab file",
)
_FUNCTIONS = {"log file": "logfile", "config file": "next_configfile"}


def function(name: str) -> str:
    return f"lp_{_FUNCTIONS.get(name, name.replace(' ', '_'))}"


_FFI = library.ffi_of(
    """
struct loadparm_substitution;
bool lp_load_with_shares(const char *file);
int lp_servicenumber(const char *name);
const struct loadparm_substitution *loadparm_s3_global_substitution(void);
"""
    + "".join(
        f"char *{function(name)}(TALLOC_CTX *, const struct loadparm_substitution *, int);"
        for name in OF_SHARES
    )
    + "".join(
        f"char *{function(name)}(TALLOC_CTX *, const struct loadparm_substitution *);"
        for name in EXPANDED
    )
    + "".join(f"const char *{function(name)}(void);" for name in AS_THEY_ARE)
)


def read(config_file: str, shares: list[str]) -> dict[str, Any]:
    samba = library.Library(_FFI, "libsmbconf.so.0")
    call = samba.call
    with samba.frame() as memory:
        assert call.lp_load_with_shares(encoded(config_file))
        expand = call.loadparm_s3_global_substitution()
        numbers = {share: call.lp_servicenumber(encoded(share)) for share in shares}
        return {
            **{name: text(getattr(call, function(name))()) for name in AS_THEY_ARE},
            **{name: text(getattr(call, function(name))(memory, expand)) for name in EXPANDED},
            "shares": {
                share: {
                    name: text(getattr(call, function(name))(memory, expand, number))
                    for name in OF_SHARES
                }
                for share, number in numbers.items()
            },
        }


if __name__ == "__main__":
    print(json.dumps(read(sys.argv[1], sys.argv[2:])))
