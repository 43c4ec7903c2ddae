"""The last refusals, so many that nobody hides another's: a few of each account."""

from __future__ import annotations

from collections import Counter
from typing import Iterable, Mapping, Tuple

from fsrvpd.daemon.log.events import Event, Field
from fsrvpd.protocol.model import LOCAL, shown_client
from fsrvpd.store.history_records import RefusalRecord, limited

MOST = 200
MOST_OF_ACCOUNT = 20
NEXT = "next: "

_Key = Tuple[str, ...]


class LastRefusals:
    """The oldest first. Refusals that say the same are one, with a number."""

    def __init__(self) -> None:
        self._records: dict[_Key, RefusalRecord] = {}
        self._accounts: Counter[str] = Counter()

    def all(self) -> list[RefusalRecord]:
        return list(self._records.values())

    def resume(self, earlier: Iterable[RefusalRecord]) -> None:
        """Put those of the last run before those of this one."""
        later, self._records = self.all(), {}
        self._accounts.clear()
        for record in (*earlier, *later):
            self.add(record)

    def add(self, record: RefusalRecord) -> None:
        key = _key(record)
        known = self._records.pop(key, None)
        if known is None:
            self._make_room(record.account)
            self._accounts[record.account] += 1
        else:
            record = record._replace(first=known.first, times=known.times + record.times)
        self._records[key] = record

    def _make_room(self, account: str) -> None:
        """Forget the oldest of an account that has too many, or of the one with the most."""
        if self._accounts[account] >= MOST_OF_ACCOUNT:
            self._forget(account)
        elif len(self._records) >= MOST:
            self._forget(self._accounts.most_common(1)[0][0])

    def _forget(self, account: str) -> None:
        for key, record in self._records.items():
            if record.account == account:
                del self._records[key]
                break
        self._accounts[account] -= 1
        if not self._accounts[account]:
            del self._accounts[account]


def of_event(event: Event, text: str, fields: Mapping[str, Field], moment: float) -> RefusalRecord:
    """`moment`: Unix time."""
    values = {name: limited(str(value)) for name, value in fields.items()}
    next_step = text[len(NEXT) :] if text.startswith(NEXT) else ""
    return RefusalRecord(
        event.name,
        values.get("account") or _local_account(values.get("uid", "-")),
        shown_client(values.get("client", LOCAL)),
        values.get("method") or values.get("message", ""),
        values.get("result", ""),
        values.get("share", ""),
        values.get("reason") or limited("" if next_step else text),
        limited(next_step),
        moment,
        moment,
    )


def _local_account(uid: str) -> str:
    return "root" if uid == "0" else f"uid {uid}"


def _key(record: RefusalRecord) -> _Key:
    """Not the reason: it may hold an id, or a number that grows."""
    return (
        record.event,
        record.account,
        record.client,
        record.method,
        record.result,
        record.share,
    )
