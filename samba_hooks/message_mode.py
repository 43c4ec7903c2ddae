"""Message mode: how smbd marks the ends of pipe messages on the UNIX socket. No I/O here.

Each message in either direction follows its length as a 16-bit little-endian number.
Samba: libcli/named_pipe_auth/npa_tstream.c, FILE_TYPE_MESSAGE_MODE_PIPE.
"""

from __future__ import annotations

_HEADER_SIZE = 2
MAX_MESSAGE = 0xFFFF


class MessageFraming:
    """One connection's side of it. Holds at most one unfinished message, under 64 KiB."""

    def __init__(self) -> None:
        self._pending = b""

    @staticmethod
    def encode(message: bytes) -> bytes:
        """Raises: ValueError when the message is longer than MAX_MESSAGE bytes."""
        size = len(message)
        if size > MAX_MESSAGE:
            raise ValueError(f"pipe message of {size} bytes, at most {MAX_MESSAGE} possible")
        return size.to_bytes(_HEADER_SIZE, "little") + message

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes, in order."""
        size = int.from_bytes(data[:_HEADER_SIZE], "little")
        if size == len(data) - _HEADER_SIZE and not self._pending:
            return [data[_HEADER_SIZE:]]  # nearly always: one message, and whole
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
        """Whether the peer stopped in the middle of a message so far."""
        return bool(self._pending)
