"""How a process that knows nothing but recipes thaws: the keeper's way, and that of `clean`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from fsrvpd.requestor.writers.ports import ThawRecipe, WriterFailed

# The module of each kind has `thaw(recipe)`; it is imported when it is needed.
_MODULES = {"command": "command", "fsfreeze": "fsfreeze", "guest-agent": "guest_agent"}


def thaw(recipe: ThawRecipe) -> None:
    """One attempt; what is not frozen is no error. Raises: RequestorError unless it is thawed for
    certain."""
    module_of(recipe).thaw(recipe)


def thaw_late(recipe: ThawRecipe) -> None:
    """As `thaw`, for a client that has ended: also what it has left under way, which freezes later.
    Raises: as `thaw`."""
    module = module_of(recipe)
    getattr(module, "thaw_late", module.thaw)(recipe)


def module_of(recipe: ThawRecipe) -> Any:
    """Raises: WriterFailed."""
    module = _MODULES.get(recipe.kind)
    if module is None:
        cause = f"nobody here knows how writers of the kind {recipe.kind} are thawed"
        raise WriterFailed(recipe.writer, cause, "thaw the application by hand")
    return import_module(f"fsrvpd.requestor.writers.{module}")
