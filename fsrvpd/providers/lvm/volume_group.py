"""The volume group of a volume: its thin pool, its snapshots, and the volume itself."""

from __future__ import annotations

import errno
import os
import re
from typing import Iterator, NamedTuple, Optional, Sequence

from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.providers.catalog.marker import SnapshotMarker
from fsrvpd.providers.lvm import lvm_commands
from fsrvpd.providers.lvm.lvm_commands import LogicalVolume, VolumeId, marker_from_tags

_UUID = "[A-Za-z0-9]{6}(?:-[A-Za-z0-9]{4}){5}-[A-Za-z0-9]{6}"
_NAME = re.compile(rf"lvm:({_UUID}):({_UUID})")


class VolumeGroup(NamedTuple):
    """The group of the volume `origin_id`, as one LVM command reports it."""

    origin_id: VolumeId
    volumes: Sequence[LogicalVolume]

    def origin(self) -> LogicalVolume:
        return self._with_uuid(self.origin_id.volume)

    def pool(self) -> LogicalVolume:
        return self._with_uuid(self.origin().pool)

    def refuse_full_pool(self, limit: float, object: str) -> None:
        """Raises: StorageError when the thin pool is `limit` per cent full or more."""
        pool = self.pool()
        for what, fill in (("data", pool.data_percent), ("metadata", pool.metadata_percent)):
            if fill >= limit:
                raise StorageError(
                    object,
                    f"the {what} of its thin pool {pool.path} is {fill:g}% full, and no snapshot"
                    f" is taken from {limit:g}% on (fsrvp:pool limit): delete snapshots, or extend"
                    " the pool with lvextend",
                    error_number=errno.ENOSPC,
                )

    def named(self, name: str) -> Optional[LogicalVolume]:
        return next((volume for volume in self.volumes if volume.name == name), None)

    def markers(self, provider: str) -> Iterator[SnapshotMarker]:
        """The markers of the snapshots that the provider took of the origin."""
        for volume in self.volumes:
            marker = marker_from_tags(volume)
            if marker and (marker.provider, marker.source) == (provider, self.origin_id.volume):
                yield marker

    def _with_uuid(self, uuid: str) -> LogicalVolume:
        for volume in self.volumes:
            if volume.uuid == uuid:
                return volume
        raise StorageError(self.origin_id.volume, f"its group has no logical volume {uuid}")


def group_of(volume_name: str, object: str) -> VolumeGroup:
    """The group of a volume. Raises: StorageError when it is missing."""
    volume_id = parse_volume_name(volume_name)
    if volume_id is None:
        raise NotOurs(object, f"{volume_name} is no name of a logical volume")
    volumes = lvm_commands.volumes_of(volume_id.group, object)
    if not volumes:
        raise StorageError(object, f"its volume group {volume_id.group} is missing")
    return VolumeGroup(volume_id, volumes)


def volume_name_of(root: int) -> str:
    """The volume that holds an open directory, as `ShareLocation.volume_name`."""
    volume_id = lvm_commands.identify(os.fstat(root).st_dev)
    return str(volume_id) if volume_id else "no logical volume"


def parse_volume_name(volume_name: str) -> Optional[VolumeId]:
    match = _NAME.fullmatch(volume_name)
    return VolumeId(match[1], match[2]) if match else None
