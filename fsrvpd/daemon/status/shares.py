"""Which shares can be copied now, and the space and the snapshots of their volumes.

Storage may hang, so it is asked in threads, and what it has not answered yet is said to be so.
One check runs at a time; who asks meanwhile gets what that one has found.
"""

from __future__ import annotations

import logging
import os
import time
from collections import defaultdict
from functools import partial
from typing import Callable, Iterable, NamedTuple, Optional, Protocol, Sequence

from fsrvpd.config.load import Configuration
from fsrvpd.daemon.bounded_calls import BoundedCalls, Call
from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.daemon.worker_threads import WorkerThreads
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.ports import FoundSnapshot, Share, ShareLocation
from fsrvpd.providers.selection import Selection
from fsrvpd.shares.volumes import WITHOUT_A_DIRECTORY

log = logging.getLogger("fsrvpd.status")

READY = "ready"
NOT_READY = "not-ready"
OFF = "off"  # nobody expects a copy of it
PENDING = "pending"  # its storage was not asked yet
SILENT = "silent"  # its storage does not answer

TICK = 0.5  # s without an answer of any storage, after which nobody waits for more
MOST = 8.0  # s that somebody waits at most
SILENCE = 5.0  # s without an answer of a storage until it counts as silent
LONGEST = 60.0  # s until the check gives up the storage that hangs


class ShareState(NamedTuple):
    share: str
    state: str
    reason: str = ""
    provider: str = ""
    volume: str = ""  # its root


class VolumeState(NamedTuple):
    """`kept` of its snapshots outlive their sets; the oldest of them was taken at `oldest_kept`,
    a Unix time."""

    volume: str
    free: int  # bytes
    size: int
    snapshots: int
    kept: int
    oldest_kept: Optional[float]


class Overview(NamedTuple):
    """`faults`: what is wrong in [global] of smb.conf, as it is now."""

    shares: Sequence[ShareState]
    volumes: Sequence[VolumeState]
    failure: str = ""  # why Samba could not be asked for its shares
    registry_shares: bool = True  # without them clients see no copy
    faults: Sequence[str] = ()


class Registry(Protocol):
    def shares(self) -> Sequence[Share]: ...


class Volumes(Protocol):
    def locate(self, share: Share) -> ShareLocation: ...

    def storage_of(self, share: Share) -> str: ...


