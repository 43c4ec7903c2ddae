"""Runs in the lab: reads every share as the worker does, and counts the calls of Samba's library.

    count_calls.py SMB_CONF SHARE        prints {function: calls} as JSON

SHARE is looked up at the end, by a name that no share has as well.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any, Callable

from samba_hooks.registry.worker.libsmbconf import Library
from samba_hooks.registry.worker.loaded_shares import LoadedShares
from samba_hooks.registry.worker.requests import TDB_WITHOUT_MMAP
from samba_hooks.worker.samba_log import SambaLog


class Counted:
    """Stands for the functions of the library."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.made: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(self._call, name)

        def counted(*arguments: Any) -> Any:
            self.made[name] += 1
            return function(*arguments)

        return counted


def main(config_file: str, share: str) -> None:
    library = Library()
    log = SambaLog(library)
    library.override(*TDB_WITHOUT_MMAP)
    counted = library.call = Counted(library.call)
    shares = LoadedShares(library, config_file)
    names = shares.names()
    names += [name for name in shares.registry().names() if name and name not in names]
    found = 0
    while found < len(names):
        found += len(shares.find_all(names[found:]))
    before = sum(counted.made.values())
    assert shares.find(f"no {share}") is None
    counted.made["of a missing name"] = sum(counted.made.values()) - before
    print(json.dumps(counted.made))
    log.drain()


main(*sys.argv[1:])
