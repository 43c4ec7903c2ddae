"""From the share into the side file: security descriptors and alternate streams."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

from fsrvpd.requestor.copying.share import Share
from fsrvpd.requestor.copying.shortfalls import Shortfalls
from fsrvpd.requestor.copying.side_file import SideFile
from fsrvpd.requestor.copying.traversal import give_up_if_gone
from fsrvpd.requestor.files.records import FileFailure


class FactsKeeper:
    def __init__(self, share: Share, side: SideFile, shortfalls: Shortfalls) -> None:
        self._share, self._side, self._shortfalls = share, side, shortfalls

    def keep(
        self,
        id: int,
        path: str,
        descriptor: Optional[bytes] = None,
        streams: Optional[Sequence[Tuple[str, int]]] = None,
    ) -> None:
        """What is None is asked for. What is lacking is asked for again by the next run.
        Raises: FileFailure if the server is gone."""
        before = self._shortfalls.count
        try:
            if descriptor is None:
                descriptor = self._share.security_descriptor(path)
            self._side.set_descriptor(id, descriptor)
        except FileFailure as failure:
            self._lacks(path, "its security descriptor", failure)
        try:
            if streams is None:
                streams = self._share.streams(path)
        except FileFailure as failure:
            self._lacks(path, "its alternate streams", failure)
            return
        self._side.forget_streams(id)
        for name, _ in streams:
            self._keep_stream(id, path, name)
        if self._shortfalls.count == before:
            self._side.set_has_facts(id)

    def _keep_stream(self, id: int, path: str, name: str) -> None:
        try:
            name.encode()  # it becomes a key of the side file
            with self._share.open(path, name) as stream:
                self._side.add_to_stream(id, name, 0, b"")
                at = 0
                for data in stream.chunks():
                    self._side.add_to_stream(id, name, at, data)
                    at += len(data)
        except FileFailure as failure:
            self._lacks(f"{path}:{name}", "the stream", failure)
        except UnicodeEncodeError:
            self._shortfalls.add(f"{path}:{name}", "the name of the stream is not Unicode")

    def _lacks(self, path: str, what: str, failure: FileFailure) -> None:
        give_up_if_gone(self._share, failure)
        self._shortfalls.add(path, f"{what}: {failure.cause}")
