"""SMB and RPC by smbprotocol and pyspnego, which no other package imports.

What these libraries log is theirs: without a handler Python would print it to standard error.
"""

from __future__ import annotations

import logging

from fsrvpd.requestor.smb import libraries

libraries.prepare()
for _library in ("smbprotocol", "spnego"):
    logging.getLogger(_library).addHandler(logging.NullHandler())
# It logs the tokens of each login, from which a weak password can be guessed.
logging.getLogger("spnego").setLevel(logging.WARNING)
