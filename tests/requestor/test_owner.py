"""An agent that names another host as the owner of a share: credentials do not follow its word."""

from __future__ import annotations

from typing import Iterator

import pytest

from tests.interop.system_calls import STRACE, SystemCall, Trace
from tests.requestor.file_servers import DIALECTS
from tests.requestor.lan import NAS, OTHER, Lan, open_lan

FOREIGN = "evil.example.com"


@pytest.fixture(scope="module", params=DIALECTS)
def lan(request: pytest.FixtureRequest) -> Iterator[Lan]:
    with open_lan({"fsrvpd:owner name": FOREIGN, **DIALECTS[request.param]}) as opened:
        yield opened


def connections(calls: list[SystemCall], address: str) -> list[SystemCall]:
    """To SMB's port. The resolver connects sockets as well, to see which address is reached."""
    smb = [call for call in calls if call.name == "connect" and "htons(445)" in call.text]
    return [call for call in smb if address.encode() in call.strings]


@pytest.mark.spec("3.2.4.2.1-2")
def test_a_foreign_owner_gets_no_packet_and_no_look_up(lan: Lan) -> None:
    lan.names.asked.clear()
    output = lan.lab.directory / "create.strace"
    done = lan.command("create", r"\\nas\data", before=(*STRACE, "-o", output))
    assert done.status == 1
    assert r"\\nas\data: nas leads to 'evil.example.com', which did not prove" in done.said
    assert "`owners` in the configuration" in done.said
    assert {"nas", "nas.example.org"} & set(lan.names.asked)
    assert not [name for name in lan.names.asked if "evil" in name]
    calls = Trace(output).calls()
    assert connections(calls, NAS), "the trace shows no connection at all"
    assert not [call for call in calls if OTHER.encode() in call.strings]
    assert lan.daemon is not None
    assert {call.method for call in lan.daemon.calls()} == {"IsPathSupported"}


@pytest.mark.spec("3.2.4.2.1-2")
def test_the_configuration_may_list_the_owner(lan: Lan) -> None:
    lan.configure(f'owners = ["{FOREIGN}"]\n')
    output = lan.lab.directory / "listed.strace"
    done = lan.command("--json", "create", r"\\nas\data", before=(*STRACE, "-o", output))
    assert done.status == 0, done.said
    assert FOREIGN in lan.names.asked
    calls = Trace(output).calls()
    assert connections(calls, OTHER)
    assert len(connections(calls, NAS)) == 1, "the login for links of DFS is the agent's, too"
    created = done.json()[-1]
    assert lan.command("delete", "--set", created["set"]).status == 0
    assert lan.daemon is not None
    assert lan.daemon.ask("list-sets") == []
