"""One server, whichever shares of it are checked: the login, and the agent behind it."""

from __future__ import annotations

from typing import List, NamedTuple, Optional, cast

from fsrvpd.core import messages as m
from fsrvpd.protocol.hresult import HResult
from fsrvpd.requestor.checks.findings import Finding, Severity
from fsrvpd.requestor.checks.look import Server, Servers
from fsrvpd.requestor.errors import NoAgent, RequestorError
from fsrvpd.requestor.ports import AgentConnection, Connector
from fsrvpd.requestor.protocol.queries import CLIENT_VERSION

# Services whose documentation says that they have no agent, by the ends of their names.
WITHOUT_AGENT = {
    ".file.core.windows.net": "Azure Files",
    ".file.core.chinacloudapi.cn": "Azure Files",
    ".file.core.usgovcloudapi.net": "Azure Files",
    ".file.storage.azure.net": "Azure Files",
}


class Reached(NamedTuple):
    """What of a server answers, with the findings that hold for all its shares."""

    server: Optional[Server]
    agent: Optional[AgentConnection]
    findings: List[Finding]

    def close(self) -> None:
        for connection in (self.agent, self.server):
            if connection is not None:
                connection.close()


def reach(host: str, given_hosts: List[str], servers: Servers, connector: Connector) -> Reached:
    """Log in, and look for the agent. `given_hosts` are the names that the user has for the host.
    Raises nothing: what fails is a finding."""
    try:
        server = servers.log_in(host)
    except RequestorError as error:
        return Reached(None, None, [failure("login", error)])
    findings = [_login(server)]
    agent = None
    try:
        agent = connector.connect(host)
        findings.append(_version(agent))
    except NoAgent as error:
        findings.append(_no_agent(host, given_hosts, error))
    except RequestorError as error:
        findings.append(failure("agent", error))
    return Reached(server, agent, findings)


def _login(server: Server) -> Finding:
    how = "Kerberos" if server.uses_kerberos else "NTLM"
    protection = "encrypted" if server.is_encrypted else "signed"
    text = f"as {server.account} by {how}; SMB {server.dialect}, {protection}"
    return Finding(Severity.OK, "login", text)


def _version(agent: AgentConnection) -> Finding:
    answer = cast(m.VersionResponse, agent.call(m.GetSupportedVersion()))
    if answer.result == HResult.E_ACCESSDENIED:  # what that means is said of each share
        return Finding(Severity.OK, "agent", "one answers, though not to this account")
    if answer.result:
        text = f"GetSupportedVersion was answered with {answer.result:#010x}"
        return Finding(Severity.FAIL, "agent", text, "look into the server's log")
    if not answer.min_version <= CLIENT_VERSION <= answer.max_version:
        text = f"it speaks versions {answer.min_version} to {answer.max_version} of MS-FSRVP"
        return Finding(
            Severity.FAIL, "agent", f"{text}, not {CLIENT_VERSION}", "update fsrvpshadow"
        )
    return Finding(Severity.OK, "agent", f"MS-FSRVP, version {answer.max_version}")


def _no_agent(host: str, given_hosts: List[str], error: NoAgent) -> Finding:
    for name in (host, *given_hosts):
        for end, service in WITHOUT_AGENT.items():
            if name.endswith(end):
                text = f"{service} has none, so its shares cannot be copied with VSS"
                next_step = "back up a share snapshot that the service itself takes"
                return Finding(Severity.FAIL, "agent", text, next_step)
    next_step = (
        "on Windows Server: Install-WindowsFeature FS-VSS-Agent; on Samba: install fsrvpd and"
        " type `fsrvpctl doctor`"
    )
    return Finding(Severity.FAIL, "agent", f"none answers: {error.cause}", next_step)


def failure(topic: str, error: RequestorError) -> Finding:
    return Finding(Severity.FAIL, topic, f"{error.object}: {error.cause}", error.next_step)
