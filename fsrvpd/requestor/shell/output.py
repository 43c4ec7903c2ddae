"""Where the shell prints: standard output or standard error, and the log file of -l."""

from __future__ import annotations

from typing import Optional, TextIO

from fsrvpd.terminal import indented

PROGRAM = "fsrvpshadow"


class Output:
    """Every text is written at once: a program that EXEC runs writes to the same terminal.

    DISKSHADOW's tabs are printed as they are, so whoever prints a name escapes it.
    """

    def __init__(self, stdout: TextIO, stderr: TextIO, log: Optional[TextIO] = None) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._log = log

    def line(self, text: str) -> None:
        self._write(self._stdout, text)

    def error(self, text: str) -> None:
        self._write(self._stderr, indented(f"{PROGRAM}: {text}"))

    def note(self, text: str) -> None:
        """Only into the log: what a terminal shows already."""
        if self._log:
            self._write(self._log, text)

    def _write(self, stream: TextIO, text: str) -> None:
        for each in (stream, self._log) if self._log and stream is not self._log else (stream,):
            print(text, file=each, flush=True)
