"""What `smbcontrol fsrvpd …` and `smbcontrol all …` do."""

from __future__ import annotations

import logging
from functools import partial

from fsrvpd.daemon.administration import Administration
from fsrvpd.daemon.loop import READABLE, Loop
from fsrvpd.errors import FsrvpdError
from samba_hooks.messaging import Kind, Mailbox, Message, MessageBus

log = logging.getLogger("fsrvpd.bus")


class BusService:
    """Answers Samba's messages as Samba's own daemons do."""

    def __init__(self, loop: Loop, bus: MessageBus, administration: Administration) -> None:
        self._loop = loop
        self._bus = bus
        self._administration = administration
        for mailbox in bus.mailboxes:
            loop.add(mailbox.fileno(), READABLE, partial(self._on_ready, mailbox))

    def close(self) -> None:
        for mailbox in self._bus.mailboxes:
            self._loop.remove(mailbox.fileno())
        self._bus.close()

    def _on_ready(self, mailbox: Mailbox, events: int) -> None:
        message = mailbox.receive()
        if message is not None:
            log.debug("%s from process %d", message.kind.name, message.source.pid)
            self._take(message, mailbox)

    def _take(self, message: Message, mailbox: Mailbox) -> None:
        if message.kind is Kind.PING:
            mailbox.reply(message, Kind.PONG, message.data)
        elif message.kind is Kind.REQ_DEBUGLEVEL:
            text = f"all:{self._administration.debug_level}\n"
            mailbox.reply(message, Kind.DEBUGLEVEL, text.encode() + b"\0")
        elif message.kind is Kind.DEBUG:
            self._set_debug_level(message.text)
        elif message.kind is Kind.CONF_UPDATED:
            self._administration.reload()
        elif message.kind is Kind.SHUTDOWN:
            self._administration.shutdown()

    def _set_debug_level(self, text: str) -> None:
        """smbcontrol waits for no answer: what is wrong is said in the log."""
        try:
            self._administration.set_debug_level(text)
        except FsrvpdError as error:
            log.error("smbcontrol: %s", error)
