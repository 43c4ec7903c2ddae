"""Debian's kernel for the guest, and OpenZFS built for it once from Debian's own package.

Neither is installed on this machine, which may run any kernel.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Optional

from tests.platform import apt
from tests.platform.roots import base, cache, chrooted, install, made, release, run

PACKAGE = "linux-image-amd64"
BUILD = ["dkms", "build-essential"]


def kernel(suite: str = "") -> Path:
    """Return a directory with `boot/vmlinuz-*` and `lib/modules/*`.

    The kernel is the release's own, or the newer one of a suite such as `backports`.
    """
    source = f"{release()}-{suite}" if suite else release()

    def make(target: Path) -> None:
        work = target.with_name(target.name + ".work")
        run(["cp", "-a", base(), work])
        try:
            with (work / "etc/apt/sources.list").open("a") as sources:
                sources.write(f"deb {apt.mirror_of(work)} {source} main\n")
            chrooted(work, ["apt-get", "-qq", "update"])
            package = _image(work, source)
            chrooted(work, ["sh", "-c", 'cd /tmp && apt-get -qq download "$1"', "sh", package])
            (archive,) = (work / "tmp").glob("*.deb")
            run(["dpkg-deb", "-x", archive, target])
            run(["depmod", "-b", target, version(target)])
        finally:
            shutil.rmtree(work)

    return made("kernel", [PACKAGE, *filter(None, [suite])], make)


def _image(root: Path, source: str) -> str:
    """Return the kernel package on which the metapackage of the newest kernel depends."""
    argv = ["apt-get", "-s", "-qq", "-t", source, "--no-install-recommends", "install", PACKAGE]
    words = [line.split()[1] for line in chrooted(root, argv).splitlines() if line[:5] == "Inst "]
    return next(word for word in words if word.startswith("linux-image-") and word != PACKAGE)


def version(tree: Path) -> str:
    (only,) = (tree / "lib/modules").iterdir()
    return only.name


def zfs_modules_built() -> Optional[Path]:
    """Return the modules' directory, or None if they have not been built for this kernel."""
    found = cache() / _zfs_name()
    return found if found.exists() else None


def zfs_modules() -> Path:
    """Return a directory with OpenZFS' `*.ko`. Building them takes three minutes."""
    found = zfs_modules_built()
    if found is not None:
        return found
    target = cache() / _zfs_name()
    work = target.with_name(target.name + ".work")
    shutil.rmtree(work, ignore_errors=True)
    run(["cp", "-a", base(), work])
    try:
        wanted = version(kernel())
        install(work, [*BUILD, f"linux-headers-{wanted}"])
        install(work, ["zfs-dkms"])
        (work / "lib/modules" / wanted / "updates/dkms").rename(target)
    finally:
        shutil.rmtree(work)
    return target


def _zfs_name() -> str:
    return f"zfs-{release()}-{version(kernel())}"


def with_zfs() -> Path:
    """Return a directory like that of `kernel`, with OpenZFS' modules added."""
    plain, modules = kernel(), zfs_modules()

    def make(target: Path) -> None:
        run(["cp", "-a", plain, target])
        run(["cp", "-r", modules, target / "lib/modules" / version(plain) / "extra"])
        run(["depmod", "-b", target, version(plain)])

    return made("kernel-with-zfs", [plain.name, modules.name], make)
