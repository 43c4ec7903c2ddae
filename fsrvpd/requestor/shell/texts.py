"""What DISKSHADOW prints, character by character: scripts read it. No I/O.

The texts are those of Microsoft's descriptions of VSS for SMB file shares, the tabs those of
published output of DISKSHADOW. Names come from servers and are escaped, one line each.
"""

from __future__ import annotations

import time
import uuid
from typing import Iterator, NamedTuple, Optional, Sequence

from fsrvpd.core.messages import Guid
from fsrvpd.protocol.context import (
    ATTR_NO_AUTO_RELEASE,
    ATTR_NO_WRITERS,
    ATTR_PERSISTENT,
)
from fsrvpd.terminal import one_line

PROMPT = "DISKSHADOW> "
ECHO = "-> "
NO_ALIAS = "<No Alias>"
SHADOW_ALIAS = "VSS_SHADOW_{}"  # by the number of the copy in its set, from 1
SET_ALIAS = "VSS_SHADOW_SET"
PROVIDER_ID = "{89300202-3cec-4981-9171-19f59559e0f2}"  # of the File Share Shadow Copy Provider
ATTR_FILE_SHARE = 0x04000000  # VSS_VOLSNAP_ATTR_FILE_SHARE, which DISKSHADOW adds to the context
OVERWRITTEN = "The existing file will be overwritten."
NOT_ENDED = "Note: END BACKUP was not commanded, writers not notified BackupComplete."

_ALL = "Querying all shadow copies on the computer ..."
_OF_SET = "Querying all shadow copies with the shadow copy set ID {}"
_OF_ID = "Querying the shadow copy with the shadow copy ID {}"
_WORDS = (  # of attributes, in DISKSHADOW's order
    (ATTR_PERSISTENT, "Persistent"),
    (ATTR_NO_WRITERS, "No_Writers"),
    (ATTR_FILE_SHARE, "FileShare"),
)


class ListedCopy(NamedTuple):
    """A shadow copy as it is listed. IDs are in `shown_guid`'s form."""

    copy_id: str
    set_id: str
    copies_in_set: int
    volume: str  # the root of the share: \\server\share, without a backslash at its end
    created: float  # s since 1970-01-01 UTC
    device: str  # the shadow copy share, as it is opened
    server: str  # whose agent made it
    context: int
    prefix: str = ""  # the directory that was named in the share

    @property
    def attributes(self) -> int:
        return self.context | ATTR_FILE_SHARE


def shown_guid(guid: Guid) -> str:
    """With lower-case digits: {7b53b887-…}."""
    return f"{{{uuid.UUID(bytes_le=guid)}}}"


def shown_volume(unc: str) -> str:
    r"""The name of a volume: \\SMBSOFS\VM\."""
    return "".join(map(_upper, one_line(unc).rstrip("\\"))) + "\\"


def _upper(character: str) -> str:
    """As Windows does it, one character for one."""
    upper = character.upper()
    return upper if len(upper) == 1 else character


def shown_time(seconds: float) -> str:
    """In local time: 5/30/2012 5:35:52 PM."""
    at = time.localtime(seconds)
    half = "PM" if at.tm_hour >= 12 else "AM"
    hour = at.tm_hour % 12 or 12
    return f"{at.tm_mon}/{at.tm_mday}/{at.tm_year} {hour}:{at.tm_min:02}:{at.tm_sec:02} {half}"


def banner(version: str, machine: str, seconds: float) -> str:
    return (
        f"fsrvpshadow shell {version}: the words of DISKSHADOW for shares of SMB servers\n"
        f"On computer:  {one_line(machine)},  {shown_time(seconds)}\n"
    )


def echo(line: str) -> str:
    return ECHO + one_line(line)


def alias_value(name: str, value: str) -> str:
    """Printed for each alias that a line uses."""
    return f"{ECHO}%{one_line(name)}% = {one_line(value)}"


def alias_set(name: str, kind: str, value: str) -> str:
    """`kind` is "shadow" or "shadow set"."""
    return f"Alias {one_line(name)} for {kind} ID {value} set as environment variable."


def attribute_words(attributes: int) -> str:
    release = "No_Auto_Release" if attributes & ATTR_NO_AUTO_RELEASE else "Auto_Release"
    return " ".join([release, *(word for bit, word in _WORDS if attributes & bit)])


def query(kind: str, value: str = "") -> str:
    """What is listed: "all", or a set or a copy by its ID."""
    return {"all": _ALL, "set": _OF_SET, "id": _OF_ID}[kind].format(value)


def listing(copies: Sequence[ListedCopy], aliases: dict[str, str], machine: str) -> str:
    """The blocks of properties and their number. `aliases` are names by the ID that they have as
    their value, `machine` the name of this computer."""
    blocks = "".join(f"{block(copy, aliases, machine)}\n\n" for copy in copies)
    return f"\n{blocks}Number of shadow copies listed: {len(copies)}"


def block(copy: ListedCopy, aliases: dict[str, str], machine: str) -> str:
    return "\n\t\t- ".join(_properties(copy, aliases, machine))


def _properties(copy: ListedCopy, aliases: dict[str, str], machine: str) -> Iterator[str]:
    yield f"\t* Shadow copy ID = {copy.copy_id}\t\t{_alias(aliases.get(copy.copy_id))}"
    yield f"Shadow copy set: {copy.set_id}\t{_alias(aliases.get(copy.set_id))}"
    yield f"Original count of shadow copies = {copy.copies_in_set}"
    yield f"Original volume name: {shown_volume(copy.volume)} [volume not on this machine]"
    yield f"Creation time: {shown_time(copy.created)}"
    yield f"Shadow copy device name: {one_line(copy.device)}"
    yield f"Originating machine: {one_line(copy.server)}"
    yield f"Service machine: {one_line(machine)}"
    yield "Not exposed"
    yield f"Provider ID: {PROVIDER_ID}"
    yield f"Attributes:  {attribute_words(copy.attributes)}"


def _alias(name: Optional[str]) -> str:
    return f"%{one_line(name)}%" if name else NO_ALIAS


def deleting(copy: ListedCopy) -> str:
    return (
        f"Deleting shadow copy {copy.copy_id} on volume {shown_volume(copy.volume)} "
        f"from provider {PROVIDER_ID} [Attributes: {copy.attributes:#010x}]..."
    )


def deleted(number: int) -> str:
    return f"\nNumber of shadow copies deleted: {number}"


def including(writer: str, components: Sequence[str]) -> str:
    lines = [f'* Including writer "{one_line(writer)}":']
    return "\n".join(
        [*lines, *(f"\t+ Adding component: \\{one_line(each)}" for each in components)]
    )


def left_out(writer: str, reason: str) -> str:
    return one_line(f'Excluding writer "{writer}", because it has failed: {reason}')


def providers(version: str) -> str:
    return "\n".join(
        [
            f"* ProviderID: {PROVIDER_ID}",
            "\tType: [4] VSS_PROV_FILESHARE",
            "\tName: fsrvpshadow, the File Share Shadow Copy Provider's part of MS-FSRVP",
            f"\tVersion: {version}",
            "1 provider registered.",
        ]
    )
