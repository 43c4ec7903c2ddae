"""`python -m tests.platform [BED…]`: the contract of providers on every storage there is.

Each bed runs where its storage can be had: btrfs and XFS on this machine, CephFS in
namespaces on this machine, LVM and ZFS in an emulated one. Prints the table; with
--write FILE puts it between the marks in FILE. Exit status 1 when a cell has failed, 2
when a bed that was asked for by name could not run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, List, Sequence, Tuple

from tests.platform import ceph, guest
from tests.platform import kernel as kernels
from tests.platform.guest import Guest
from tests.platform.report import BEGIN, END, Table, outcomes
from tests.platform.roots import CannotBuild

PROJECT = Path(__file__).parents[2]
CONTRACT = "tests/contract/providers"
SUITE = [
    f"{CONTRACT}/test_contract.py",
    f"{CONTRACT}/test_home.py",
    f"{CONTRACT}/test_whole_volume.py",
]
IN_GUEST = [f"{CONTRACT}/test_contract.py", f"{CONTRACT}/test_whole_volume.py"]
GUEST_PATIENCE = 2400.0  # s; a quarter of that on an idle machine
Runner = Callable[[Sequence[str], Path], None]


def pytest_argv(junit: Path) -> List[str]:
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={junit}"]


def run_here(beds: Sequence[str], junit: Path, entrance: Sequence[str] = ()) -> None:
    """Raises: CannotBuild when there is no result at all."""
    environment = {**os.environ, "FSRVPD_TEST_BEDS": ",".join(beds)}
    argv = [*entrance, *pytest_argv(junit), *SUITE]
    subprocess.run(argv, cwd=PROJECT, env=environment, check=False, timeout=1800)
    if not junit.exists():
        raise CannotBuild("pytest ended without a report, see above")


def run_with_ceph(beds: Sequence[str], junit: Path) -> None:
    ceph.programs()  # made here, where there is a network
    run_here(
        beds,
        junit,
        ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"],
    )


def run_in_guest(beds: Sequence[str], junit: Path, kernel: Path, modules: Sequence[str]) -> None:
    """Only what is about storage: the machine is slow, and its Python ten times as slow."""
    settings = {"FSRVPD_TEST_BEDS": ",".join(beds), "FSRVPD_TEST_MACHINE": "guest"}
    with Guest(guest.programs(), kernel, modules) as machine:
        report = machine.host / "junit.xml"
        argv = [guest.python(), *pytest_argv(Path("/host/junit.xml"))[1:], *IN_GUEST]
        machine.run(argv, timeout=GUEST_PATIENCE, **settings)
        if not report.exists():
            raise CannotBuild("pytest ended without a report, see above")
        shutil.copy(report, junit)


def run_with_lvm(beds: Sequence[str], junit: Path) -> None:
    """On a kernel that can freeze several volumes for snapshots of one moment."""
    run_in_guest(beds, junit, kernels.kernel("backports"), ["dm-thin-pool"])


def run_with_zfs(beds: Sequence[str], junit: Path) -> None:
    run_in_guest(beds, junit, kernels.with_zfs(), ["zfs"])


GROUPS: Dict[Tuple[str, ...], Runner] = {
    ("btrfs", "reflink"): run_here,
    ("cephfs",): run_with_ceph,
    ("lvm",): run_with_lvm,
    ("zfs",): run_with_zfs,
}
BEDS = [bed for group in GROUPS for bed in group]


def main() -> int:
    arguments = parse_arguments()
    wanted = arguments.bed or BEDS
    table = Table([bed for bed in BEDS if bed in wanted])
    with tempfile.TemporaryDirectory() as directory:
        for group, runner in GROUPS.items():
            beds = [bed for bed in group if bed in wanted]
            if beds:
                run_group(table, runner, beds, Path(directory) / f"{beds[0]}.xml")
    print(f"\n{table.markdown()}\n{table.summary()}")
    if arguments.write:
        write(table, arguments.write)
    return 1 if table.failed() else 2 if arguments.bed and table.why else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.platform")
    parser.add_argument("bed", nargs="*", choices=[[], *BEDS], default=[])
    parser.add_argument("--write", type=Path, metavar="FILE")
    return parser.parse_args()


def run_group(table: Table, runner: Runner, beds: Sequence[str], junit: Path) -> None:
    began = time.monotonic()
    print(f"== {', '.join(beds)}", flush=True)
    try:
        runner(beds, junit)
        for outcome in outcomes(junit, beds):
            table.add(outcome)
    except CannotBuild as error:
        table.why.update(dict.fromkeys(beds, str(error)))
        print(error)
    print(f"== {', '.join(beds)}: {time.monotonic() - began:.0f} s", flush=True)


def write(table: Table, document: Path) -> None:
    before, rest = document.read_text().split(BEGIN)
    after = rest.split(END)[1]
    document.write_text(f"{before}{BEGIN}{table.markdown()}{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
