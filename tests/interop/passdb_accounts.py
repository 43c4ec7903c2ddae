"""Runs in a lab: prints accounts as libsamba-passdb and as pdbedit have them.

passdb_accounts.py SMB.CONF '["name", …]'    JSON: [[by the library, by pdbedit], …]
"""

from __future__ import annotations

import json
import sys
from typing import Any, Optional

from samba_hooks.accounts.account import Account
from samba_hooks.accounts.libpassdb import PassdbLibrary
from samba_hooks.accounts.pdbedit import PdbeditVerifier, parse_account
from samba_hooks.tools import SambaTools

FAR = 1 << 40  # s; pdbedit prints "never", and the library has a number


def fields(account: Optional[Account]) -> Any:
    if account is None:
        return None
    times = {name: int(min(getattr(account, name), FAR)) for name in ("kickoff", "must_change")}
    return {**account._asdict(), **times, "nt_hash": bytes(account.nt_hash).hex()}


def main() -> None:
    conf, names = sys.argv[1], json.loads(sys.argv[2])
    library, pdbedit = PassdbLibrary(), PdbeditVerifier(SambaTools(conf, [], 30))
    library.open(conf)
    found = []
    for name in names:
        with library.account(name) as account:
            by_library = fields(account)
        found.append([by_library, fields(parse_account(pdbedit._look_up(name)))])
    print(json.dumps(found))


main()
