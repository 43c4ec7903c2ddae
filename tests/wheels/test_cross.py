"""The C core is built, inspected and run for each machine and libc that wheels are made for.

cibuildwheel's own builds are not covered: they need a container engine. The compiler here is a
different one; sources, flags and build system are those of the wheel.
"""

from __future__ import annotations

import random
import subprocess
import zipfile
from pathlib import Path
from typing import Iterator

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

from tests.fuzz import test_fuzz
from tests.wheels.cross import ROOT, TARGETS, Target, build_wheel, compile_program, tree

MUTANTS = 100  # of each seed
CORE_TESTS = ("test_ndr.py", "test_pdu.py", "test_mounts.py")
LOADERS = {"ld-linux-aarch64.so.1"}  # part of that libc, and in manylinux's list
EXTENSION = "fsrvpd/core/_native.abi3.so"
# An emulated machine is slow, which must not fail a test.
TIMEOUT = """
from hypothesis import HealthCheck, settings
settings.register_profile("emulated", deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("emulated")
"""


@pytest.fixture(scope="module", params=TARGETS, ids=lambda target: target.triple)
def target(request: pytest.FixtureRequest) -> Target:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def wheel(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(target, tmp_path_factory.mktemp("wheel"))


def test_the_extension_is_for_the_machine_and_asks_for_nothing_new(
    target: Target, wheel: Path
) -> None:
    assert wheel.name.endswith(f"-cp39-abi3-linux_{target.machine}.whl")
    with zipfile.ZipFile(wheel) as archive, archive.open(EXTENSION) as file:
        elf = ELFFile(file)
        assert elf.get_machine_arch() == {"x86_64": "x64", "aarch64": "AArch64"}[target.machine]
        dynamic = elf.get_section_by_name(".dynamic")
        needed = {tag.needed for tag in dynamic.iter_tags() if tag.entry.d_tag == "DT_NEEDED"}
        assert needed - LOADERS == ({"libc.so"} if target.is_musl else {"libc.so.6"})
        assert all(version <= (2, 17) for version in glibc_versions(elf))


def glibc_versions(elf: ELFFile) -> Iterator[tuple[int, ...]]:
    for section in elf.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for _, versions in section.iter_versions():
                for version in versions:
                    yield tuple(int(n) for n in version.name.partition("_")[2].split("."))


@pytest.mark.parametrize("harness", ["stub", "pdu", "mounts"])
def test_hostile_input_is_survived(target: Target, harness: str, tmp_path: Path) -> None:
    program = tmp_path / "replay"
    core = sorted((ROOT / "src").glob("fsrvp_*.c"))
    here = Path(__file__).with_name("replay.c")
    compile_program(target, [here, ROOT / f"tests/fuzz/fuzz_{harness}.c", *core], program)
    records = list(mutants(set(getattr(test_fuzz, f"{harness}_seeds")())))
    packed = b"".join(len(record).to_bytes(4, "little") + record for record in records)
    argv = [*target.emulation(), str(program)]
    done = subprocess.run(argv, input=packed, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(records) > MUTANTS


def mutants(seeds: set[bytes]) -> Iterator[bytes]:
    """Yield each seed unchanged, and with bytes changed or cut off: the same ones in every run."""
    chance = random.Random(1)
    for seed in sorted(seeds):
        yield seed
        for _ in range(MUTANTS):
            changed = bytearray(seed[: chance.randint(1, len(seed))])
            for _ in range(chance.randint(0, 4)):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            yield bytes(changed)


@pytest.mark.parametrize("target", [Target("aarch64", "gnu.2.17")], indirect=True, ids=["aarch64"])
def test_the_core_s_own_tests_pass_from_the_wheel(
    target: Target, wheel: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    tests = tmp_path / "tests"
    for name in ("oracle/__init__.py", "oracle/ndr.py", "oracle/pdu.py", "unit/core/conftest.py"):
        place(name, tests)
    for name in CORE_TESTS:
        place(f"unit/core/{name}", tests)
    (tests / "__init__.py").touch()
    (tmp_path / "conftest.py").write_text(TIMEOUT)
    python = str(tree(target.machine) / "usr/bin/python3")
    argv = [*target.emulation(), python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(
        argv, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert "skipped" not in done.stdout


def place(name: str, tests: Path) -> None:
    target = tests / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes((ROOT / "tests" / name).read_bytes())
