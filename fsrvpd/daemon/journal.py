"""Log records as journald's native entries, one field for each value of an event.

See "Native Journal Protocol" in systemd's documentation.
"""

from __future__ import annotations

import logging
import re
import socket
import struct
import sys

SOCKET = "/run/systemd/journal/socket"
LONGEST = 32768  # bytes of one value; a datagram must fit into the socket's buffer
_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (25, 5), (logging.INFO, 6))
_DEBUG = 7
_FIELD = re.compile(r"[^A-Z0-9_]")


class JournalHandler(logging.Handler):
    """MESSAGE, PRIORITY, LOGGER, and of an event FSRVPD_EVENT, FSRVPD_EVENT_ID and
    FSRVPD_<FIELD> for each of its fields."""

    def __init__(self, path: str = SOCKET) -> None:
        super().__init__()
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def emit(self, record: logging.LogRecord) -> None:
        """A journal that does not take the entry gets it through standard error."""
        try:
            self._socket.sendto(entry(record), self._path)
        except OSError:
            print(record.getMessage(), file=sys.stderr)

    def close(self) -> None:
        self._socket.close()
        super().close()


def entry(record: logging.LogRecord) -> bytes:
    """The datagram for one record."""
    message = record.getMessage()
    if record.exc_info:
        message += "\n" + logging.Formatter().formatException(record.exc_info)
    fields = {
        "MESSAGE": message,
        "PRIORITY": str(_priority(record.levelno)),
        "SYSLOG_IDENTIFIER": "fsrvpd",
        "LOGGER": record.name,
    }
    event = getattr(record, "event", None)
    if event is not None:
        fields["FSRVPD_EVENT"] = event.name
        fields["FSRVPD_EVENT_ID"] = str(event.id)
        for key, value in record.__dict__["fields"].items():
            fields[f"FSRVPD_{_FIELD.sub('_', key.upper())}"] = str(value)
    return b"".join(_encoded(name, value) for name, value in fields.items())


def _encoded(name: str, value: str) -> bytes:
    """A value with a line end takes its length in front."""
    data = value.encode("utf-8", "surrogateescape")[:LONGEST]
    if b"\n" not in data:
        return b"%s=%s\n" % (name.encode(), data)
    return b"%s\n%s%s\n" % (name.encode(), struct.pack("<Q", len(data)), data)


def _priority(level: int) -> int:
    for threshold, priority in _PRIORITIES:
        if level >= threshold:
            return priority
    return _DEBUG
