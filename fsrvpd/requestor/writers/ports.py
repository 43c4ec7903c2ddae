"""What a writer is, and what writers require of the packages above them.

A writer brings one application into a state of which a copy is worth something: it works ahead
(`prepare`), holds the application still (`freeze`), lets it go (`thaw`), and adds what the copy
needs (`complete`). `WriterGroup` calls it; the keeper thaws by its recipe when nobody else can.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Iterator, Mapping, NamedTuple, Optional, Protocol, Sequence, Type

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.ports import ShareRoot


class WriterFailed(RequestorError):
    """A writer could not do one of its steps. `object` is "writer NAME"."""

    def __init__(
        self, writer: str, cause: str, next_step: str = "", *, exit_status: Optional[int] = None
    ) -> None:
        super().__init__(f"writer {writer}", cause, next_step, exit_status=exit_status)


class ThawRecipe(NamedTuple):
    """What a process needs that knows nothing else, to thaw a writer: no secrets, plain JSON.

    `kind` chooses who reads `values` (recipes.py).
    """

    kind: str
    writer: str  # its name, for people
    values: Mapping[str, Any]


class Entry(Protocol):
    """What a writer asks of a file or directory."""

    @property
    def name(self) -> str: ...

    @property
    def is_directory(self) -> bool: ...

    @property
    def size(self) -> int: ...

    @property
    def file_id(self) -> int:
        """0 where the server has none."""


class OpenFile(Protocol):
    def read(self, offset: int, length: int) -> bytes: ...

    def __enter__(self) -> OpenFile: ...

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None: ...


class Tree(Protocol):
    r"""The files below a share; paths are relative, with `\` between components. Every method
    raises RequestorError, which has an `errno`. `files.FileTree` fulfils it."""

    def entry(self, path: str) -> Entry: ...

    def entries(self, path: str) -> Iterator[Entry]: ...

    def open(self, path: str) -> OpenFile: ...


class SharedTree(NamedTuple):
    """A share of the set, or the copy of one: `root` is the share that was asked for."""

    root: ShareRoot
    tree: Tree


class Writer(Protocol):
    """One application. Every method raises WriterFailed, or another RequestorError.

    Writers of a lower priority are frozen first and thawed last. The run fails with a writer that
    is `required`; one that is not is left out when it fails. `timeout`: seconds for its freeze.
    """

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def priority(self) -> int: ...

    @property
    def required(self) -> bool: ...

    @property
    def timeout(self) -> float: ...

    def prepare(self) -> None:
        """Slow work, before the servers are asked to prepare. Nothing is held still yet."""

    def freeze(self) -> None:
        """Hold the application still; it is when this returns."""

    def thaw(self) -> None:
        """Let it go; it is verified when this returns. It is called once for each freeze that was
        begun, also for one that has failed, or that still runs in another thread; then it is
        called again when that has ended."""

    def complete(self, copies: Sequence[SharedTree]) -> None:
        """Once the copies are there and all is thawed: add what they need, and look whether they
        can be used."""

    def thaw_recipe(self) -> Optional[ThawRecipe]:
        """For the keeper and `clean`. None where nothing stays frozen without this process."""

    def close(self) -> None:
        """End what the writer has started, and remove what it has made. Raises nothing, and may be
        called twice."""


class Keeper(Protocol):
    """A process of its own that thaws when this one cannot."""

    def start(self, recipes: Sequence[ThawRecipe]) -> None:
        """Before the servers prepare. Raises: RequestorError; then nothing may be frozen."""

    def freezing(self, seconds: float) -> None:
        """Just before the first freeze: from now on it thaws by all recipes when this process has
        ended, or after `seconds`; what `clean` needs for the same is on the disk when this returns.
        Raises: RequestorError; then nothing may be frozen."""

    def thawed(self) -> None:
        """Everything is thawed, and verified: it ends, and nothing is left to clean. Raises
        nothing."""

    def close(self) -> None:
        """It ends; if it was not told `thawed` it thaws first. Raises nothing."""
