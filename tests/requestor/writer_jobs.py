"""Jobs with writers, run by the command as an administrator does."""

from __future__ import annotations

import json
from typing import Any, Mapping, NamedTuple, Sequence

from lab.namespaces import Argument
from tests.requestor.command_host import Host

JOB = ("--json", "run", "-c", "writers", "--")
FAILED = 125  # the exit status of `run` for what is not COMMAND's

Writers = Mapping[str, Mapping[str, Any]]


class Answer(NamedTuple):
    status: int
    events: Sequence[Mapping[str, Any]]
    said: str  # on standard error

    def names(self) -> list[str]:
        return [each["event"] for each in self.events]

    def event(self, name: str) -> Mapping[str, Any]:
        """The only one of the name."""
        (found,) = [each for each in self.events if each["event"] == name]
        return found

    @property
    def error(self) -> str:
        failed = self.event("failed")
        return f"{failed['object']}: {failed['cause']}; {failed['next_step']}"


def configuration(shares: Sequence[str], writers: Writers, **job: Any) -> str:
    """A job `writers` and its writers. JSON's strings, numbers, lists and booleans are TOML's."""
    sections = {"job.writers": {"shares": shares, "writers": list(writers), **job}}
    sections.update({f"writer.{name}": dict(keys) for name, keys in writers.items()})
    lines = []
    for section, keys in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return "\n".join([*lines, ""])


def run_job(
    host: Host,
    shares: Sequence[str],
    writers: Writers,
    command: Sequence[Argument] = ("true",),
    **job: Any,
) -> Answer:
    host.write_configuration(configuration(shares, writers, **job))
    done = host.run(*JOB, *command)
    lines = done.stdout.splitlines()
    return Answer(done.returncode, [json.loads(line) for line in lines], done.stderr)
