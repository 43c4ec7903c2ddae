"""Opening the pipe and binding on a member of a domain: fsrvpd and Samba's own agent in turn, each
in a domain of its own. NTLM is checked by the controller, through winbindd; Kerberos by the
member's key alone."""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median
from typing import Callable

from benchmarks.binds import BINDS, ROUNDS, called
from benchmarks.latency import Medians
from benchmarks.servers import said
from lab import FsrvpdProcess, Lab, Share
from lab.domain import ADMINISTRATOR, DOMAIN, MEMBER, Domain, Member

KINDS = {
    "NTLM in SPNEGO, through winbindd": "NTLMSSP_SPNEGO",
    "Kerberos in SPNEGO": "KRB5_SPNEGO",
}
NAMES = ("ours", "samba")

Bind = Callable[[], float]  # returns s


def measure() -> Medians:
    """Return the median of each burst, by kind and server."""
    with ExitStack() as stack:
        opened = {name: _start(stack.enter_context(Lab()), name == "samba") for name in NAMES}
        found: Medians = {kind: {name: [] for name in NAMES} for kind in KINDS}
        for number in range(ROUNDS + 1):
            for name in NAMES:
                for kind, bind in opened[name].items():
                    burst = median(bind() for _ in range(BINDS))
                    if number:  # the first is for warming up
                        found[kind][name].append(burst)
    return found


def _start(lab: Lab, own_agent: bool) -> dict[str, Bind]:
    """A domain and a member with one agent, and a client for each kind."""
    domain = Domain(lab)
    path = lab.volume("btrfs", "volume") / "data"
    lab.run(["btrfs", "subvolume", "create", path])
    options = {"log level": "0", "fsrvpd:require rpc integrity": "no"}
    member = Member(domain, [Share("data", path)], options, own_agent=own_agent)
    member.start()
    if not own_agent:
        FsrvpdProcess(lab, member, debug_level=1).start()
    password = ["-U", f"{DOMAIN}\\{ADMINISTRATOR.login}", "--use-kerberos=off"]
    ticket = domain.kinit(ADMINISTRATOR)
    arguments = {
        "NTLMSSP_SPNEGO": (password, {}),
        "KRB5_SPNEGO": (["--use-kerberos=required", "-N"], ticket),
    }
    return {kind: _bind_again(member, way, *arguments[way]) for kind, way in KINDS.items()}


def _bind_again(
    member: Member, mechanism: str, arguments: list[str], environment: dict[str, str]
) -> Bind:
    words = [f"{name}={value}" for name, value in environment.items()]
    argv = ["env", *words, "rpcclient", "-s", str(member.conf), *arguments]
    client = member.lab.converse([*argv, f"ncacn_np:{MEMBER}[spnego,sign]"])

    def bind() -> float:
        for other in ("NTLMSSP", mechanism):  # a change of the mechanism closes the pipe
            said(client, f"sign {other}")
        return called(client)

    return bind