class _Check:
    """One pass over all shares. Threads add to it; each entry is written once."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.listed = False  # Samba has said which shares there are
        self.ended = False
        self.failure = ""
        self.globals: Optional[Configuration] = None
        self.shares: dict[str, ShareState] = {}
        self.volumes: dict[str, VolumeState] = {}
        self.steps = 0
        self.storages: dict[str, str] = {}  # of shares that were not looked at yet
        self.answered_at: dict[str, float] = {}  # by storage

    def overview(self) -> Overview:
        now = time.monotonic()
        shares = [
            each._replace(state=SILENT) if self._is_silent(each, now) else each
            for each in list(self.shares.values())
        ]
        found = Overview(shares, list(self.volumes.values()), self.failure)
        if self.globals is None:
            return found
        on = self.globals.samba.registry_shares
        return found._replace(registry_shares=on, faults=self.globals.faults)

    def _is_silent(self, each: ShareState, now: float) -> bool:
        if each.state != PENDING:
            return False
        since = self.answered_at.get(self.storages[each.share], self.began)
        return self.ended or now - since > SILENCE


class ShareStates:
    """Belongs to the loop's thread; `read_globals` is called in another one. Raises: FsrvpdError
    when no thread can be started."""

    def __init__(
        self,
        loop: EventLoop,
        read_globals: Callable[[], Configuration],
        registry: Registry,
        volumes: Volumes,
        selection: Selection,
    ) -> None:
        self._loop = loop
        self._read_globals = read_globals
        self._registry = registry
        self._volumes = volumes
        self._selection = selection
        self._thread = WorkerThreads("status", most=1)
        self._calls = BoundedCalls("status")
        self._check: Optional[_Check] = None

    def close(self) -> None:
        self._thread.close()
        self._calls.close()

    def find(self, done: Callable[[Overview], None]) -> None:
        """Call back with what is found as long as storage answers."""
        check = self._check
        if check is None or check.ended:
            check = self._check = _Check()
            self._thread.submit(partial(self._run, check))
        began = self._loop.time()

        def wait(check: _Check, steps: int) -> None:
            stands_still = check.listed and check.steps == steps
            if check.ended or stands_still or self._loop.time() - began > MOST:
                done(check.overview())
            else:
                self._wait(check, wait)

        self._wait(check, wait)

    def _wait(self, check: _Check, go_on: Callable[[_Check, int], None]) -> None:
        """Wait for the end of a check, or for a tick."""
        steps, until = check.steps, self._loop.time() + TICK

        def poll() -> None:
            if check.ended or self._loop.time() >= until:
                go_on(check, steps)
            else:
                self._loop.call_later(0.02, poll)

        poll()

    # In threads.

    def _run(self, check: _Check) -> None:
        try:
            self._look(check)
        except FsrvpdError as error:
            check.failure = str(error)
        except Exception as error:
            log.exception("the shares could not be checked; please report this")
            check.failure = f"{type(error).__name__}: {error}"
        check.ended = True

    def _look(self, check: _Check) -> None:
        storages: defaultdict[str, list[Share]] = defaultdict(list)
        check.globals = self._read_globals()
        for share in self._registry.shares():
            if _is_off(share):
                check.shares[share.name] = ShareState(share.name, OFF)
                continue
            storage = check.storages[share.name] = self._volumes.storage_of(share)
            check.shares[share.name] = ShareState(share.name, PENDING, share.path)
            storages[storage].append(share)
        check.listed = True
        calls = {
            storage: Call(storage, partial(self._look_at, check, shares))
            for storage, shares in storages.items()
        }
        self._calls.results(calls, LONGEST)

    def _look_at(self, check: _Check, shares: Iterable[Share]) -> None:
        """All shares of one storage."""
        for share in shares:
            check.shares[share.name] = self._state(check, share)
            check.answered_at[check.storages[share.name]] = time.monotonic()
            check.steps += 1

    def _state(self, check: _Check, share: Share) -> ShareState:
        try:
            location = self._volumes.locate(share)
        except FsrvpdError as error:
            reason = str(error)
            prefix = f"share {share.name}: "
            reason = reason[len(prefix) :] if reason.startswith(prefix) else reason
            return ShareState(share.name, NOT_READY, reason)
        except Exception as error:
            log.exception("share %s could not be checked; please report this", share.name)
            return ShareState(share.name, NOT_READY, f"{type(error).__name__}: {error}")
        root = location.volume_root
        if root not in check.volumes:
            self._look_at_volume(check, location)
        return ShareState(share.name, READY, "", location.provider, root)

    def _look_at_volume(self, check: _Check, location: ShareLocation) -> None:
        root = location.volume_root
        try:
            space = os.statvfs(root)
            found = list(self._selection.provider(location.provider).find([root]))
        except (OSError, FsrvpdError) as error:
            log.debug("%s: %s", root, error)
            return
        kept = [each for each in found if each.keep]
        check.volumes[root] = VolumeState(
            root,
            space.f_bavail * space.f_frsize,
            space.f_blocks * space.f_frsize,
            len({each.snapshot for each in found}),
            len({each.snapshot for each in kept}),
            _oldest(kept),
        )


def _oldest(found: Sequence[FoundSnapshot]) -> Optional[float]:
    return min((each.snapshot.created for each in found), default=None)


def _is_off(share: Share) -> bool:
    if share.mistake:
        return False
    without = share.name.lower() in WITHOUT_A_DIRECTORY or share.refusal == "it is a printer"
    return without or not share.available or not share.settings.enabled
