"""Zig's C compiler (PyPI's ziglang), which includes both libcs for both machines, and a Debian
of the other machine for qemu-user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple, Sequence

from tests.platform import roots

ROOT = Path(__file__).parents[2]
PACKAGES = ("python3", "python3-cffi-backend", "python3-hypothesis", "python3-pytest")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Target(NamedTuple):
    """A machine and a libc, with their names in tags of wheels and in zig."""

    machine: str
    libc: str  # gnu.2.17 is manylinux2014's

    @property
    def triple(self) -> str:
        return f"{self.machine}-linux-{self.libc}"

    @property
    def is_musl(self) -> bool:
        return self.libc == "musl"

    def emulation(self) -> list[str]:
        """Return the command that runs a program of this target.

        The libc comes from a tree, unless the program is static.
        """
        if self.machine == os.uname().machine:
            return []
        return [f"qemu-{self.machine}", "-L", str(tree(self.machine))]


TARGETS = [
    Target(machine, libc) for machine in ("x86_64", "aarch64") for libc in ("gnu.2.17", "musl")
]


def compile_program(target: Target, sources: Sequence[Path], program: Path) -> None:
    """Compile a program with zig's checks for undefined behaviour, which end the program."""
    static = ["-static"] if target.is_musl else []
    flags = ["-std=c11", "-O1", "-fsanitize=undefined", "-fsanitize-trap=undefined", *static]
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", target.triple]
    argv = [*zig, *flags, f"-I{ROOT / 'src'}", *sources, "-o", program]
    subprocess.run(argv, check=True, timeout=300)


def build_wheel(target: Target, work: Path) -> Path:
    """Build a wheel from the sdist with setuptools, like cibuildwheel but with another compiler."""
    subprocess.run([ROOT / "packaging/source-archive", work], check=True)
    [archive] = work.glob("*.tar.gz")
    subprocess.run(["tar", "xzf", archive, "-C", work], check=True)
    compiler = work / "cc"
    compiler.write_text(
        f'#!/bin/sh\nexec {sys.executable} -m ziglang cc -target {target.triple} "$@"\n'
    )
    compiler.chmod(0o755)
    environment = {
        **os.environ,
        "CC": str(compiler),
        "LDSHARED": f"{compiler} -shared",
        "CFLAGS": f"-I{_python_headers(work)}",
        "_PYTHON_HOST_PLATFORM": f"linux-{target.machine}",
    }
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    [source] = work.glob("fsrvpd-*/")
    subprocess.run([*pip, "-w", work, source], check=True, env=environment, timeout=300)
    [wheel] = work.glob("*.whl")
    return wheel


def _python_headers(work: Path) -> Path:
    """Make an include directory with this machine's pyconfig.h for all targets.

    Debian's pyconfig.h includes one by the machine's name. In the stable ABI it is the same
    for all 64-bit machines.
    """
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    here = sysconfig.get_config_var("MULTIARCH")
    folder = work / "include"
    for target in TARGETS:
        place = folder / f"{target.machine}-linux-{target.libc.partition('.')[0]}" / version
        place.mkdir(parents=True)
        shutil.copy(f"/usr/include/{here}/{version}/pyconfig.h", place)
    return folder


def tree(machine: str) -> Path:
    """Return a Debian of another machine, unpacked but not configured: its Python runs."""

    def make(target: Path) -> None:
        architecture = f"--arch={ARCHITECTURES[machine]}"
        include = f"--include={','.join(PACKAGES)}"
        bootstrap = roots.debootstrap("--foreign", "--variant=minbase", architecture, include)
        roots.run([*bootstrap, roots.release(), target, *roots.mirror()])
        for package in (target / "var/cache/apt/archives").glob("*.deb"):
            unpack = f"dpkg-deb --fsys-tarfile {package} | tar -x --keep-directory-symlink"
            roots.run(["sh", "-c", f"{unpack} -C {target}"])

    return roots.made(f"python-{machine}", PACKAGES, make)
