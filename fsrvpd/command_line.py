"""What all commands have in common: help for 80 columns, and a version that names the C core."""

from __future__ import annotations

import argparse
from typing import Any

from fsrvpd import __version__

HELP_WIDTH = 78  # columns


class HelpFormatter(argparse.HelpFormatter):
    """For 80 columns. argparse would ask shutil, which is slow to import, for the terminal's
    width, and that for each option, with or without --help."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=HELP_WIDTH)

    def _set_color(self, *chosen: Any, **options: Any) -> None:
        """Called by Python 3.14 for each parser, with or without --help. Its module of colours
        is slow to import, so it waits until a text is formatted."""
        self._chosen = chosen, options

    def __getattr__(self, name: str) -> Any:
        if name not in ("_theme", "_decolor") or "_chosen" not in self.__dict__:
            raise AttributeError(name)
        chosen, options = self._chosen
        super()._set_color(*chosen, **options)  # type: ignore[misc]
        return self.__dict__[name]


def add_version_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-V", "--version", action=_PrintVersion, nargs=0, help="print the version and exit"
    )


class _PrintVersion(argparse.Action):
    """Loads the C core only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *unused: Any) -> None:
        from fsrvpd import core

        print(f"{parser.prog} {__version__} ({core.describe()})")
        parser.exit()
