"""A run without a server: what is done stands in the log of its requestor."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Optional, Sequence

from fsrvpd.requestor.ctl.run_events import RunEvents
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.mount.mounts import Unshown
from fsrvpd.requestor.mount.problems import Found
from tests.unit.requestor.ctl.fake_requestor import FakeRequestor


class FakeWriters:
    """`at` is called in the step of its name, and may raise; nothing stays frozen."""

    def __init__(self, log: List[Any], at: Dict[str, Callable[[], object]]) -> None:
        self.is_frozen = False
        self._log, self._at = log, at

    def prepare(self) -> None:
        self._step("prepare")

    def freeze(self) -> None:
        self.is_frozen = True
        try:
            self._step("freeze")
        except BaseException:
            self.thaw()
            raise

    def thaw(self) -> None:
        self.is_frozen = False
        self._step("thaw")

    def complete(self) -> None:
        self._step("complete")

    def close(self) -> None:
        self._step("close")

    def _step(self, name: str) -> None:
        self._log.append(name)
        self._at.get(name, lambda: None)()


class FakeMounts:
    """A directory with one for a share. `unshown` is what it cannot show."""

    def __init__(
        self, directory: Path, log: List[Any], at: Dict[str, Callable[[], object]]
    ) -> None:
        self.unshown: Sequence[Unshown] = ()
        self._directory = directory
        self._log, self._at = log, at
        self._is_mounted = False

    def mount(self, created: object, job: str) -> Sequence[Path]:
        self._is_mounted = True
        point = self.directory_of(job) / "data"
        point.mkdir(parents=True, exist_ok=True)
        self._step("mount")
        return [point]

    def directory_of(self, job: str) -> Path:
        return self._directory / "mnt" / job

    def unmount(self) -> Sequence[Unshown]:
        if not self._is_mounted:
            return ()
        self._is_mounted = False
        self._step("unmount")
        return self.unshown

    def __enter__(self) -> FakeMounts:
        return self

    def __exit__(self, *error: object) -> None:
        self.unmount()

    def _step(self, name: str) -> None:
        self._log.append(name)
        self._at.get(name, lambda: None)()


def unshown(kind: str, number: int) -> Unshown:
    return Unshown("\\\\nas\\data", Found({kind: number}, ()))


class FakeParts:
    """Made once; the run that is tested gets it whenever it makes its parts."""

    def __init__(self, directory: Path) -> None:
        self.requestor = FakeRequestor()
        self.at: Dict[str, Callable[[], object]] = {}
        log = self.requestor.log
        self.writers: Optional[FakeWriters] = FakeWriters(log, self.at)
        self.mounts: Optional[FakeMounts] = FakeMounts(directory, log, self.at)
        self.events: Optional[RunEvents] = None
        self.store = SimpleNamespace(directory=directory)
        self._closed = False

    def __call__(self, settings: Any, job: str, output: object, events: RunEvents) -> FakeParts:
        self.requestor.report = events.note
        self.events = events
        self._closed = False
        if not settings.mount:
            self.mounts = None
        return self

    def complete(self, created: object) -> None:
        if self.writers:
            self.writers.complete()

    def close(self) -> None:
        if self.writers and not self._closed:
            self._closed = True
            self.writers.close()

    def __enter__(self) -> FakeParts:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def steps(self) -> List[str]:
        return [each if isinstance(each, str) else each[0] for each in self.requestor.log]


def refusing(text: str) -> Callable[[], object]:
    def refuse() -> object:
        raise RequestorError("nas", text, "look")

    return refuse
