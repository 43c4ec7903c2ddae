"""The text of a log record, for every destination of the log.

Messages contain names that clients and users choose and disks hold. Whatever one of them
contains, a record is one line; a traceback follows indented.
"""

from __future__ import annotations

import logging

from fsrvpd.terminal import indented, one_line

_PLAIN = logging.Formatter()


def text_of(record: logging.LogRecord) -> str:
    """The message with control characters escaped, and the traceback if there is one."""
    message = one_line(record.getMessage())
    if record.exc_info:
        return message + indented("\n" + _PLAIN.formatException(record.exc_info))
    return message


class LineFormatter(logging.Formatter):
    """Time, level and logger, then the text."""

    def format(self, record: logging.LogRecord) -> str:
        when = self.formatTime(record)
        return f"{when} {record.levelname} {record.name}: {text_of(record)}"
