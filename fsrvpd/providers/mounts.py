"""What the providers ask of the mount table."""

from __future__ import annotations

from typing import Protocol, Sequence


class Mount(Protocol):
    @property
    def mount_point(self) -> str: ...

    @property
    def kind(self) -> str: ...


class Mounts(Protocol):
    def covering(self, path: str) -> Mount:
        """The mount on which an absolute path without symbolic links lies."""

    def below(self, path: str) -> Sequence[Mount]:
        """The mounts that begin below a directory, itself not counted."""
