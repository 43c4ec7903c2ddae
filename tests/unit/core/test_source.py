"""The C files compile without warnings, and the header documents what they export."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.paths import ROOT

SOURCE = ROOT / "src"
FILES = sorted(SOURCE.glob("*.c"))
HEADER = (SOURCE / "fsrvp_core.h").read_text()
MAKE_SYSTEM_CALLS = (
    "fsrvp_attributes.c",
    "fsrvp_btrfs.c",
    "fsrvp_clone.c",
    "fsrvp_directory.c",
    "fsrvp_files.c",
    "fsrvp_handles.c",
    "fsrvp_mount_calls.c",
)
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wvla", "-Werror", "-O2"]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.name))
def test_no_warning(path: Path, compiler: str) -> None:
    subprocess.run([compiler, *STRICT, "-c", str(path), "-o", "/dev/null"], check=True, timeout=120)


def test_every_error_has_its_words() -> None:
    errors = re.findall(r"^    (FSRVP_\w+) = -?\d+,", HEADER, re.MULTILINE)
    texts = (SOURCE / "fsrvp_core.c").read_text()
    assert len(errors) > 10
    assert [name for name in errors if f"case {name}:" not in texts] == []


def test_the_codec_neither_allocates_nor_does_io() -> None:
    forbidden = re.compile(r"\b(malloc|calloc|realloc|free|printf|ioctl|read|write|open)\(")
    for path in FILES:
        if path.name not in MAKE_SYSTEM_CALLS:
            assert not forbidden.findall(path.read_text()), path.name


def test_the_prefix_is_for_what_python_may_call() -> None:
    declared = set(re.findall(r"\bfsrvp_\w+", HEADER))
    for path in FILES + sorted(SOURCE.glob("*.h")):
        code = re.sub(r"#include.*|/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        assert set(re.findall(r"\bfsrvp_\w+", code)) <= declared, path.name
