"""`python -m tests.platform [BED…]`: the contract of providers on every storage there is.

Each bed runs where its storage can be had: btrfs and XFS on this machine, CephFS in
namespaces on this machine, LVM and ZFS in an emulated one. `lvm` stands for all its beds.
Prints the table, and what ran in words that pytest would use; with --write FILE puts the
table between the marks in FILE. Exit status 1 when a test has failed, 2 when a bed that was
asked for by name could not run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from tests.platform import ceph, guest
from tests.platform import kernel as kernels
from tests.platform.guest import Guest
from tests.platform.report import BEGIN, END, Table, in_words, tally
from tests.platform.roots import CannotBuild

PROJECT = Path(__file__).parents[2]
CONTRACT = "tests/contract/providers"
SUITE = [
    f"{CONTRACT}/test_contract.py",
    f"{CONTRACT}/test_home.py",
    f"{CONTRACT}/test_whole_volume.py",
]
IN_GUEST = [
    f"{CONTRACT}/test_contract.py",
    f"{CONTRACT}/test_whole_volume.py",
    f"{CONTRACT}/test_several_volumes.py",
]
MANY = "FSRVPD_TEST_MANY"  # how many snapshots are many
GUEST_PATIENCE = 2400.0  # s; a third of that on an idle machine
PATIENCE_FOR_EACH = 60.0  # s, of the many
Runner = Callable[[Sequence[str], Path], int]


def pytest_argv(junit: Path) -> List[str]:
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=5"]
    return [*argv, f"--junit-xml={junit}", "-o", "junit_family=xunit1"]


def run_here(beds: Sequence[str], junit: Path, entrance: Sequence[str] = ()) -> int:
    """pytest's exit status. Raises: CannotBuild when there is no result at all."""
    environment = {**os.environ, "FSRVPD_TEST_BEDS": ",".join(beds)}
    argv = [*entrance, *pytest_argv(junit), *SUITE]
    done = subprocess.run(argv, cwd=PROJECT, env=environment, check=False, timeout=1800)
    if not junit.exists():
        raise CannotBuild("pytest ended without a report, see above")
    return done.returncode


def run_with_ceph(beds: Sequence[str], junit: Path) -> int:
    ceph.programs()  # made here, where there is a network
    return run_here(
        beds,
        junit,
        ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"],
    )


def run_in_guest(
    beds: Sequence[str], junit: Path, kernel: Path, modules: Sequence[str], *more: str
) -> int:
    """Only what is about storage: the machine is slow, and its Python ten times as slow."""
    many = os.environ.get(MANY, "20")
    settings = {"FSRVPD_TEST_BEDS": ",".join(beds), "FSRVPD_TEST_MACHINE": "guest", MANY: many}
    patience = GUEST_PATIENCE + PATIENCE_FOR_EACH * int(many)
    with Guest(guest.programs(), kernel, modules) as machine:
        report = machine.host / "junit.xml"
        argv = [guest.python(), *pytest_argv(Path("/host/junit.xml"))[1:], *IN_GUEST, *more]
        status = machine.run(argv, timeout=patience, **settings)
        if not report.exists():
            raise CannotBuild("pytest ended without a report, see above")
        shutil.copy(report, junit)
    return status


def run_with_lvm(beds: Sequence[str], junit: Path) -> int:
    """On a kernel that can freeze several volumes for snapshots of one moment."""
    modules = ["dm-thin-pool"]
    return run_in_guest(
        beds, junit, kernels.kernel("backports"), modules, f"{CONTRACT}/test_lvm.py"
    )


def run_with_zfs(beds: Sequence[str], junit: Path) -> int:
    return run_in_guest(beds, junit, kernels.with_zfs(), ["zfs"], f"{CONTRACT}/test_zfs.py")


GROUPS: Dict[Tuple[str, ...], Runner] = {
    ("btrfs", "reflink", "command"): run_here,
    ("cephfs",): run_with_ceph,
    ("lvm-xfs", "lvm-ext4"): run_with_lvm,
    ("zfs",): run_with_zfs,
}
BEDS = [bed for group in GROUPS for bed in group]


def main() -> int:
    arguments = parse_arguments()
    wanted = [bed for bed in BEDS if _is_meant(bed, arguments.bed or BEDS)]
    table = Table(BEDS if arguments.reports else wanted)
    status, counts, began = 0, Counter[str](), time.monotonic()
    with kept(arguments.reports) as directory:
        for group, runner in GROUPS.items():
            beds, junit = [bed for bed in group if bed in wanted], directory / f"{group[0]}.xml"
            if beds:
                status |= run_group(table, runner, beds, junit)
                counts += tally(junit) if junit.exists() else Counter()
        for junit in sorted(directory.glob("*.xml")):
            table.add(junit)
    print(f"\n{table.markdown()}\n{table.summary()}")
    print(in_words(counts, time.monotonic() - began))
    if arguments.write:
        write(table, arguments.write)
    return 1 if status or table.failed() else 2 if arguments.bed and table.why else 0


@contextmanager
def kept(directory: Optional[Path]) -> Iterator[Path]:
    """Where the reports of pytest are put: one that is given stays, with those in it."""
    if directory:
        directory.mkdir(parents=True, exist_ok=True)
        yield directory
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.platform")
    parser.add_argument("bed", nargs="*", help=", ".join(BEDS))
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into it")
    parser.add_argument(
        "--reports",
        type=Path,
        metavar="DIRECTORY",
        help="keep what pytest reports, and show beds that do not run now as they last ran",
    )
    arguments = parser.parse_args()
    for name in arguments.bed:
        if not any(_is_meant(bed, [name]) for bed in BEDS):
            parser.error(f"there is no bed {name}; want some of {', '.join(BEDS)}")
    return arguments


def _is_meant(bed: str, names: Sequence[str]) -> bool:
    return bed in names or bed.partition("-")[0] in names


def run_group(table: Table, runner: Runner, beds: Sequence[str], junit: Path) -> int:
    """pytest's exit status, 0 when the beds cannot be had."""
    began, status = time.monotonic(), 0
    print(f"== {', '.join(beds)}", flush=True)
    junit.unlink(missing_ok=True)
    try:
        status = runner(beds, junit)
    except CannotBuild as error:
        table.why.update(dict.fromkeys(beds, str(error)))
        print(error)
    print(f"== {', '.join(beds)}: {time.monotonic() - began:.0f} s", flush=True)
    return status


def write(table: Table, document: Path) -> None:
    before, rest = document.read_text().split(BEGIN)
    after = rest.split(END)[1]
    document.write_text(f"{before}{BEGIN}{table.markdown()}{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
