"""Message mode: how smbd separates pipe messages on the UNIX socket. No I/O here.

In both directions each message follows its length, a 16-bit little-endian number.
Samba: libcli/named_pipe_auth/npa_tstream.c, FILE_TYPE_MESSAGE_MODE_PIPE.
"""

from __future__ import annotations

_HEADER_SIZE = 2
MAX_MESSAGE = 0xFFFF


class MessageFraming:
    """Splits what arrives on one connection. Holds one incomplete message at most, < 64 KiB."""

    def __init__(self) -> None:
        self._pending = b""  # the incomplete message

    @staticmethod
    def encode(message: bytes) -> bytes:
        """The message with its length. Raises: ValueError: longer than MAX_MESSAGE bytes."""
        size = len(message)
        if size > MAX_MESSAGE:
            raise ValueError(f"pipe message of {size} bytes, at most {MAX_MESSAGE} possible")
        return size.to_bytes(_HEADER_SIZE, "little") + message

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes, in order."""
        size = int.from_bytes(data[:_HEADER_SIZE], "little")
        if size == len(data) - _HEADER_SIZE and not self._pending:
            return [data[_HEADER_SIZE:]]  # nearly always: one whole message
        buffer = self._pending + data if self._pending else data
        messages = []
        start = 0
        while len(buffer) - start >= _HEADER_SIZE:
            end = start + _HEADER_SIZE + buffer[start] + (buffer[start + 1] << 8)
            if end > len(buffer):
                break
            messages.append(buffer[start + _HEADER_SIZE : end])
            start = end
        self._pending = buffer[start:]
        return messages

    @property
    def unfinished(self) -> bool:
        """Whether the end of a message is still to come."""
        return bool(self._pending)
