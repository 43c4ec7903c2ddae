"""What `smbcontrol fsrvpd …` and `smbcontrol all …` do."""

from __future__ import annotations

import logging
from functools import partial

from fsrvpd.daemon.control.admin_actions import AdminActions
from fsrvpd.daemon.event_loop import READABLE, EventLoop
from fsrvpd.errors import FsrvpdError
from samba_hooks.messaging import Kind, Mailbox, Message, MessageBus

log = logging.getLogger("fsrvpd.smbcontrol")


class SmbcontrolService:
    """Answers Samba's messages as Samba's daemons do."""

    def __init__(self, loop: EventLoop, bus: MessageBus, actions: AdminActions) -> None:
        self._loop = loop
        self._bus = bus
        self._actions = actions
        for mailbox in bus.mailboxes:
            loop.register(mailbox.fileno(), READABLE, partial(self._on_ready, mailbox))

    def close(self) -> None:
        for mailbox in self._bus.mailboxes:
            self._loop.unregister(mailbox.fileno())
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
            text = f"all:{self._actions.debug_level}\n"
            mailbox.reply(message, Kind.DEBUGLEVEL, text.encode() + b"\0")
        elif message.kind is Kind.DEBUG:
            self._set_debug_level(message.text)
        elif message.kind is Kind.CONF_UPDATED:
            self._actions.reload()
        elif message.kind is Kind.SHUTDOWN:
            self._actions.shutdown()

    def _set_debug_level(self, text: str) -> None:
        """smbcontrol expects no answer, so an error is logged."""
        try:
            self._actions.set_debug_level(text)
        except FsrvpdError as error:
            log.error("smbcontrol: %s", error)
