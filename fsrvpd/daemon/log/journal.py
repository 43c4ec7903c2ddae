"""Log records as native entries of journald, with a field for each value of an event.

See "Native Journal Protocol" in systemd's documentation.
"""

from __future__ import annotations

import logging
import re
import socket
import struct
import sys

from fsrvpd.daemon.log.record_text import text_of

SOCKET = "/run/systemd/journal/socket"
MAX_VALUE = 32768  # bytes of one value; a datagram must fit into the socket's buffer
_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (25, 5), (logging.INFO, 6))
_DEBUG = 7
_FIELD = re.compile(r"[^A-Z0-9_]")


class JournalHandler(logging.Handler):
    """Writes MESSAGE, PRIORITY and LOGGER; for an event also FSRVPD_EVENT, FSRVPD_EVENT_ID and
    FSRVPD_<FIELD> for each of its fields, with its exact value."""

    def __init__(self, path: str = SOCKET) -> None:
        super().__init__()
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def emit(self, record: logging.LogRecord) -> None:
        """If the journal does not accept the entry, write the message to standard error."""
        try:
            self._socket.sendto(entry(record), self._path)
        except OSError:
            print(text_of(record), file=sys.stderr)

    def close(self) -> None:
        self._socket.close()
        super().close()


def entry(record: logging.LogRecord) -> bytes:
    """The datagram for one record."""
    fields = {
        "MESSAGE": text_of(record),
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
    """A value with a line break is preceded by its length."""
    try:
        data = value.encode("utf-8", "surrogateescape")[:MAX_VALUE]
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        data = value.encode("utf-8", "backslashreplace")[:MAX_VALUE]
    if b"\n" not in data:
        return b"%s=%s\n" % (name.encode(), data)
    return b"%s\n%s%s\n" % (name.encode(), struct.pack("<Q", len(data)), data)


def _priority(level: int) -> int:
    for threshold, priority in _PRIORITIES:
        if level >= threshold:
            return priority
    return _DEBUG
