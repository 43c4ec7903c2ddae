"""The libraries that fsrvpshadow's packages bring: one version of each, in all files."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.paths import ROOT

PINNED = dict(
    re.findall(
        r"(?m)^([\w-]+)==(\S+) \\\n    --hash=sha256:[0-9a-f]{64}$",
        (ROOT / "packaging/requestor-libraries.txt").read_text(),
    )
)


def versions(path: str, pattern: str) -> dict[str, str]:
    return dict(re.findall(pattern, (ROOT / path).read_text()))


def test_the_libraries_are_pinned_by_hash() -> None:
    assert set(PINNED) == {"mfusepy", "pyspnego", "smbprotocol"}


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("packaging/rpm/fsrvpd.spec", r"bundled\(python3dist\(([\w-]+)\)\) = (\S+)"),
        ("docs/libraries.md", r"(?m)^\| \[([\w-]+)\]\(\S+\) \| (\S+) \|"),
    ],
)
def test_other_files_name_the_same_versions(path: str, pattern: str) -> None:
    assert versions(path, pattern) == PINNED


def test_the_extra_for_pip_admits_them() -> None:
    lowest = versions("pyproject.toml", r'"([\w-]+)>=([\d.]+)"')
    for name, version in PINNED.items():
        assert numbers(version) >= numbers(lowest[name])


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


@pytest.mark.skipif(not Path("/usr/bin/pip3").exists(), reason="packages are built elsewhere")
def test_one_command_takes_the_newest(tmp_path: Path) -> None:
    """pip finds newer ones in a folder here."""
    files = ["packaging/requestor-libraries.txt", "packaging/rpm/fsrvpd.spec", "docs/libraries.md"]
    for file in (*files, "packaging/update-requestor-libraries"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    for name in PINNED:
        write_wheel(tmp_path, name, "99.1")
    subprocess.run(
        [tmp_path / "packaging/update-requestor-libraries"],
        env={**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)},
        check=True,
        timeout=120,
    )
    for file in files:
        before, after = (ROOT / file).read_text(), (tmp_path / file).read_text()
        for version in PINNED.values():
            before = before.replace(version, "99.1")
        hashes = re.compile("sha256:[0-9a-f]{64}")
        assert hashes.sub("", after) == hashes.sub("", before)
    for name in PINNED:
        wheel = tmp_path / f"{name}-99.1-py3-none-any.whl"
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        assert f"{name}==99.1 \\\n    --hash=sha256:{digest}\n" in (tmp_path / files[0]).read_text()


def write_wheel(directory: Path, name: str, version: str) -> None:
    files = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(directory / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for file, text in files.items():
            wheel.writestr(f"{name}-{version}.dist-info/{file}", text)
