"""Zig's C compiler (PyPI's ziglang), which has both libcs of both machines with it; and a
Debian of the other machine for qemu-user to run."""

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
    """A machine and a libc, as wheels are tagged and as zig calls them."""

    machine: str
    libc: str  # gnu.2.17 is that of manylinux2014

    @property
    def triple(self) -> str:
        return f"{self.machine}-linux-{self.libc}"

    @property
    def is_musl(self) -> bool:
        return self.libc == "musl"

    def emulation(self) -> list[str]:
        """What a program of this target is run by; its libc comes from a tree, unless static."""
        if self.machine == os.uname().machine:
            return []
        return [f"qemu-{self.machine}", "-L", str(tree(self.machine))]


TARGETS = [
    Target(machine, libc) for machine in ("x86_64", "aarch64") for libc in ("gnu.2.17", "musl")
]


def compile_program(target: Target, sources: Sequence[Path], program: Path) -> None:
    """With zig's checks for undefined behaviour, which end the program."""
    static = ["-static"] if target.is_musl else []
    flags = ["-std=c11", "-O1", "-fsanitize=undefined", "-fsanitize-trap=undefined", *static]
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", target.triple]
    argv = [*zig, *flags, f"-I{ROOT / 'src'}", *sources, "-o", program]
    subprocess.run(argv, check=True, timeout=300)


def build_wheel(target: Target, work: Path) -> Path:
    """As cibuildwheel would, but for the compiler: from the source archive, by setuptools."""
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
    """Debian's pyconfig.h includes one by the machine's name. In the stable ABI all machines
    of 64 bits have the same."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    here = sysconfig.get_config_var("MULTIARCH")
    folder = work / "include"
    for target in TARGETS:
        place = folder / f"{target.machine}-linux-{target.libc.partition('.')[0]}" / version
        place.mkdir(parents=True)
        shutil.copy(f"/usr/include/{here}/{version}/pyconfig.h", place)
    return folder


def tree(machine: str) -> Path:
    """A Debian of another machine, unpacked but not set up: enough to run its Python."""

    def make(target: Path) -> None:
        architecture = f"--arch={ARCHITECTURES[machine]}"
        include = f"--include={','.join(PACKAGES)}"
        bootstrap = ["debootstrap", "--foreign", "--variant=minbase", architecture, include]
        roots.run([*bootstrap, roots.release(), target, roots.MIRROR])
        for package in (target / "var/cache/apt/archives").glob("*.deb"):
            unpack = f"dpkg-deb --fsys-tarfile {package} | tar -x --keep-directory-symlink"
            roots.run(["sh", "-c", f"{unpack} -C {target}"])

    return roots.made(f"python-{machine}", PACKAGES, make)
