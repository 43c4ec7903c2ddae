"""What takes longer the more shares there are: 1,000, 3,000 and 10,000 of them in smb.conf, each a
directory of one btrfs volume, and the same in Samba's registry as far as Samba itself can do it.

The floor is testparm, which reads the same definitions with the same library and does nothing else.
Beside each time stands the processor's, of the command, the daemon and its workers together: on a
machine that does other things as well, only that can be compared.
"""

from __future__ import annotations

import json
import os
import resource
import time
from datetime import datetime
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

from benchmarks.sequences import resident
from benchmarks.servers import CLIENT, OPTIONS, PYTHON, Times
from lab import FsrvpdProcess, Lab, Samba, Share

SIZES = (1_000, 3_000, 10_000)
REGISTRY_SIZES = (300, 1_000, 3_000)  # Samba takes minutes to put 10,000 there
COPIES = 1_000
CYCLES = 5
_TICKS = os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    seconds: float
    processor: float  # s


class Found(NamedTuple):
    shares: int
    costs: dict[str, Cost]
    resident: dict[str, float]  # bytes, by process


class Server:
    def __init__(self, lab: Lab, number: int, *, in_registry: bool) -> None:
        self.lab = lab
        volume = lab.volume("btrfs", "volume", 8 << 30)
        lab.run(["chmod", "755", volume])
        last = str(number - 1)
        lab.run(["sh", "-c", f"cd {volume} && seq -f u%05g 0 {last} | xargs mkdir"])
        shares = [Share(f"u{place:05}", volume / f"u{place:05}") for place in range(number)]
        self.samba = Samba(lab, () if in_registry else shares, OPTIONS)
        if in_registry:
            definitions = lab.directory / "imported"
            definitions.write_text("\n".join(line for each in shares for line in each.section()))
            self.samba.run(
                ["net", "-s", self.samba.conf, "conf", "import", definitions], timeout=900
            )
        self.samba.start()
        self.daemon = FsrvpdProcess(lab, self.samba, debug_level=1)

    def start(self) -> float:
        """Returns the seconds until the daemon was ready."""
        began = time.time()
        self.daemon.start()
        lines = self.daemon.read_log().splitlines()
        line = [line for line in lines if "event=started" in line][-1]
        ready = datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f").timestamp()
        self.daemon.ask("prune", "--dry-run")  # waits for the comparison at the start
        return ready - began

    def processes(self) -> dict[str, int]:
        """The daemon and its workers, with their process ids."""
        pid = self.daemon.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        names = {int(each): _argument(int(each), "samba_hooks.") for each in children}
        return {"fsrvpd": pid, **{name: each for each, name in names.items()}}

    def processor(self) -> float:
        return sum(map(_processor, self.processes().values()))

    def cycles(self, number: int) -> Times:
        arguments = [self.samba.address, self.samba.root.login, "u00000", str(number), "0"]
        done = self.samba.run([PYTHON, CLIENT, "cycles", *arguments], timeout=1800)
        times: Times = json.loads(done.stdout)
        return times

    def grow(self, number: int) -> None:
        shares = ",".join(f"u{place:05}" for place in range(100))
        arguments = [self.samba.address, self.samba.root.login, shares, str(number), "0.013"]
        self.samba.run([PYTHON, CLIENT, "grow", *arguments], timeout=1800)

    def cost(self, work: Callable[[], object]) -> Cost:
        before, began = self.processor() + _of_children(), time.perf_counter()
        work()
        seconds = time.perf_counter() - began
        return Cost(seconds, self.processor() + _of_children() - before)

    def after_a_change(self) -> Cost:
        """What the first sequence takes more than others. smbd loads all shares again after each
        deletion, one message after the other; those of the others must not delay the first."""
        others = min(self.cycles(CYCLES)["create"])
        self.samba.run(["smbcontrol", "-t", "60", "-s", self.samba.conf, "smbd", "ping"])
        before = self.processor()
        self.samba.conf.touch()
        first = self.cycles(1)["create"][0]
        return Cost(first - others, self.processor() - before)


def _argument(pid: int, prefix: str) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    return next((word for word in words if word.startswith(prefix)), str(pid))


def _processor(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _of_children() -> float:
    """Of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _testparm(server: Server) -> object:
    return server.samba.run(["testparm", "-s", server.samba.conf], timeout=900)


def measure(*, in_registry: bool = False) -> Iterator[Found]:
    for number in REGISTRY_SIZES if in_registry else SIZES:
        with Lab() as lab:
            server = Server(lab, number, in_registry=in_registry)
            yield _found(server, number)
            if number == SIZES[-1]:
                server.grow(COPIES)
                yield _found(server, number, started=True)


def _found(server: Server, number: int, *, started: bool = False) -> Found:
    costs = {"testparm, the floor": _alone(lambda: _testparm(server))}
    if started:
        server.daemon.stop()
    ready = server.start()
    costs["fsrvpd ready"] = Cost(ready, server.processor())
    costs["a sequence after a change, more"] = server.after_a_change()
    for title, words in (
        ("check-config", ("check-config",)),
        ("prune --dry-run", ("fsrvpd", "prune", "--dry-run")),
        ("status", ("fsrvpd", "status")),
        ("reload-config", ("fsrvpd", "reload-config")),
        ("doctor --no-self-test", ("doctor", "--no-self-test")),
        ("share-config", ("share-config", "u00007")),
    ):
        costs[title] = server.cost(lambda words=words: server.daemon.command(*words, check=False))  # type: ignore[misc]
    return Found(number, costs, {name: resident(pid) for name, pid in server.processes().items()})


def _alone(work: Callable[[], object]) -> Cost:
    before, began = _of_children(), time.perf_counter()
    work()
    return Cost(time.perf_counter() - began, _of_children() - before)


def lines() -> Iterator[str]:
    for in_registry in (False, True):
        found = list(measure(in_registry=in_registry))
        where = "the registry" if in_registry else "smb.conf"
        columns = [f"{each.shares:,}" for each in found]
        if not in_registry:
            columns[-1] += f" and {COPIES:,} copies"
        yield from ("", _row(f"shares in {where}", *columns), _row(*["---"] * (len(found) + 1)))
        for name in found[0].costs:
            costs = (each.costs[name] for each in found)
            yield _row(name, *(f"{cost.seconds:.2f} s, {cost.processor:.2f} s" for cost in costs))
        for process in found[0].resident:
            sizes = (each.resident.get(process, 0) for each in found)
            yield _row(f"resident: {process}", *(f"{size / 1e6:.0f} MB" for size in sizes))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
