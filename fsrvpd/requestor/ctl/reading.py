"""What `tar` and `copy` have in common: a set of one share for as long as it is read, what could
not be read, and how that ends."""

from __future__ import annotations

import hashlib
import sys
from contextlib import contextmanager
from typing import Callable, Iterator, List, NamedTuple, Optional

from fsrvpd.requestor.copying.counting import Counting
from fsrvpd.requestor.copying.progress import Progress
from fsrvpd.requestor.copying.shortfalls import Shortfall, Shortfalls
from fsrvpd.requestor.copying.totals import Totals
from fsrvpd.requestor.ctl.creation import make_set, tell
from fsrvpd.requestor.ctl.exit_status import EXIT_DONE, EXIT_FAILED, EXIT_INCOMPLETE
from fsrvpd.requestor.ctl.opening import names_of, open_connector, open_requestor
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.ctl.settings import Settings
from fsrvpd.requestor.ctl.signals import Signals
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.events import Event
from fsrvpd.requestor.files.many import Workers
from fsrvpd.requestor.files.tree import FileTree
from fsrvpd.requestor.ports import ShareRoot
from fsrvpd.requestor.sets.shadow_copy_set import ShadowCopySet
from fsrvpd.requestor.smb.connector import SmbConnector
from fsrvpd.requestor.smb.session import SmbSession

_NAMED = 10  # files in the last line; each had a line of its own
_GONE = "the server has removed the copy before all was read"
_KEEP = "let the server keep copies for longer (on fsrvpd's: `fsrvpd:auto release max age`)"


class Report:
    """What a copy lacks, and its progress bar, which only a terminal gets."""

    def __init__(self, output: Output, event: str, share: str) -> None:
        self._output, self._event, self._share = output, event, share
        self._first: List[str] = []
        self.totals = Totals(self._moved)
        self.shortfalls = Shortfalls(self._lacks)
        shown = sys.stderr.isatty() and not output.as_json
        self.progress = Progress(sys.__stderr__, self.totals) if shown and sys.__stderr__ else None

    def status(self) -> int:
        """Says how many files are lacking."""
        if not self.shortfalls.count:
            return EXIT_DONE
        more = self.shortfalls.count - len(self._first)
        names = ", ".join(self._first) + (f" and {more} more" if more else "")
        error = RequestorError(
            self._share, f"incomplete: {self.shortfalls.count} problems: {names}", "see above"
        )
        return self._output.failed(error, EXIT_INCOMPLETE)

    def clear(self) -> None:
        if self.progress:
            self.progress.clear()

    def _moved(self) -> None:
        if self.progress:
            self.progress.moved()

    def _lacks(self, shortfall: Shortfall) -> None:
        self.clear()
        if len(self._first) < _NAMED:
            self._first.append(shortfall.path or "the directory itself")
        self._output.lacks(self._event, self._share, shortfall.path, shortfall.cause)


class Server(NamedTuple):
    """Who connects, and the share that is meant."""

    connector: SmbConnector
    root: ShareRoot

    @property
    def source(self) -> str:
        """The whole UNC, in the form that is always the same."""
        return f"{self.root.unc}\\{self.root.prefix}" if self.root.prefix else self.root.unc

    def tree(self, share: str, host: Optional[str] = None) -> FileTree:
        """Of the live share, or of a copy, which another node of the server may have."""
        return FileTree(self.connect(host or self.root.host), share, self.root.prefix)

    def connect(self, host: str) -> Callable[[], SmbSession]:
        return lambda: self.connector.new_session(host)


def server_of(settings: Settings, share: str, signals: Signals) -> Server:
    """May ask for a password. Raises: RequestorError, Interrupted."""
    with signals.interrupting():
        connector = open_connector(settings)
        return Server(connector, names_of(settings, connector).resolve(share))


class Copy(NamedTuple):
    """A share as it was at one moment."""

    tree: FileTree
    workers: Workers


def read_copy(
    settings: Settings,
    server: Server,
    signals: Signals,
    output: Output,
    report: Report,
    work: Callable[[Copy], object],
    *,
    job: str,
) -> int:
    """Make a set, do `work` with its copy, delete the set whatever happens. Returns the status.

    Raises: RequestorError, Interrupted.
    """
    gone: List[Event] = []

    def note(event: Event) -> None:
        if event.name == "snapshot-gone":
            gone.append(event)

    with signals.interrupting():
        requestor = open_requestor(settings, output, note, connector=server.connector)
    created = make_set(requestor, settings, signals, output, job=job)
    try:
        gone.clear()  # those of an earlier run, which was cleaned up
        tell(created, output)
        with signals.interrupting(), _opened(created, server, report) as copy:
            work(copy)
    except RequestorError as error:
        report.clear()
        return output.failed(error, _delete(created, output) or error.exit_status)
    except BaseException:
        report.clear()
        _delete(created, output)
        raise
    report.clear()
    status = _delete(created, output)
    if gone and status == EXIT_DONE:
        status = output.failed(RequestorError(created.id, _GONE, _KEEP), EXIT_FAILED)
    signals.check()
    return status or report.status()


@contextmanager
def _opened(created: ShadowCopySet, server: Server, report: Report) -> Iterator[Copy]:
    """The workers come first: a process that is forked has no thread but one."""
    copy = created.copies[0]
    host, _, share = copy.unc[2:].partition("\\")
    with Workers(server.connect(host), share, server.root.prefix) as workers:
        tree = server.tree(share, host)
        try:
            with _counted(server.tree(share, host), report.progress):
                yield Copy(tree, workers)
        finally:
            tree.close()


@contextmanager
def _counted(tree: FileTree, progress: Optional[Progress]) -> Iterator[None]:
    """How much there is, for whoever watches."""
    if progress is None:
        yield
        return

    def found(size: int) -> None:
        progress.expected = size

    counting = Counting(tree, found)
    counting.start()
    try:
        yield
    finally:
        tree.close()
        counting.stop()


def _delete(created: ShadowCopySet, output: Output) -> int:
    """The status."""
    try:
        created.delete()
    except RequestorError as error:
        return output.failed(error, error.exit_status)
    return EXIT_DONE


def job_of(*words: str) -> str:
    """The same command for the same share is the same job."""
    digest = hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{words[0]}-{digest}"
