"""How fsrvpshadow ends. `run` ends as COMMAND did, and uses other numbers for itself, as
`timeout` and `docker run` do."""

from __future__ import annotations

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INCOMPLETE = 3
EXIT_BUSY = 4
EXIT_LEFT = 5
RUN_FAILED = 125
RUN_CANNOT = 126
RUN_NOT_FOUND = 127
EXIT_SIGNAL = 128  # and the signal's number

# For the manual.
MEANINGS = (
    (str(EXIT_DONE), "Done."),
    (str(EXIT_FAILED), "Failed, and nothing is left; or `check` has found what will fail."),
    (str(EXIT_USAGE), "Wrong usage, or a mistake in the configuration."),
    (
        str(EXIT_INCOMPLETE),
        "Done in part: what could not be read or written is named.",
    ),
    (str(EXIT_BUSY), "A server is busy with another set, or another run of the job has not ended."),
    (str(EXIT_LEFT), "Something is left on a server; `fsrvpshadow clean` tries to remove it."),
    (f"{EXIT_SIGNAL} + n", "Ended by the signal n, after everything was removed."),
)
MEANINGS_OF_RUN = (
    ("status of COMMAND", f"It was run; {EXIT_SIGNAL} + n if the signal n has ended it."),
    (
        str(RUN_FAILED),
        "fsrvpshadow itself has failed: COMMAND was not started, or it was and has succeeded, but"
        " its set was gone before it ended, or could not be removed, or what --json prints could"
        " not be written.",
    ),
    (
        str(EXIT_INCOMPLETE),
        "COMMAND has succeeded, but the mounts could not show it everything: what, has been"
        " printed.",
    ),
    (str(RUN_CANNOT), "COMMAND cannot be run."),
    (str(RUN_NOT_FOUND), "COMMAND was not found."),
    (f"{EXIT_SIGNAL} + n", "Ended by the signal n before COMMAND was started, or after its end."),
)


def of_signal(number: int) -> int:
    return EXIT_SIGNAL + number


def of_command(returned: int) -> int:
    """What a shell has in `$?` for what `subprocess` returns."""
    return of_signal(-returned) if returned < 0 else returned
