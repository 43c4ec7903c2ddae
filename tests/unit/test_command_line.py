"""What all commands have in common: help, and a version that names the core."""

from __future__ import annotations

import argparse

import pytest

from fsrvpd import __version__
from fsrvpd.command_line import HelpFormatter, add_version_argument


def parsed(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fsrvpd", formatter_class=HelpFormatter)
    add_version_argument(parser)
    parser.add_argument("--long", help="a text of many words, " * 8)
    return parser.parse_args(argv)


def test_help_is_for_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit):
        parsed("--help")
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_the_version_names_the_core(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parsed("-V")
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(f"fsrvpd {__version__} (C core ")
