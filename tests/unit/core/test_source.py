"""The C files are clean under both compilers, and the header is their whole manual."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "src"
FILES = sorted(SOURCE.glob("*.c"))
HEADER = (SOURCE / "fsrvp_core.h").read_text()
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wvla", "-Werror", "-O2"]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.name))
def test_no_warning(path: Path, compiler: str) -> None:
    subprocess.run([compiler, *STRICT, "-c", str(path), "-o", "/dev/null"], check=True, timeout=120)


def test_every_error_has_its_words() -> None:
    errors = re.findall(r"^    (FSRVP_\w+) = -?\d+,", HEADER, re.MULTILINE)
    texts = (SOURCE / "fsrvp_error.c").read_text()
    assert len(errors) > 10
    assert [name for name in errors if f"case {name}:" not in texts] == []


def test_the_codec_neither_allocates_nor_does_io() -> None:
    forbidden = re.compile(r"\b(malloc|calloc|realloc|free|printf|ioctl|read|write|open)\(")
    for path in FILES:
        if path.name not in ("fsrvp_storage.c", "fsrvp_clone.c"):
            assert not forbidden.findall(path.read_text()), path.name
