"""Which names that a server sends may be contacted: the owner of a share, and the target of a link.

Credentials never go to a name only because a server said so: a server, or whoever answers in its
place, could send them anywhere. Nothing is looked up here, and nothing for a refused name later.

Spec: MS-FSRVP 3.2.4.2.1 has the client connect to OwnerMachineName whatever it is.
"""

from __future__ import annotations

import re
from typing import AbstractSet, FrozenSet, Iterable, Iterator, Optional

from fsrvpd.protocol.unc import normal_host
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.names.spelling import address_of
from fsrvpd.requestor.smb.records import LoggedIn
from fsrvpd.terminal import cut, one_line

_LONGEST_SHOWN = 64
_NAME = re.compile(r"(?!-)[\w-]{1,63}(?:\.(?!-)[\w-]{1,63})*")


def owners(names: Iterable[str]) -> FrozenSet[str]:
    """Names of the configuration's `owners`, as `other_host` compares them."""
    return frozenset(map(normal_host, names))


def other_host(
    name: Optional[str], server: LoggedIn, listed: AbstractSet[str], what: str
) -> Optional[str]:
    """The host that `server` leads to with a name that it sent; None if that is the server itself,
    as it is if there is no name.

    `what` is the object that the name was sent for, such as the UNC of a share. A name of the same
    DNS domain is taken if Kerberos is used: its server will have to prove the name with a ticket,
    since the login never changes to NTLM by itself. Raises: RequestorError for a name that is not
    to be contacted.
    """
    wanted, contacted = normal_host(name or ""), normal_host(server.host)
    if not wanted or wanted == contacted or wanted in server.proved_names:
        return None
    if address_of(wanted) is None and not _NAME.fullmatch(wanted):
        raise _refused(what, name or "", contacted, "which is not the name of a host")
    if wanted in listed:
        return wanted
    if server.uses_kerberos and address_of(wanted) is None:
        for domain in _domains(contacted, server.proved_names):
            if wanted.partition(".")[2] == domain:
                return wanted
            if "." not in wanted and "." in domain:
                return f"{wanted}.{domain}"
    raise _refused(what, name or "", contacted, "which did not prove that it is the same server")


def _domains(contacted: str, proved_names: Iterable[str]) -> Iterator[str]:
    """The DNS domain of the name that was contacted. If that was a host name alone, what the server
    proved completes it. The name of a domain stands for its controllers, which have it for one."""
    for name in (contacted, *sorted(proved_names)):
        label, _, domain = name.partition(".")
        if domain and address_of(name) is None and contacted in (name, label):
            yield domain
    if "." in contacted and address_of(contacted) is None:
        yield contacted


def _refused(what: str, name: str, contacted: str, why: str) -> RequestorError:
    shown = cut(one_line(name), _LONGEST_SHOWN)
    return RequestorError(
        what,
        f"{contacted} leads to '{shown}', {why}; nothing was sent there",
        f"if '{shown}' is a server of yours, add it to `owners` in the configuration",
    )
