"""What cannot be run, and why."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from fsrvpd.requestor.ctl.program import CannotRun, cannot_run, require


def test_what_can_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "backup"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"/nothing:{tmp_path}")
    require("backup")
    require(str(script))
    monkeypatch.chdir(tmp_path)
    require("./backup")


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("plain", 126, "plain: Permission denied; chmod \\+x it"),
        ("folder", 126, "folder: Permission denied"),
        ("nothing", 127, "nothing: No such file or directory; install it"),
    ],
)
def test_what_cannot(
    name: str, status: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    (tmp_path / "folder").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    for written in (name, str(tmp_path / name)):
        with pytest.raises(CannotRun, match=said) as caught:
            require(written)
        assert caught.value.exit_status == status


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("#!/no/such/interpreter\n", "its first line names an interpreter that is not there"),
        ("#!/bin/sh\r\ntrue\r\n", "or it has Windows' line ends"),
        ("true\n", "Exec format error; write #!/bin/sh into its first line"),
    ],
)
def test_a_script_that_the_system_does_not_start(text: str, said: str, tmp_path: Path) -> None:
    script = tmp_path / "backup"
    script.write_bytes(text.encode())
    script.chmod(0o755)
    require(str(script))
    with pytest.raises(OSError, match="backup") as refused:
        subprocess.Popen([script])
    error = cannot_run(str(script), refused.value)
    assert said in str(error)
    assert error.exit_status == 126


def test_too_many_words() -> None:
    error = cannot_run("/bin/true", OSError(7, os.strerror(7)))
    assert "fewer words" in str(error)
