"""All checks of some shares. Nothing is created on a server, and nothing is copied."""

from __future__ import annotations

from typing import Dict, Iterator, List, Protocol, Sequence

from fsrvpd.requestor.checks.findings import Finding, Severity, ShareReport
from fsrvpd.requestor.checks.look import Servers
from fsrvpd.requestor.checks.server import Reached, failure, reach
from fsrvpd.requestor.checks.share import OwnerRule, existing_copies, reading, snapshot
from fsrvpd.requestor.errors import AccessRefused, Disconnected, RequestorError
from fsrvpd.requestor.names.records import Resolution
from fsrvpd.requestor.names.spelling import address_of, read_unc
from fsrvpd.requestor.ports import Connector


class NamesOfShares(OwnerRule, Protocol):
    """The part of `names.resolve.Names` that the checks use."""

    def resolution(self, given: str) -> Resolution: ...

    def resolutions(self, given: Sequence[str]) -> List[Resolution]: ...


# The protocol has no question for it. What the documentation of the agents says:
HOW_LONG = Finding(
    Severity.NOTE,
    "kept",
    "a server does not say how long it keeps a set: fsrvpd a day (`fsrvpd:auto release max age`),"
    " Windows until it restarts",
)


class Check:
    """The servers stay connected until `close`, so that shares of one server are checked over one
    connection."""

    def __init__(self, names: NamesOfShares, servers: Servers, connector: Connector) -> None:
        self._names = names
        self._servers = servers
        self._connector = connector
        self._reached: Dict[str, Reached] = {}

    def shares(self, given: Sequence[str]) -> Iterator[ShareReport]:
        """A report on each share, as soon as it is complete. Raises nothing of a server's."""
        alone = []
        for each in given:
            report = self._share(each)
            alone.append(report.root is not None)
            if len(given) > 1 and all(alone) and len(alone) == len(given):
                report.findings.extend(self._as_a_set(given))
            yield report

    def close(self) -> None:
        for reached in self._reached.values():
            reached.close()
        self._reached.clear()

    def _share(self, given: str) -> ShareReport:
        try:
            resolution = self._names.resolution(given)
        except (AccessRefused, Disconnected) as error:  # a server that was asked for links of DFS
            return ShareReport(given, None, [failure("login", error)])
        except RequestorError as error:
            failed = Finding(Severity.FAIL, "name", error.cause, error.next_step)
            return ShareReport(given, None, [failed])
        root = resolution.root
        reached = self._reach(root.host, read_unc(given).host)
        findings = [_name(resolution), *reached.findings]
        if reached.server is not None:
            findings += reading(reached.server, root)
        if reached.server is not None and reached.agent is not None:
            account = reached.server.account
            findings.append(snapshot(reached.agent, account, root, self._names))
            findings += existing_copies(reached.agent, root)
            findings.append(HOW_LONG)
        return ShareReport(given, root, findings)

    def _reach(self, host: str, given_host: str) -> Reached:
        if host not in self._reached:
            self._reached[host] = reach(host, [given_host], self._servers, self._connector)
        return self._reached[host]

    def _as_a_set(self, given: Sequence[str]) -> Iterator[Finding]:
        """What only shows when the shares are named together; the last report has it."""
        try:
            self._names.resolutions(given)
        except RequestorError as error:
            text = f"not in one set: {error.object}: {error.cause}"
            yield Finding(Severity.FAIL, "name", text, error.next_step)


def _name(resolution: Resolution) -> Finding:
    root = resolution.root
    way = "; ".join(map(str, resolution.steps))
    text = f"{root.unc}" + (f", {root.prefix} below it" if root.prefix else "")
    text += f" ({way})" if way else ""
    if address_of(root.host) is not None:
        step = f"add {root.host} to DNS, forward and reverse, or to /etc/hosts"
        return Finding(Severity.NOTE, "name", f"{text}; Windows takes no addresses in a set", step)
    return Finding(Severity.OK, "name", text)
