"""One node of a cluster: serves the pipe whoever leads, and is the agent when it leads itself.

The pipe, its clients and what they have asked stay when this node's agent begins to lead. When it
leads no more the whole process begins anew, since all that it remembers may be wrong.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import time
from typing import Callable, Mapping, Optional, Sequence

from fsrvpd.cluster import events, wire
from fsrvpd.cluster.forward import CallReceiver, Forwarder
from fsrvpd.cluster.guard import SpaceGuard, differences
from fsrvpd.cluster.membership import Membership, OwnState
from fsrvpd.cluster.wire import ForwardedAnswer, ForwardedCall, MountAnswer, MountRequest
from fsrvpd.config.load import Configuration
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.core.messages import Guid, Response
from fsrvpd.daemon.agent_service import OfCluster
from fsrvpd.daemon.cluster.admins import DoorAdmins
from fsrvpd.daemon.cluster.exports import ExportsEverywhere, OrdersOfLeader
from fsrvpd.daemon.cluster.joined import JoinedAgents
from fsrvpd.daemon.cluster.link import CtdbLink
from fsrvpd.daemon.cluster.orders import MountOrders
from fsrvpd.daemon.components import Components
from fsrvpd.daemon.control.admin_actions import AdminActions, LogLevel
from fsrvpd.daemon.daemon import (
    Daemon,
    Door,
    make_authenticator,
    make_pid_file,
    own_names_of,
    serve_pipe,
)
from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.daemon.log.events import is_wanted, report
from fsrvpd.errors import ConfigError, FsrvpdError, StoreError, Superseded
from fsrvpd.exports.mounts import Exports, OpenShare, ShareOf
from fsrvpd.protocol.actions import Call, CallHandler
from fsrvpd.protocol.cluster import Ballot
from fsrvpd.protocol.exports import Export
from fsrvpd.protocol.hresult import name_of
from fsrvpd.samba_command_line import state_folder
from fsrvpd.shares.resolver import ShareResolver
from fsrvpd.store.ctdb.store import CtdbStore
from samba_hooks.ctdb.connection import SOCKET
from samba_hooks.registry.client import RegistryClient
from samba_hooks.registry.open_registry import Registry

log = logging.getLogger("fsrvpd.cluster")

TICK = 0.5  # s between looks at calls that wait
_CHECKSUM = 16  # characters


class SwitchedHandler:
    """A `CallHandler` that can be exchanged while clients are connected."""

    def __init__(self, handler: CallHandler) -> None:
        self.handler = handler

    def call(self, call: Call) -> None:
        self.handler.call(call)

    def refuse(self, call: Call, result: int, reason: str) -> None:
        self.handler.refuse(call, result, reason)


class ClusterState:
    """The cluster's store as the daemon of the leader uses it."""

    confirms_answers = True

    def __init__(
        self, store: CtdbStore, close: Callable[[], None], on_superseded: Callable[[], None]
    ) -> None:
        """Right after a claim. Raises: StoreError."""
        self._on_superseded = on_superseded
        self.id = store.id
        self.load = store.load
        self.close = close
        self._store = store
        self._kept = store.kept()

    def submit(
        self,
        changes: Sequence[tuple[Guid, Optional[str]]],
        *,
        durable: bool,
        done: Callable[[Optional[StoreError]], None],
    ) -> None:
        def written(failure: Optional[StoreError]) -> None:
            done(failure)
            if isinstance(failure, Superseded):
                self._on_superseded()

        self._store.submit(changes, durable=durable, done=written)

    def kept(self) -> Mapping[str, bool]:
        return self._kept

    def keep(self, changes: Mapping[str, Optional[bool]]) -> None:
        """It is not waited for: what fails is logged."""
        self._store.keep(changes, self._kept_copies_written)

    def _kept_copies_written(self, failure: Optional[StoreError]) -> None:
        if failure is not None:
            report(log, "state-not-written", f"which copies are kept: {failure}")


