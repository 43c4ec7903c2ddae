"""Status codes of fault PDUs and reasons of bind_nak PDUs.

Spec: C706 appendix E and 12.6.3.1, MS-RPCE 2.2.2.5 and 3.1.1.5.5.
"""

from __future__ import annotations

from enum import IntEnum


class ProtocolError(Exception):
    """The client broke a rule of DCE/RPC."""


class Fault(IntEnum):
    ACCESS_DENIED = 0x00000005
    BAD_STUB_DATA = 0x000006F7
    SEC_PKG_ERROR = 0x00000721
    OP_RANGE_ERROR = 0x1C010002
    UNKNOWN_INTERFACE = 0x1C010003
    PROTOCOL_ERROR = 0x1C01000B
    SERVER_TOO_BUSY = 0x1C010014


class Nak(IntEnum):
    NOT_SPECIFIED = 0
    LOCAL_LIMIT_EXCEEDED = 2
    PROTOCOL_VERSION_NOT_SUPPORTED = 4
    AUTHENTICATION_TYPE_NOT_RECOGNIZED = 8
    INVALID_CHECKSUM = 9
