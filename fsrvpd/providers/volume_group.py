"""The volume group of a volume: its thin pool, its snapshots, and the volume itself."""

from __future__ import annotations

import os
import re
from typing import Iterator, NamedTuple, Optional, Sequence

from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.providers import volume_manager as manager
from fsrvpd.providers.volume_manager import LogicalVolume, Tagged, VolumeId

_UUID = "[A-Za-z0-9]{6}(?:-[A-Za-z0-9]{4}){5}-[A-Za-z0-9]{6}"
_NAME = re.compile(rf"lvm:({_UUID}):({_UUID})")


class Group(NamedTuple):
    """As LVM tells it in one command; `known` is the volume of which it is the group."""

    known: VolumeId
    volumes: Sequence[LogicalVolume]

    def origin(self) -> LogicalVolume:
        return self._with_uuid(self.known.volume)

    def pool(self) -> LogicalVolume:
        return self._with_uuid(self.origin().pool)

    def named(self, name: str) -> Optional[LogicalVolume]:
        return next((volume for volume in self.volumes if volume.name == name), None)

    def snapshots(self, provider: str) -> Iterator[Tagged]:
        """Those of the volume that are ours."""
        for volume in self.volumes:
            own = manager.tagged(volume)
            if own and own.mark.provider == provider and own.mark.holder == self.known.volume:
                yield own

    def _with_uuid(self, uuid: str) -> LogicalVolume:
        for volume in self.volumes:
            if volume.uuid == uuid:
                return volume
        raise StorageError(self.known.volume, f"LVM knows no logical volume {uuid} in its group")


def group_of(volume_name: str, object: str) -> Group:
    """Raises: StorageError when it is not here."""
    known = parse_name(volume_name)
    if known is None:
        raise NotOurs(object, f"{volume_name} is no name of a logical volume")
    found = manager.volumes_of(known.group, object)
    if not found:
        raise StorageError(object, f"its volume group {known.group} is not here")
    return Group(known, found)


def name_of(root: int) -> str:
    """The volume on which an open directory lies, as `SharePlace.volume_name`."""
    known = manager.identify(os.fstat(root).st_dev)
    return str(known) if known else "no logical volume"


def parse_name(volume_name: str) -> Optional[VolumeId]:
    match = _NAME.fullmatch(volume_name)
    return VolumeId(match[1], match[2]) if match else None