class ClusterNode:
    """Raises: FsrvpdError when it cannot start. It starts without ctdbd, and waits for it."""

    def __init__(
        self,
        registry: Registry,
        configuration: Configuration,
        level: LogLevel,
        components: Components,
    ) -> None:
        self.begins_anew = False  # the process is to, when the loop has ended
        if not isinstance(registry, RegistryClient):
            raise ConfigError(
                "`fsrvpd:one agent` needs Samba's library libsmbconf, which cannot be loaded:"
                " install the package that has it (samba-libs), or remove the option"
            )
        self._registry = registry
        self._configuration = configuration
        self._level = level
        self._components = components
        folder = state_folder(configuration.samba.state_directory)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._pid_file = make_pid_file(configuration)
        self.loop = loop = EventLoop()
        self._agent: Optional[Daemon] = None
        self._receiver: Optional[CallReceiver] = None
        self._told: set[tuple[str, str]] = set()  # differences of other agents, as was logged
        self._resolver = ShareResolver(registry, own_names_of(configuration))
        self._authenticator = make_authenticator(loop, configuration, registry)
        self._join(secrets.token_hex(8))
        self._orders_of_leader = OrdersOfLeader(
            loop,
            components.exports(self._open_share, registry.share),
            lambda: self._membership.pnn,
            lambda node, answer: self._link.send(node, wire.encode(answer)),
        )
        self._selection = components.selection(LiveMounts(), registry, folder)
        self._joined: Optional[JoinedAgents] = None
        self.server = serve_pipe(
            loop, configuration, self._authenticator, self._resolver, self._handler
        )
        self._admins: Optional[DoorAdmins] = DoorAdmins(
            loop, registry, configuration, level, self._apply, self._who_leads
        )
        self._membership.start()
        self._link.open()
        self._tick()

    def _join(self, nonce: str) -> None:
        """`nonce` names this process among all agents."""
        self._nonce = nonce
        self._link = CtdbLink(
            self.loop,
            SOCKET,
            nonce,
            lambda data: self._membership.take_message(data),
            lambda event: self._membership.take_event(event),
            lambda pnn: self._membership.last_words(pnn),
        )
        clock = self.loop.time
        self._membership = Membership(nonce, self._link, self, self._own_state, self.loop, clock)
        self._forwarder = Forwarder(
            nonce, lambda: self._membership.pnn, self._link.send, self._answered, clock
        )
        self._handler = SwitchedHandler(self._forwarder)
        self._orders = MountOrders(
            nonce,
            lambda: self._membership.pnn,
            lambda: self._membership.active_peers(),
            self._link.send,
        )

    @property
    def administration(self) -> AdminActions:
        if self._agent is not None:
            return self._agent.administration
        if self._admins is None:
            raise FsrvpdError("this node is about to lead")
        return self._admins.actions

    def close(self) -> None:
        """Others take over when the connection to ctdbd is closed, which comes last."""
        self._orders_of_leader.close()
        if self._joined is not None:
            self._joined.close()
        if self._agent is not None:
            self._agent.close()
            return
        if self._admins is not None:
            self._admins.close()
        self.server.close()
        self._authenticator.close()
        self._link.close()
        self.loop.close()
        self._pid_file.remove()

    # What follows from its place.

    def lead(self, ballot: Ballot) -> None:
        report(log, "leads", "", term=ballot.term, node=ballot.node)
        try:
            self._start_agent(ballot)
        except Exception as error:
            if not isinstance(error, FsrvpdError):
                log.exception("the agent could not be started; please report this")
            self.step_down(f"the agent could not be started: {error}")
            return
        self._membership.serves()

    def _start_agent(self, ballot: Ballot) -> None:
        """Raises: FsrvpdError."""
        store = self._link.store
        if store is None:
            raise StoreError("ctdbd is gone")
        self._registry.warrant = self._link.warrant(ballot)
        self._registry.barrier()  # what an earlier leader had begun is done, or will be refused
        cluster = OfCluster(
            ClusterState(store, self._link.close, self._superseded),
            self._link.life(),
            self._exports_everywhere,
        )
        if self._admins is not None:
            self._admins.close()
            self._admins = None
        door = Door(
            self.loop,
            self._pid_file,
            self._resolver,
            self._authenticator,
            self.server,
            self._membership.own_names,
            cluster,
        )
        self._agent = Daemon(
            self._registry, self._configuration, self._level, self._components, door
        )
        driver = SpaceGuard(self._agent.driver, self._membership.active_members)
        self._receiver = CallReceiver(
            self._nonce, driver, self._link.send, self._membership.is_there, self.loop.time
        )
        self._handler.handler = driver
        self._joined = JoinedAgents(self.loop, self._orders, self._exports, self._agent.exports)
        for call in self._forwarder.release():
            driver.call(call)

    def _exports_everywhere(self, open_share: OpenShare, share_of: ShareOf) -> Exports:
        self._exports = ExportsEverywhere(self.loop, self._orders, open_share, share_of)
        return self._exports

    def _open_share(self, export: Export) -> int:
        provider = self._selection.provider(export.snapshot.provider)
        return provider.open_share(export.snapshot, export.path)

    def follow(self, ballot: Ballot, version: int) -> None:
        report(log, "follows", "", term=ballot.term, node=ballot.node)
        self._forwarder.follow(ballot, version)

    def hold(self, why: str) -> None:
        report(log, "no-leader", why)
        self._forwarder.hold(why)

    def refuse(self, why: str) -> None:
        report(log, "outside-cluster", f"every call is refused: {why}")
        self._forwarder.reject(why)

    def step_down(self, why: str) -> None:
        report(log, "superseded", f"the process begins anew: {why}")
        self._forwarder.reject(why)
        self._handler.handler = self._forwarder
        self._receiver = self._joined = None
        if self._link.store is not None:
            self._link.store.end(Superseded(why))
        self.begins_anew = True
        self.loop.stop()

    def members_changed(self) -> None:
        self._orders.members_changed()
        names = own_names_of(self._configuration) | self._membership.own_names()
        self._resolver.set_own_names(names)
        this = self._membership.own_here()
        for here in self._membership.peers():
            for event, text in differences(this, here):
                if (here.nonce, event) not in self._told:
                    self._told.add((here.nonce, event))
                    report(log, event, text)

    def _superseded(self) -> None:
        self._membership.take_event(events.Superseded())

    def take_call(self, call: ForwardedCall) -> None:
        if self._receiver is not None:
            self._receiver.take(call)

    def take_mount_request(self, request: MountRequest) -> None:
        """One of who leads no more is dropped: what it remembers may be wrong."""
        try:
            holder = self._link.holder()
        except StoreError as error:
            log.debug("an order about mounts was dropped: %s", error)
            return
        if holder is not None and holder.nonce == request.request.nonce:
            self._orders_of_leader.take(request)

    def take_mount_answer(self, answer: MountAnswer) -> None:
        self._orders.take(answer)

    def take_answer(self, answer: ForwardedAnswer) -> None:
        self._forwarder.take(answer)

    def _own_state(self) -> OwnState:
        given = self._configuration.samba.options
        text = repr(sorted((space, sorted(values.items())) for space, values in given.items()))
        checksum = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
        names = frozenset(own_names_of(self._configuration))
        return OwnState(names, time.time(), self._link.free_space(), checksum[:_CHECKSUM])

    def _who_leads(self) -> str:
        leader = self._membership.leader
        return "no node leads yet" if leader is None else f"node {leader.node} leads: ask there"

    def _apply(self, configuration: Configuration) -> None:
        """Of a door: a new configuration is in force."""
        self._configuration = configuration
        self._authenticator.configure(configuration.settings.requirement)
        self.members_changed()

    def _tick(self) -> None:
        self._forwarder.tick()
        self._orders.members_changed()
        if self._joined is not None:
            self._joined.look(self._membership.active_peers())
        self.loop.call_later(TICK, self._tick)

    def _answered(self, call: Call, response: Response, reason: str) -> None:
        event = "call-refused" if response.result else "call"
        if is_wanted(log, event):
            leader = self._membership.leader
            report(
                log,
                event,
                reason,
                opnum=int(call.opnum),
                method=call.opnum.name,
                result=name_of(response.result),
                client=call.caller.address,
                account=call.caller.account,
                sid=call.caller.user_sid or "-",
                ms=(self.loop.time() - call.received_at) * 1000,
                leader="-" if leader is None else leader.node,
            )
        call.reply_to.reply(call, response)
