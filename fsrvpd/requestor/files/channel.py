"""`Channel`: requests of several threads over one session, as many in flight as credits allow.

There is no thread that reads: of those that wait, one reads for all. An answer that nobody waits
for any longer is read and dropped, and so is an interim one. Spec: MS-SMB2 3.2.4.1, 3.2.5.1.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from fsrvpd.requestor.files import messages, protection
from fsrvpd.requestor.files.messages import HEADER_SIZE, Answer, Malformed, Request
from fsrvpd.requestor.files.statuses import PENDING
from fsrvpd.requestor.smb.connection import MAX_MESSAGE, UNASKED, WAIT, Clock
from fsrvpd.requestor.smb.session import CLOSE_TIMEOUT, SMB_ERRORS, SmbSession

CREDITS = 512  # that are asked for: 32 MiB in flight
WINDOW = 8  # requests in flight for one file
_CREDIT = 65536  # bytes that one pays for
_LARGEST = 1 << 20  # bytes of one request
_HEADER = struct.Struct("<4sHHIHHIIQIIQ16s")
_SMB = b"\xfeSMB"
_SIGNED, _RELATED, _DFS = 0x8, 0x4, 0x10000000


class Lost(Exception):
    """The connection broke, or nobody can make sense of it: another one may help."""


class Sent:
    """Requests on their way. `answers` are complete when none is `left`."""

    __slots__ = ("answers", "left")

    def __init__(self, count: int) -> None:
        self.answers: List[Optional[Answer]] = [None] * count
        self.left = count


class Channel:
    """Threads may share one. Every method but `close` raises Lost."""

    def __init__(
        self,
        session: SmbSession,
        share: str,
        *,
        wait: float = WAIT,
        clock: Clock = time.monotonic,
    ) -> None:
        """Connects to the share. `wait`: for each answer, in seconds. Raises what
        `SmbSession.tree` does."""
        self.session = session
        tree = session.tree(share)
        self._prefix = tree.share_name[2:] if tree.is_dfs_share else ""
        self._ids = (tree.tree_connect_id, session.session.session_id)
        self._flags = _DFS if tree.is_dfs_share else 0
        self._connection = session.connection
        self._socket: socket.socket = self._connection.transport._sock
        self._wait, self._clock = wait, clock
        limit = struct.pack("@ll", int(wait), int(wait % 1 * 1e6))
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._socket.setsockopt(socket.SOL_SOCKET, option, limit)
        seals = session.session.encrypt_data or tree.encrypt_data
        self._protection = protection.Protection(self._connection, session.session, seals=seals)
        self._sending = threading.Lock()  # messages are sent in the order of their ids
        self._changed = threading.Condition()
        self._is_reading = False
        self._waiting: Dict[int, Tuple[Sent, int, int]] = {}
        self._window: Any = self._connection.sequence_window
        self._broken: Optional[Exception] = None
        self.messages_sent = 0
        self._ask_for_credits()

    def _ask_for_credits(self) -> None:
        """Before the first large request: a session starts with few."""
        self.wait(self.send(messages.echo()))
        granted = _CREDIT * max(1, self._credits() // WINDOW)
        several = self._connection.supports_multi_credit
        self.chunk = min(_LARGEST, granted) if several else _CREDIT
        self.chunk = min(self.chunk, self._connection.max_read_size or _CREDIT)
        self.listing = min(self.chunk, self._connection.max_transact_size or _CREDIT)

    def name(self, path: str) -> str:
        """What the server opens: a share of DFS wants whole names."""
        return "\\".join(part for part in (self._prefix, path) if part)

    def ask(self, *requests: Request) -> Sequence[Answer]:
        """Send requests in one message and wait for their answers. What is `RELATED` in one is the
        file that the one before it opened."""
        return self.wait(self.send(*requests))

    def send(self, *requests: Request) -> Sent:
        """May wait for credits, which come with answers."""
        charges = [self._charge(request) for request in requests]
        sent = Sent(len(requests))
        with self._sending:
            ids, wanted = self._take(charges)
            with self._changed:
                for number, (message_id, request) in enumerate(zip(ids, requests)):
                    self._waiting[message_id] = (sent, number, request.command)
            self._write(self._packed(requests, ids, charges, wanted))
            self.messages_sent += 1
        return sent

    def wait(self, sent: Sent) -> Sequence[Answer]:
        if sent.left:
            self._read_until(lambda: not sent.left)
        return [answer for answer in sent.answers if answer is not None]

    def close(self) -> None:
        """Log off, as far as the server still answers, after what it still sends. Raises nothing;
        may be called twice."""
        with suppress(Lost):
            self._read_until(lambda: not self._waiting, CLOSE_TIMEOUT)
        with self._changed:
            was_broken, self._broken = self._broken, self._broken or Lost("it was closed")
            self._changed.notify_all()
        if was_broken is None:
            self.session.close()

    def _charge(self, request: Request) -> int:
        if not self._connection.supports_multi_credit:
            return 0
        return 1 + max(0, request.payload - 1) // _CREDIT

    def _credits(self) -> int:
        left: int = self._window["high"] - self._window["low"]
        return left

    def _take(self, charges: Sequence[int]) -> Tuple[List[int], int]:
        """The ids of the messages, and how many credits are wanted for each."""
        each = [charge or 1 for charge in charges]
        needed = sum(each)
        self._read_until(lambda: self._credits() >= needed or not self._waiting)
        with self._changed:
            left = self._credits() - needed
            if left < 0:
                raise self._break(Lost("the server grants no more credits"))
            first: int = self._window["low"]
            self._window["low"] = first + needed
        ids = [first + sum(each[:number]) for number in range(len(each))]
        return ids, max(0, CREDITS - left) // len(each)

    def _packed(
        self, requests: Sequence[Request], ids: Sequence[int], charges: Sequence[int], wanted: int
    ) -> bytes:
        parts = []
        seals = self._protection.seals
        for number, (request, message_id, charge) in enumerate(zip(requests, ids, charges)):
            is_last = number == len(requests) - 1
            size = HEADER_SIZE + len(request.body)
            size += 0 if is_last else -size % 8
            flags = self._flags | (_RELATED if number else 0) | (0 if seals else _SIGNED)
            ours = self._ids if not number else (0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
            head = (_SMB, HEADER_SIZE, charge, 0, request.command, max(1, charge, wanted), flags)
            part = bytearray(size)
            _HEADER.pack_into(part, 0, *head, 0 if is_last else size, message_id, 0, *ours, b"")
            part[HEADER_SIZE : HEADER_SIZE + len(request.body)] = request.body
            if not seals:
                self._protection.sign(message_id, part)
            parts.append(part)
        data = b"".join(parts)
        return self._protection.seal(data) if seals else data

    def _write(self, data: bytes) -> None:
        try:
            self._socket.sendall(len(data).to_bytes(4, "big") + data)
        except OSError as error:
            raise self._break(error) from error
        except BaseException as error:  # a signal: half a message may be sent
            self._break(Lost(str(error)))
            raise

    def _read_until(self, is_done: Callable[[], bool], seconds: Optional[float] = None) -> None:
        end = self._clock() + (self._wait if seconds is None else min(seconds, self._wait))
        with self._changed:
            while not is_done():
                if self._broken is not None:
                    raise Lost(str(self._broken)) from self._broken
                if self._clock() >= end:
                    raise self._break(Lost("the answer did not come in time"))
                if self._is_reading:
                    self._changed.wait(max(0.0, end - self._clock()))
                else:
                    self._read_one()

    def _read_one(self) -> None:
        """Called with the lock, which it lets go of while it reads."""
        self._is_reading = True
        self._changed.release()
        try:
            answers = self._received()
        except BaseException as error:
            self._changed.acquire()
            self._is_reading = False
            lost = self._break(error)
            if isinstance(error, (OSError, Lost, Malformed)):
                raise lost from error
            raise
        self._changed.acquire()
        self._is_reading = False
        for message_id, answer in answers:
            waiting = self._waiting.pop(message_id, None)
            if waiting is None:
                raise self._break(Lost("an answer that came twice"))
            sent, number, _ = waiting
            sent.answers[number] = answer
            sent.left -= 1
        self._changed.notify_all()

    def _received(self) -> List[Tuple[int, Answer]]:
        """Read a message: the final answers in it."""
        (length,) = struct.unpack(">I", self._exactly(4))
        if length > MAX_MESSAGE:
            raise Lost(f"the server announces a message of {length} bytes")
        data = self._exactly(length)
        is_sealed = protection.is_sealed(data)
        if is_sealed:
            data = self._protection.opened(data)
        found = []
        for part in protection.parts(memoryview(data)):
            message_id, answer = self._checked(part, is_sealed)
            if answer is not None:
                found.append((message_id, answer))
        return found

    def _checked(self, part: memoryview, is_sealed: bool) -> Tuple[int, Optional[Answer]]:
        """None: an interim answer, or what nobody asked for."""
        magic, size, _, status, command, credits, _, _, message_id = _HEADER.unpack_from(part)[:9]
        if magic != _SMB or size != HEADER_SIZE:
            raise Lost("an answer that is not of SMB 2")
        if message_id == UNASKED:
            return message_id, None
        with self._changed:
            expected = self._waiting.get(message_id)
        if expected is None or expected[2] != command:
            raise Lost("an answer to a request that was not sent")
        if status != PENDING and not is_sealed:
            if self._protection.seals:
                raise Lost("an answer that is not encrypted")
            self._protection.verify(message_id, part)
        with self._changed:
            self._window["high"] += credits
        return message_id, None if status == PENDING else Answer(status, part)

    def _exactly(self, length: int) -> bytearray:
        data = bytearray(length)
        view, got = memoryview(data), 0
        end = self._clock() + self._wait
        while got < length:
            try:
                count = self._socket.recv_into(view[got:], 0, socket.MSG_WAITALL)
            except BlockingIOError:
                count = -1
            if count == 0:
                raise Lost("the server closed the connection")
            if count < 0 or self._clock() >= end:
                raise Lost("the answer did not come in time")
            got += count
        return data

    def _break(self, error: BaseException) -> Lost:
        """Nobody uses the channel any longer. Returns what to raise."""
        lost = error if isinstance(error, Lost) else Lost(str(error) or type(error).__name__)
        if self._broken is None:
            self._broken = lost
            with suppress(*SMB_ERRORS):
                self._connection.transport.close()
        with self._changed:
            self._changed.notify_all()
        return lost
