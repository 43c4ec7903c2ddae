r"""From a UNC name as people write it to the root of the share, and how it was found.

What GetRootAndLogicalPrefixPaths does for a requestor on Windows: the root goes into the shadow
copy set, and the logical prefix is the part of the given name that the root stands for, so that
`\\dfs\root\link\vm1` is `vm1` in the copy of `\\server\share` where the link leads.
"""

from __future__ import annotations

from typing import AbstractSet, Dict, FrozenSet, List, NoReturn, Optional, Sequence, Tuple

from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.unc import normal_host, normal_share
from fsrvpd.requestor.errors import Refused, RequestorError
from fsrvpd.requestor.names.dfs_links import Followed, follow
from fsrvpd.requestor.names.hosts import Host, Hosts
from fsrvpd.requestor.names.owner import other_host
from fsrvpd.requestor.names.records import LookUp, Referrals, Resolution, Step
from fsrvpd.requestor.names.spelling import UncPath, address_of, join, read_unc
from fsrvpd.requestor.ports import ShareRoot
from fsrvpd.requestor.smb.records import LoggedIn, Proof


class Names:
    """A `Resolver`. Threads may share one. Look-ups are remembered within a call.

    `referrals` asks servers for links of DFS, with a login; None asks nobody. `listed` are names
    that the configuration lets a server lead to, in `owner.owners`' form.
    """

    def __init__(
        self,
        look_up: LookUp,
        referrals: Optional[Referrals] = None,
        *,
        fqdn: bool = False,
        listed: AbstractSet[str] = frozenset(),
    ) -> None:
        self._look_up = look_up
        self._full_names: Dict[str, FrozenSet[str]] = {}  # of servers that were named
        self._referrals = referrals
        self._fqdn = fqdn
        self._listed = listed

    def resolve(self, given: str) -> ShareRoot:
        """Raises: RequestorError for what leads to no share of one server."""
        return self.resolution(given).root

    def resolve_set(self, given: Sequence[str]) -> List[ShareRoot]:
        """See `resolutions`."""
        return [each.root for each in self.resolutions(given)]

    def other_host(self, owner: Optional[str], server: LoggedIn, unc: str) -> Optional[str]:
        """See `owner.other_host`. A full name that leads to the server is one of its names."""
        full_names = self._full_names.get(normal_host(server.host), frozenset())
        proof = Proof(server.host, server.proved_names | full_names, server.uses_kerberos)
        return other_host(owner, proof, self._listed, unc)

    def resolution(self, given: str) -> Resolution:
        """The same as `resolve`, with the way to it."""
        return self._resolve(Hosts(self._look_up), given, self._fqdn)

    def resolutions(self, given: Sequence[str]) -> List[Resolution]:
        """The roots of one shadow copy set, in one form and in the order that was given.

        If a server has no host name that leads to it, all are named with their domain.
        Raises: RequestorError, also if two names lead to one share (FSRVP_E_OBJECT_ALREADY_EXISTS,
        which the client itself answers) or two names of servers lead to one server.
        """
        hosts = Hosts(self._look_up)
        found = [self._resolve(hosts, each, self._fqdn) for each in given]
        if not self._fqdn and any(_has_domain(each) for each in found):
            found = [self._resolve(hosts, each, True) for each in given]
        named = _without_lonely_addresses(found)
        _refuse_two_names(named)
        _refuse_duplicates(named)
        return named

    def _resolve(self, hosts: Hosts, given: str, fqdn: bool) -> Resolution:
        written = read_unc(given)
        first = self._named(hosts, written, fqdn)
        path = written._replace(host=first.name)
        followed = Followed(path, len(_names(path.path)))
        if self._referrals is not None:
            followed = follow(path, self._referrals, self.other_host)
        last = self._named(hosts, followed.path, fqdn) if followed.steps else first
        steps = (*first.steps, *followed.steps, *(last.steps if followed.steps else ()))
        root = ShareRoot(
            given,
            join(last.name, followed.path.share),
            last.name,
            followed.path.share,
            followed.path.path,
        )
        return Resolution(root, _logical_prefix(written, followed.below), last.addresses, steps)

    def _named(self, hosts: Hosts, path: UncPath, fqdn: bool) -> Host:
        try:
            host = hosts.named(path.host, fqdn=fqdn)
        except RequestorError as error:
            cause = f"{error.object}: {error.cause}"
            raise RequestorError(path.given, cause, error.next_step) from None
        self._full_names[host.name] = hosts.full_names(host.name)
        return host


def _names(path: str) -> List[str]:
    return path.split("\\") if path else []


def _logical_prefix(written: UncPath, below: int) -> str:
    names = _names(written.path)
    return join(written.host, written.share, "\\".join(names[: len(names) - below]))


def _has_domain(found: Resolution) -> bool:
    return "." in found.root.host and address_of(found.root.host) is None


def _without_lonely_addresses(found: Sequence[Resolution]) -> List[Resolution]:
    """An address without a name of its own is that of a server that another share names."""
    owners: Dict[str, str] = {}
    for each in found:
        if address_of(each.root.host) is None:
            owners.update(dict.fromkeys(each.addresses, each.root.host))
    return [_named_by(each, owners) for each in found]


def _named_by(found: Resolution, owners: Dict[str, str]) -> Resolution:
    name = owners.get(found.root.host)
    if name is None:
        return found
    root = found.root._replace(unc=join(name, found.root.share), host=name)
    return found._replace(root=root, steps=(*found.steps, Step("DNS", found.root.host, name)))


def _refuse_two_names(found: Sequence[Resolution]) -> None:
    """One agent would be asked for two sets at a time, and drop the first for the second."""
    seen: Dict[str, Tuple[str, FrozenSet[str]]] = {}
    for each in found:
        for host, (given, addresses) in seen.items():
            both = sorted(addresses & each.addresses)
            if both and host != each.root.host:
                raise RequestorError(
                    each.root.given,
                    f"{each.root.host} and {host} (of {given}) are one server: both have {both[0]}",
                    "write one of the two names in all shares",
                )
        seen[each.root.host] = (each.root.given, each.addresses)


def _refuse_duplicates(found: Sequence[Resolution]) -> None:
    seen: Dict[Tuple[str, str], str] = {}
    for each in found:
        key = (each.root.host, normal_share(each.root.share))
        if key in seen:
            _refuse_duplicate(each.root, seen[key])
        seen[key] = each.root.given


def _refuse_duplicate(root: ShareRoot, first: str) -> NoReturn:
    raise Refused(
        root.given,
        f"leads to {root.unc}, as {first} does; a share can be once in a set",
        "name it once: its copy holds everything below the share",
        result=HResult.FSRVP_E_OBJECT_ALREADY_EXISTS,
    )
