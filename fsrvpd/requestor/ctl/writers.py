"""From [writer.NAME] of the configuration to the writers of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Sequence

from fsrvpd.requestor.ctl.configuration import WriterSection
from fsrvpd.requestor.ctl.keys import AUTO, CHECKPOINT
from fsrvpd.requestor.ctl.settings import WrongUsage
from fsrvpd.requestor.writers.command import CommandWriter
from fsrvpd.requestor.writers.fsfreeze import FsfreezeWriter
from fsrvpd.requestor.writers.guest_agent import GuestAgentWriter, agent_of
from fsrvpd.requestor.writers.mariadb import MariadbWriter
from fsrvpd.requestor.writers.ports import SharedTree, Writer
from fsrvpd.requestor.writers.postgresql import PostgresqlWriter

_OF_ALL = ("priority", "required", "timeout")


class Surroundings(NamedTuple):
    """What writers get of their run. `results`: where one of that name puts what is to be restored
    beside the copies; nobody reads it without mounts. `window`: seconds."""

    shares: Callable[[], Sequence[SharedTree]]
    results: Callable[[str], Path]
    has_mounts: bool
    window: float


def make_writers(section: WriterSection, run: Surroundings) -> List[Writer]:
    """One, or one for each guest. Raises: RequestorError."""
    return list(_MAKERS[section.kind](section.name, dict(section.keys), run))


def _postgresql(name: str, keys: Dict[str, Any], run: Surroundings) -> Iterator[Writer]:
    """What backup mode adds would be left out of a backup without mounts: it is not used."""
    if not run.has_mounts:
        if keys.get("mode", AUTO) not in (AUTO, CHECKPOINT):
            cause = "what backup mode adds would be in no backup without mounts"
            raise WrongUsage(f"writer {name}", cause, "let the copies be mounted")
        keys = {**keys, "mode": CHECKPOINT}
    yield PostgresqlWriter(name, shares=run.shares, results=run.results(name), **keys)


def _mariadb(name: str, keys: Dict[str, Any], run: Surroundings) -> Iterator[Writer]:
    yield MariadbWriter(name, shares=run.shares, window=run.window, **keys)


def _guest_agent(name: str, keys: Dict[str, Any], run: Surroundings) -> Iterator[Writer]:
    """Each guest is frozen, and fails, for itself."""
    of_all = {key: keys[key] for key in _OF_ALL if key in keys}
    recipes: List[Mapping[str, Any]] = [{"socket": path} for path in keys.get("sockets", ())]
    for domain in keys.get("domains", ()):
        recipes.append({"domain": domain, "uri": keys.get("uri")})
    for recipe in recipes:
        agent = agent_of(recipe)
        whole = name if len(recipes) == 1 else f"{name} {agent.guest}"
        yield GuestAgentWriter(whole, agent, **of_all)


def _fsfreeze(name: str, keys: Dict[str, Any], run: Surroundings) -> Iterator[Writer]:
    yield FsfreezeWriter(name, **keys)


def _command(name: str, keys: Dict[str, Any], run: Surroundings) -> Iterator[Writer]:
    yield CommandWriter(name, **keys)


_MAKERS: Mapping[str, Callable[[str, Dict[str, Any], Surroundings], Iterator[Writer]]] = {
    "postgresql": _postgresql,
    "mariadb": _mariadb,
    "guest-agent": _guest_agent,
    "fsfreeze": _fsfreeze,
    "command": _command,
}
