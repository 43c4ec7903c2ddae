"""VFS modules that a share names and smbd cannot load, so that nobody can use the share.

Debian has most modules in a package of their own, samba-vfs-modules, which Samba only recommends.
"""

from __future__ import annotations

import os
from typing import Iterable, List

from samba_hooks.registry.parameters import module_name
from samba_hooks.tools import SambaTools


def missing(tools: SambaTools, words: Iterable[str]) -> List[str]:
    """Those of the words of `vfs objects`. Raises: RegistryError."""
    printed = tools.build_options()
    builtin = set(printed.partition("Builtin modules:")[2].split())
    directory = os.path.join(tools.build_option("MODULESDIR", "reinstall Samba"), "vfs")
    return [
        word
        for word in words
        if f"vfs_{module_name(word)}" not in builtin and not os.path.exists(_file(directory, word))
    ]


def _file(directory: str, word: str) -> str:
    bare = word.partition(":")[0]
    return bare if bare.startswith("/") else os.path.join(directory, f"{module_name(word)}.so")
