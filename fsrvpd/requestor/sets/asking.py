"""The question before a set: which hosts can copy the shares, and on which does each lie?

Spec: MS-FSRVP 3.2.4.1 and 3.2.4.2.1.
"""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence

from fsrvpd.protocol.unc import normal_host
from fsrvpd.requestor.ports import AgentConnection, Connector, Resolver, ShareRoot
from fsrvpd.requestor.protocol.queries import path_supported
from fsrvpd.requestor.sets.server_side import drive
from fsrvpd.requestor.side_by_side import begin, wait_for


class Owned(NamedTuple):
    """A host that will hold a part of the set. `owner`: where it is not the host `contacted`.
    `connection`: the one over which it was asked, if it was."""

    contacted: str
    owner: Optional[str]
    roots: list[ShareRoot]
    connection: Optional[AgentConnection]


class _Asked(NamedTuple):
    host: str
    connection: AgentConnection
    roots: Sequence[ShareRoot]
    owners: Sequence[str]  # for each root


def ask(connector: Connector, names: Resolver, roots: Sequence[ShareRoot]) -> list[Owned]:
    """Ask all hosts side by side; they are left open. Raises: RequestorError; then none is."""
    by_host: dict[str, list[ShareRoot]] = {}
    for root in roots:
        by_host.setdefault(normal_host(root.host), []).append(root)
    tasks = begin(lambda of_host: _ask_host(connector, names, of_host), list(by_host.values()))
    errors = wait_for(tasks)
    asked = [task.result() for task in tasks if not task.error]
    if errors:
        for each in asked:
            each.connection.close()
        raise errors[0]
    return _by_owner(asked)


def _by_owner(asked: Sequence[_Asked]) -> list[Owned]:
    """One entry for each host that owns shares, under whatever names it was asked: a second
    SetContext there would drop the first one's set. A host that owns none is left."""
    connections = {normal_host(each.host): each.connection for each in asked}
    found: dict[str, Owned] = {}
    for each in asked:
        for root, owner in zip(each.roots, each.owners):
            key = normal_host(owner)
            other = None if key == normal_host(each.host) else owner
            entry = Owned(each.host, other, [], connections.get(key))
            found.setdefault(key, entry).roots.append(root)
    for key in set(connections) - set(found):
        connections[key].close()
    return list(found.values())


def _ask_host(connector: Connector, names: Resolver, roots: Sequence[ShareRoot]) -> _Asked:
    host = roots[0].host
    connection = connector.connect(host)
    try:
        owners = []
        for root in roots:
            owner = drive(path_supported(root), connection)
            owners.append(names.other_host(owner, connection, root.unc) or host)
        return _Asked(host, connection, roots, owners)
    except BaseException:
        connection.close()
        raise
