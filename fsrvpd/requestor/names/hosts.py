"""One name for each server, whichever of its names or addresses was written.

The default is the host name without its domain, as the File Share Shadow Copy Provider has it;
`fqdn` is the other form. A name that DNS gives for an address, or that is made by leaving out the
domain, is taken only if it leads back to the same server: nobody's reverse zone can send a login
elsewhere. An address without a name stays an address.

Spec: MS-FSRVP 3.2.4.2.1 (PathFormat), 3.2.4.2.2.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, NamedTuple, Optional, Tuple

from fsrvpd.protocol.unc import normal_host
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.names.records import Forward, LookUp, Step
from fsrvpd.requestor.names.spelling import address_of

# The names that every machine has for itself lead nowhere from elsewhere, and no agent has them.
_LOOPBACK = ("localhost", "ip6-localhost", "ip6-loopback")


class Host(NamedTuple):
    name: str  # in `normal_host`'s form
    addresses: FrozenSet[str]
    steps: Tuple[Step, ...]

    @property
    def is_address(self) -> bool:
        return address_of(self.name) is not None


class Hosts:
    """Each name and address is looked up once."""

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._forward: Dict[str, Forward] = {}
        self._reverse: Dict[str, Tuple[str, ...]] = {}

    def named(self, host: str, *, fqdn: bool) -> Host:
        """The one name of a server. Raises: RequestorError if it is unknown, is reached over
        link-local addresses only, or has no name of the form that `fqdn` demands."""
        address = address_of(host)
        if address is not None:
            return self._of_address(str(address), fqdn)
        found = self.forward(host)
        if all(_is_link_local(each) for each in found.addresses):
            raise RequestorError(
                host,
                f"has only link-local addresses: {', '.join(sorted(found.addresses))}",
                "give it an address that is routed",
            )
        return self._in_form(host, found, fqdn)

    def full_names(self, host: str) -> FrozenSet[str]:
        """Names with a domain that are known to lead to a host. Nothing is looked up for it."""
        found = self._forward.get(host)
        if found is None:
            return frozenset()
        names = {
            name
            for name, other in self._forward.items()
            if name.startswith(f"{host}.") and other.addresses & found.addresses
        }
        canonical = normal_host(found.canonical)
        return frozenset(names | ({canonical} if canonical.startswith(f"{host}.") else set()))

    def forward(self, host: str) -> Forward:
        if host not in self._forward:
            self._forward[host] = self._look_up.forward(host)
        return self._forward[host]

    def reverse(self, address: str) -> Tuple[str, ...]:
        if address not in self._reverse:
            names = map(normal_host, self._look_up.reverse(address))
            self._reverse[address] = tuple(name for name in names if _is_name(name))
        return self._reverse[address]

    def _of_address(self, address: str, fqdn: bool) -> Host:
        names = self.reverse(address)
        for name in sorted(names, key=lambda each: "." not in each):  # with its domain, if known
            found = self._known(name)
            if found and address in found.addresses:
                host = self._in_form(name, found, fqdn)
                return host._replace(steps=(Step("reverse DNS", address, name), *host.steps))
        if fqdn:
            raise _no_fqdn(address)
        why = f"{names[0]} does not lead back to it" if names else "no reverse DNS"
        return Host(address, frozenset((address,)), (Step(why, address, address),))

    def _in_form(self, host: str, found: Forward, fqdn: bool) -> Host:
        name = self._fully_qualified(host, found) if fqdn else self._short(host, found)
        steps = () if name == host else (Step("DNS" if fqdn else "short name", host, name),)
        return Host(name, found.addresses, steps)

    def _short(self, host: str, found: Forward) -> str:
        label = host.partition(".")[0]
        short = None if label == host else self._known(label)
        return label if short and short.addresses & found.addresses else host

    def _fully_qualified(self, host: str, found: Forward) -> str:
        if "." in host:
            return host
        names = [normal_host(found.canonical)]
        names += [name for each in sorted(found.addresses) for name in self.reverse(each)]
        aliases = [f"{host}.{name.partition('.')[2]}" for name in names if "." in name]
        for name in (*names, *aliases):
            if name.startswith(f"{host}.") and self._leads_to(name, found):
                return name
        raise _no_fqdn(host)

    def _leads_to(self, name: str, found: Forward) -> bool:
        known = self._known(name)
        return known is not None and bool(known.addresses & found.addresses)

    def _known(self, name: str) -> Optional[Forward]:
        try:
            return self.forward(name)
        except RequestorError:
            return None


def _is_name(name: str) -> bool:
    label = name.partition(".")[0]
    return bool(name) and address_of(name) is None and label not in _LOOPBACK


def _is_link_local(address: str) -> bool:
    known = address_of(address)
    return known is not None and known.is_link_local


def _no_fqdn(host: str) -> RequestorError:
    return RequestorError(
        host,
        "DNS has no fully qualified name for it",
        "leave out --fqdn, or add the name to DNS or /etc/hosts",
    )
