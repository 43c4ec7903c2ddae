"""`python -m tests.platform [STORAGE…]`: the contract of providers on every storage there is.

btrfs and XFS run on this machine, CephFS in namespaces on this machine, LVM and ZFS in an
emulated one. `lvm` means both storages of LVM. Prints the table, and a summary as pytest does.
With --write FILE, the table is put between the marks in FILE. Exit status: 1 if a test failed,
2 if a storage that was named on the command line could not run.
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

from lab.unit import confined
from tests.platform import ceph, guest
from tests.platform import kernel as kernels
from tests.platform.guest import Guest
from tests.platform.report import BEGIN, END, Table, in_words, tally
from tests.platform.roots import CannotBuild

PROJECT = Path(__file__).parents[2]
CONTRACT = "tests/contract/providers"
SUITE = [
    f"{CONTRACT}/test_contract.py",
    f"{CONTRACT}/test_snapshot_directory.py",
    f"{CONTRACT}/test_whole_volume.py",
]
IN_GUEST = [
    f"{CONTRACT}/test_contract.py",
    f"{CONTRACT}/test_whole_volume.py",
    f"{CONTRACT}/test_several_volumes.py",
]
SNAPSHOTS_MANY = "FSRVPD_TEST_SNAPSHOTS_MANY"  # how many snapshots the test of many makes
GUEST_TIMEOUT = 2400.0  # s; an idle machine needs a third of it
TIMEOUT_FOR_EACH = 60.0  # s, for each of many snapshots
Runner = Callable[[Sequence[str], Path], int]


def pytest_argv(junit: Path) -> List[str]:
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=5"]
    return [*argv, f"--junit-xml={junit}", "-o", "junit_family=xunit1"]


def run_here(storages: Sequence[str], junit: Path, entrance: Sequence[str] = ()) -> int:
    """Return pytest's exit status. Raises: CannotBuild if there is no result at all."""
    environment = {**os.environ, "FSRVPD_TEST_STORAGES": ",".join(storages)}
    argv = [*entrance, *pytest_argv(junit), *SUITE]
    done = subprocess.run(argv, cwd=PROJECT, env=environment, check=False, timeout=1800)
    if not junit.exists():
        raise CannotBuild("pytest ended without a report, see above")
    return done.returncode


def run_with_ceph(storages: Sequence[str], junit: Path) -> int:
    ceph.programs()  # built here, because the namespaces have no network
    return run_here(
        storages,
        junit,
        ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"],
    )


def run_in_guest(
    storages: Sequence[str], junit: Path, kernel: Path, modules: Sequence[str], *more: str
) -> int:
    """Run only tests of storage: the machine is slow, and its Python is ten times slower. They
    run as the service does: with the capabilities and system calls of its unit alone."""
    snapshots_many = os.environ.get(SNAPSHOTS_MANY, "20")
    settings = {
        "FSRVPD_TEST_STORAGES": ",".join(storages),
        "FSRVPD_TEST_MACHINE": "guest",
        SNAPSHOTS_MANY: snapshots_many,
    }
    timeout = GUEST_TIMEOUT + TIMEOUT_FOR_EACH * int(snapshots_many)
    with Guest(guest.programs(), kernel, modules) as machine:
        report = machine.host / "junit.xml"
        tests = [*pytest_argv(Path("/host/junit.xml"))[1:], *IN_GUEST, *more]
        argv = [*confined(), guest.python(), *tests]
        status = machine.run(argv, timeout=timeout, **settings)
        if not report.exists():
            raise CannotBuild("pytest ended without a report, see above")
        shutil.copy(report, junit)
    return status


def run_with_lvm(storages: Sequence[str], junit: Path) -> int:
    """Run on a kernel that can freeze several volumes, to take their snapshots at one moment."""
    modules = ["dm-thin-pool"]
    return run_in_guest(
        storages, junit, kernels.kernel("backports"), modules, f"{CONTRACT}/test_lvm.py"
    )


def run_with_zfs(storages: Sequence[str], junit: Path) -> int:
    return run_in_guest(storages, junit, kernels.with_zfs(), ["zfs"], f"{CONTRACT}/test_zfs.py")


GROUPS: Dict[Tuple[str, ...], Runner] = {
    ("btrfs", "reflink", "command"): run_here,
    ("cephfs",): run_with_ceph,
    ("lvm-xfs", "lvm-ext4"): run_with_lvm,
    ("zfs",): run_with_zfs,
}
STORAGES = [storage for group in GROUPS for storage in group]


def main() -> int:
    arguments = parse_arguments()
    wanted = [storage for storage in STORAGES if _is_meant(storage, arguments.storage or STORAGES)]
    table = Table(STORAGES if arguments.reports else wanted)
    status, counts, began = 0, Counter[str](), time.monotonic()
    with kept(arguments.reports) as directory:
        for group, runner in GROUPS.items():
            storages, junit = (
                [storage for storage in group if storage in wanted],
                directory / f"{group[0]}.xml",
            )
            if storages:
                status |= run_group(table, runner, storages, junit)
                counts += tally(junit) if junit.exists() else Counter()
        for junit in sorted(directory.glob("*.xml")):
            table.add(junit)
    print(f"\n{table.markdown()}\n{table.summary()}")
    print(in_words(counts, time.monotonic() - began))
    if arguments.write:
        write(table, arguments.write)
    return 1 if status or table.failed() else 2 if arguments.storage and table.why else 0


@contextmanager
def kept(directory: Optional[Path]) -> Iterator[Path]:
    """Yield the directory for pytest's reports. One that is given is kept with its reports."""
    if directory:
        directory.mkdir(parents=True, exist_ok=True)
        yield directory
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.platform")
    parser.add_argument("storage", nargs="*", help=", ".join(STORAGES))
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into it")
    parser.add_argument(
        "--reports",
        type=Path,
        metavar="DIRECTORY",
        help="keep what pytest reports, and show storages that do not run now as they last ran",
    )
    arguments = parser.parse_args()
    for name in arguments.storage:
        if not any(_is_meant(storage, [name]) for storage in STORAGES):
            parser.error(f"there is no storage {name}; want some of {', '.join(STORAGES)}")
    return arguments


def _is_meant(storage: str, names: Sequence[str]) -> bool:
    return storage in names or storage.partition("-")[0] in names


def run_group(table: Table, runner: Runner, storages: Sequence[str], junit: Path) -> int:
    """Return pytest's exit status, or 0 if the storages are not available."""
    began, status = time.monotonic(), 0
    print(f"== {', '.join(storages)}", flush=True)
    junit.unlink(missing_ok=True)
    try:
        status = runner(storages, junit)
    except CannotBuild as error:
        table.why.update(dict.fromkeys(storages, str(error)))
        print(error)
    print(f"== {', '.join(storages)}: {time.monotonic() - began:.0f} s", flush=True)
    return status


def write(table: Table, document: Path) -> None:
    before, rest = document.read_text().split(BEGIN)
    after = rest.split(END)[1]
    document.write_text(f"{before}{BEGIN}{table.markdown()}{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
