"""A short run of each libFuzzer harness, with recorded exchanges as seeds.

For a long run: FSRVPD_FUZZ_RUNS=100000000 pytest tests/fuzz
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(str(path) for path in (ROOT / "src").glob("fsrvp_*.c"))
SANITIZERS = "-fsanitize=fuzzer,address,undefined"
RUNS = os.environ.get("FSRVPD_FUZZ_RUNS", "100000")


def recorded() -> Iterator[tuple[str, bytes]]:
    for path in (ROOT / "tests" / "vectors" / "rpc").glob("*.json"):
        for association in json.loads(path.read_text())["associations"]:
            for line in association["pdus"]:
                yield path.stem, bytes.fromhex(line.split()[1])


def stub_seeds() -> Iterator[bytes]:
    """Yield stubs of requests, each after the byte that selects method, syntax and byte order."""
    for name, data in recorded():
        if data[2] == 0:
            big_endian = not data[4]
            opnum = data[23 if big_endian else 22]
            flags = big_endian | ("ndr64" in name) << 1
            yield bytes([opnum | flags << 4]) + data[24:]
        elif data[2] == 2:
            for first in range(64):
                if first & 15 < 13:
                    yield bytes([first]) + data[24:]
    for units in (1025, 1026, 2000):  # a string as long as is accepted, and longer ones
        text = b"x\0" * (units - 1) + b"\0\0"
        yield bytes([8]) + struct.pack("<III", units, 0, units) + text
        yield bytes([8 | 2 << 4]) + struct.pack("<QQQ", units, 0, units) + text


def pdu_seeds() -> Iterator[bytes]:
    for _, data in recorded():
        yield data


def mounts_seeds() -> Iterator[bytes]:
    yield Path("/proc/self/mountinfo").read_bytes()
    stack = "{0} {1} 0:1 / {2} rw - tmpfs none rw\n"
    lines = [(1, 1, "/"), (2, 1, "/a"), (3, 2, "/a/b"), (4, 2, "/a"), (5, 4, r"/a/b\040c")]
    yield "".join(stack.format(*line) for line in lines).encode()


@pytest.mark.parametrize("target", ["stub", "pdu", "mounts"])
def test_fuzz(target: str, tmp_path: Path) -> None:
    program, corpus = tmp_path / "fuzzer", tmp_path / "corpus"
    harness = str(ROOT / "tests" / "fuzz" / f"fuzz_{target}.c")
    flags = ["-std=c11", "-g", "-O1", SANITIZERS, "-fno-sanitize-recover=all"]
    include = f"-I{ROOT / 'src'}"
    subprocess.run(
        ["clang", *flags, include, harness, *SOURCES, "-o", str(program)], check=True, timeout=120
    )
    corpus.mkdir()
    for number, seed in enumerate(set(globals()[f"{target}_seeds"]())):
        (corpus / str(number)).write_bytes(seed)
    done = subprocess.run(
        [str(program), f"-runs={RUNS}", "-max_len=8192", "-timeout=10", "-seed=1", str(corpus)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
