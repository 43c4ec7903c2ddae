"""What Samba drops of a section that is there twice. Samba is asked in tests/interop."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsrvpd.config.repeated_sections import repeated_sections


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a]\nfsrvp:keep = yes\n[b]\nfsrvp:keep = yes\n", []),
        ("[a]\npath = /a\n[a]\nfsrvp:keep = yes\n", []),
        ("[global]\nfsrvpd:x = 1\n[global]\nfsrvpd:y = 2\n", []),
        ("[a]\nfsrvp:keep = yes\n[a]\nfsrvp : Keep = no\n", []),
        ("[a]\n# fsrvp:keep = yes\n[a]\npath = /\n", []),
        (
            "[a]\nfsrvp:keep = yes\n[b]\npath = /\n[A ]\npath = /\n",
            ["line 5: [A ] is", "fsrvp:keep of"],
        ),
        ("[a]\nx:1 = 1\n[a]\nx:2 = 1\n[a]\n", ["line 5: [a] is", "drops x:1, x:2 of"]),
        ("[a]\nx:1=1\nx:2=1\nx:3=1\nx:4=1\n[a]\nx:5=1\n", ["drops x:1, x:2, x:3 and 1 more of"]),
    ],
)
def test_what_is_dropped(tmp_path: Path, text: str, expected: list[str]) -> None:
    (tmp_path / "smb.conf").write_text(text)
    found = repeated_sections(str(tmp_path / "smb.conf"))
    assert len(found) == bool(expected), found
    for words in expected:
        assert words in found[0]


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    assert repeated_sections(str(tmp_path / "none")) == []
