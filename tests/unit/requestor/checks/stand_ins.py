"""A server and its agent as the checks see them, without a network."""

from __future__ import annotations

from typing import Dict, FrozenSet, List, Optional, Sequence, Union

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from fsrvpd.requestor.checks.check import Check
from fsrvpd.requestor.checks.findings import Finding, Severity, ShareReport
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.names.resolve import Names
from fsrvpd.requestor.smb.records import Space, Trial
from tests.unit.requestor.names.names_of_the_lan import Lan

GIB = 1 << 30
READABLE = Trial(3, 12, (), Space(100 * GIB, 40 * GIB), complete=True)


class Agent:
    """`answers` replace what it says by itself to the method of that number."""

    def __init__(self, host: str, answers: Dict[int, Union[m.Response, RequestorError]]) -> None:
        self.host = host
        self.proved_names: FrozenSet[str] = frozenset({"nas", "nas.example.org"})
        self.uses_kerberos = False
        self.asked: List[str] = []
        self.closed = False
        self._answers: Dict[int, Union[m.Response, RequestorError]] = {
            Opnum.GetSupportedVersion: m.VersionResponse(0, 1, 1),
            Opnum.IsPathSupported: m.PathSupportedResponse(0, True, "NAS"),
            Opnum.IsPathShadowCopied: m.PathShadowCopiedResponse(0),
            **answers,
        }

    def call(self, request: m.Request, timeout: float = 180.0) -> m.Response:
        method = type(request).__name__
        self.asked.append(method)
        answer = self._answers[Opnum[method]]
        if isinstance(answer, RequestorError):
            raise answer
        return answer

    def close(self) -> None:
        self.closed = True


class Server:
    def __init__(self, host: str, trial: Union[Trial, RequestorError]) -> None:
        self.host = host
        self.proved_names: FrozenSet[str] = frozenset({"nas"})
        self.uses_kerberos = False
        self.account = r"LAB\backup"
        self.dialect = "3.1.1"
        self.is_encrypted = False
        self.closed = False
        self.tried: List[str] = []
        self._trial = trial

    def try_to_read(self, share: str, path: str) -> Trial:
        self.tried.append(rf"{share}\{path}")
        if isinstance(self._trial, RequestorError):
            raise self._trial
        return self._trial

    def close(self) -> None:
        self.closed = True


class Network:
    """Both `Servers` and `Connector`. Each of `login`, `agent` and `trial` can be an error."""

    def __init__(
        self,
        *,
        login: Optional[RequestorError] = None,
        agent: Optional[RequestorError] = None,
        trial: Union[Trial, RequestorError] = READABLE,
        answers: Optional[Dict[int, Union[m.Response, RequestorError]]] = None,
    ) -> None:
        self._login, self._no_agent, self._trial = login, agent, trial
        self._answers = answers or {}
        self.servers: List[Server] = []
        self.agents: List[Agent] = []

    def log_in(self, host: str) -> Server:
        if self._login:
            raise self._login
        self.servers.append(Server(host, self._trial))
        return self.servers[-1]

    def connect(self, host: str, *, deadline: Optional[float] = None) -> Agent:
        if self._no_agent:
            raise self._no_agent
        self.agents.append(Agent(host, self._answers))
        return self.agents[-1]


def reports(network: Network, *given: str, lan: Optional[Lan] = None) -> List[ShareReport]:
    check = Check(Names(lan or Lan()), network, network)
    try:
        return list(check.shares(given))
    finally:
        check.close()


def report(network: Network, given: str = r"\\nas\data") -> ShareReport:
    [only] = reports(network, given)
    return only


def finding(findings: Sequence[Finding], topic: str) -> Finding:
    [only] = [
        each for each in findings if each.topic == topic and each.severity is not Severity.NOTE
    ]
    return only


def refusal(opnum: Opnum, result: HResult) -> Dict[int, Union[m.Response, RequestorError]]:
    return {opnum: m.refusal(opnum, result)}
