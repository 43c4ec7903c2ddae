"""Where smbprotocol and pyspnego are found, and what pyspnego needs for Kerberos.

Debian 12 has neither of them. The package `fsrvpshadow` brings them in a folder of its own, which
is on no other program's path. Elsewhere there is no such folder: pip has installed them
(`fsrvpd[requestor]`).
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec

PACKAGED = os.path.join(os.path.dirname(os.path.dirname(__file__)), "vendor")


def prepare() -> None:
    """Must run before the first import of either."""
    if os.path.isdir(PACKAGED) and PACKAGED not in sys.path:
        sys.path.insert(0, PACKAGED)
    _do_without_krb5()


def _do_without_krb5() -> None:
    """Let pyspnego use Kerberos where the package krb5 is missing, as it is in Debian 12.

    pyspnego imports krb5 whenever it imports gssapi, but calls it only to log in with a password
    or a keytab. A ticket that `kinit` has got needs gssapi alone.
    """
    if importlib.util.find_spec("gssapi") and not importlib.util.find_spec("krb5"):
        sys.modules["krb5"] = importlib.util.module_from_spec(ModuleSpec("krb5", None))
