"""System calls of processes, from strace: files by name, and socket peers."""

from __future__ import annotations

import re
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, NamedTuple, Sequence

from lab import Lab
from lab.namespaces import wait_until

# -xx: every string in hexadecimal, so that none can be mistaken for strace's own output.
STRACE = ["strace", "-f", "-xx", "-s", "65536", "-e", "trace=%file,%network"]
CALL = re.compile(r"^(?:\d+ +)?(?P<name>\w+)\((?P<arguments>.*)$")
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
FAMILY = re.compile(r"sa_family=(\w+)|socket\((\w+)")
NETWORK = {"socket", "connect", "bind", "sendto", "sendmsg", "sendmmsg"}
DATA = {"sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg"}
SENTINEL = b"/the-end-of-the-trace"


class SystemCall(NamedTuple):
    name: str
    text: str
    strings: Sequence[bytes]  # its strings, without the data sent or received

    @property
    def families(self) -> set[str]:
        """Return the families of the addresses and sockets in the call."""
        if self.name not in NETWORK:
            return set()
        return {one or other for one, other in FAMILY.findall(f"{self.name}({self.text}")}


class Trace:
    def __init__(self, file: Path) -> None:
        self._file = file

    def calls(self) -> list[SystemCall]:
        found = filter(None, map(CALL.match, self._file.read_text().splitlines()))
        return [_call(each["name"], each["arguments"]) for each in found]


def _call(name: str, text: str) -> SystemCall:
    strings = [bytes.fromhex(each.replace("\\x", "")) for each in STRING.findall(text)]
    return SystemCall(name, text, () if name in DATA else strings)


@contextmanager
def traced(lab: Lab, pids: Sequence[int]) -> Iterator[Trace]:
    """Trace processes of the lab, with all their threads and children, inside the block."""
    output, said = lab.directory / "strace.out", lab.directory / "strace.err"
    for file in (output, said):
        file.unlink(missing_ok=True)
    targets = [word for pid in pids for word in ("-p", str(pid))]
    strace = lab.popen([*STRACE, "-o", output, *targets], output=said)
    wait_until(
        "strace is attached",
        lambda: all(f"Process {pid} attached" in said.read_text() for pid in pids),
    )
    yield Trace(output)
    strace.signal(signal.SIGINT)
    strace.wait()
