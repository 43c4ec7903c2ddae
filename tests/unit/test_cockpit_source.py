"""The sources of the page in Cockpit: no host, no version that is not locked. Needs no Node."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.paths import ROOT

SOURCE = ROOT / "cockpit"


def read(name: str) -> Any:
    return json.loads((SOURCE / name).read_text())


def test_the_lock_file_names_no_host() -> None:
    assert "omit-lockfile-registry-resolved=true" in (SOURCE / ".npmrc").read_text().splitlines()
    text = (SOURCE / "package-lock.json").read_text()
    assert not re.search(r"\w+://", text)
    assert '"resolved"' not in text


def test_every_package_is_locked_by_its_content() -> None:
    packages = read("package-lock.json")["packages"]
    assert [name for name, each in packages.items() if name and "integrity" not in each] == []
    asked = read("package.json")
    wanted = {**asked["dependencies"], **asked["devDependencies"]}
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted


def test_the_page_asks_no_other_host_for_anything() -> None:
    sources = [*SOURCE.glob("*.html"), *(SOURCE / "src").iterdir()]
    assert [str(path) for path in sources if re.search(r"https?://", path.read_text())] == []


def texts() -> set[str]:
    """What the page says, as given to gettext."""
    call = re.compile(r'(?<![\w.])(?:_|say)\(\s*("(?:[^"\\]|\\.)*")')
    sources = [path.read_text() for path in (SOURCE / "src").glob("*.ts*")]
    return {json.loads(found) for source in sources for found in call.findall(source)}


@pytest.mark.parametrize("path", sorted((SOURCE / "po").iterdir()), ids=lambda path: str(path.name))
def test_a_catalogue_is_complete(path: Path) -> None:
    entry = re.compile(r'^msgid (".+")\nmsgstr (".+")$', re.MULTILINE)
    found = {json.loads(text): json.loads(said) for text, said in entry.findall(path.read_text())}
    label = read("manifest.json")["menu"]["index"]["label"]
    assert set(found) == texts() | {label}
    values = re.compile(r"\$\d")
    for text, said in found.items():
        assert sorted(values.findall(text)) == sorted(values.findall(said)), text
