"""The configuration: /etc/fsrvpshadow.toml, then the user's own, which overrides it.

    credentials = "/etc/fsrvpshadow.credentials"

    [job.nightly]
    shares = ['\\\\nas\\data', '\\\\nas\\pg']
    writers = ["pg"]
    run = ["restic", "backup", "."]

    [writer.pg]
    kind = "postgresql"
    connect = "service=nas"

A key that is not known is refused, since a mistyped one would be a backup that is not made.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, Dict, Mapping, NamedTuple, Optional, Sequence, TextIO, Tuple

from fsrvpd.requestor.ctl.exit_status import EXIT_USAGE
from fsrvpd.requestor.ctl.keys import KEYS, KEYS_OF_JOB, Key
from fsrvpd.requestor.ctl.toml_lines import line_of, toml
from fsrvpd.requestor.ctl.writer_keys import COMMAND, KEYS_OF_WRITERS, KIND, KINDS
from fsrvpd.requestor.errors import RequestorError

FILE_NAME = "fsrvpshadow.toml"
SYSTEM = Path("/etc") / FILE_NAME
JOB = "job"
WRITER = "writer"
MOST_CHARACTERS = 1 << 20


class WrongConfiguration(RequestorError):
    def __init__(self, where: str, cause: str, next_step: str) -> None:
        super().__init__(where, cause, next_step, exit_status=EXIT_USAGE)


class Section(NamedTuple):
    """The keys of a job, or those that hold for all; None where one is not set."""

    credentials: Optional[str] = None
    encrypt: Optional[bool] = None
    wait: Optional[float] = None
    owners: Optional[Tuple[str, ...]] = None
    window: Optional[float] = None
    mount: Optional[bool] = None
    metrics: Optional[str] = None
    shares: Optional[Tuple[str, ...]] = None
    run: Optional[Tuple[str, ...]] = None
    writers: Optional[Tuple[str, ...]] = None

    def over(self, other: Section) -> Section:
        """This one's keys, and the other's where this one has none."""
        keys = {name: value for name, value in self._asdict().items() if value is not None}
        return other._replace(**keys)


class WriterSection(NamedTuple):
    """[writer.NAME]; `keys` has those that are set."""

    name: str
    kind: str
    keys: Mapping[str, Any]


class Configuration(NamedTuple):
    common: Section = Section()
    jobs: Mapping[str, Section] = {}
    writers: Mapping[str, WriterSection] = {}
    files: Tuple[str, ...] = ()  # that exist

    def job(self, name: str) -> Section:
        """Raises: WrongConfiguration."""
        if name in self.jobs:
            return self.jobs[name].over(self.common)
        raise self._missing(JOB, name, self.jobs)

    def writer(self, name: str) -> WriterSection:
        """Raises: WrongConfiguration."""
        if name in self.writers:
            return self.writers[name]
        raise self._missing(WRITER, name, self.writers)

    def _missing(self, what: str, name: str, there: Mapping[str, Any]) -> WrongConfiguration:
        known = f"there are: {', '.join(sorted(there))}" if there else "there is none"
        where = " or ".join(self.files or map(str, places()))
        cause = f"it is not in {where}; {known}"
        return WrongConfiguration(f"{what} {name}", cause, f"add [{what}.{name}]")


def places(environment: Mapping[str, str] = os.environ) -> Tuple[Path, Path]:
    """Where a configuration may be; the later one overrides the earlier."""
    folder = environment.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return SYSTEM, Path(folder, FILE_NAME)


def load(paths: Optional[Sequence[Path]] = None) -> Configuration:
    """Raises: WrongConfiguration."""
    whole = Configuration()
    for path in places() if paths is None else paths:
        text = _text(path)
        if text is not None:
            found = parse(text, str(path))
            whole = Configuration(
                found.common.over(whole.common),
                {**whole.jobs, **found.jobs},
                {**whole.writers, **found.writers},
                (*whole.files, str(path)),
            )
    return whole


def _text(path: Path) -> Optional[str]:
    try:
        with open(path, encoding="utf-8", opener=_without_waiting) as file:
            _check_owner(path, os.fstat(file.fileno()))
            return _whole(path, file)
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise WrongConfiguration(str(path), "it is not UTF-8", "save it as UTF-8") from None
    except OSError as error:
        cause = error.strerror or str(error)
        raise WrongConfiguration(str(path), cause, "let its reader read it, or move it") from None


def _whole(path: Path, file: TextIO) -> str:
    text = file.read(MOST_CHARACTERS + 1)
    if len(text) > MOST_CHARACTERS:
        raise WrongConfiguration(str(path), "it is too large", "see whether it is another file")
    return text


def _without_waiting(path: str, flags: int) -> int:
    """A FIFO would be waited for until somebody writes to it."""
    return os.open(path, flags | os.O_NONBLOCK)


def _check_owner(path: Path, status: os.stat_result) -> None:
    """It names commands that are run. Raises: WrongConfiguration."""
    if not stat.S_ISREG(status.st_mode):
        raise WrongConfiguration(str(path), "it is not a file", "move it")
    if status.st_uid not in (0, os.geteuid()):
        next_step = f"chown {os.geteuid()} {path}, if you trust what is in it"
        raise WrongConfiguration(str(path), "it belongs to another user", next_step)
    if status.st_mode & stat.S_IWOTH:
        raise WrongConfiguration(str(path), "everybody may write to it", f"chmod o-w {path}")


def parse(text: str, name: str) -> Configuration:
    """`name` is the file's, for messages. Raises: WrongConfiguration."""
    try:
        document = toml.loads(text)
    except (RecursionError, ValueError) as error:  # also of numbers that no Python takes
        raise WrongConfiguration(name, f"it is not TOML: {error}", "correct the line") from None
    reader = _Reader(text, name)
    jobs, writers = reader.sections(document, JOB), reader.sections(document, WRITER)
    common = reader.section(document, (), KEYS)
    return Configuration(
        common,
        {job: reader.section(keys, (JOB, job), KEYS_OF_JOB) for job, keys in jobs.items()},
        {writer: reader.writer(keys, writer) for writer, keys in writers.items()},
    )


class _Reader(NamedTuple):
    text: str
    name: str

    def sections(self, document: Dict[str, Any], name: str) -> Mapping[str, Any]:
        """Those of jobs or writers, which are taken out of the document."""
        found = document.pop(name, {})
        if isinstance(found, dict):
            return found
        raise self.wrong((name,), f"`{name}` is no section", f"write [{name}.NAME]")

    def section(self, found: Any, path: Tuple[str, ...], keys: Sequence[Key]) -> Section:
        return Section(**self._values(found, path, keys))

    def writer(self, found: Any, name: str) -> WriterSection:
        path = (WRITER, name)
        kind = self._kind(found, path)
        keys = self._values(found, path, (*KEYS_OF_WRITERS, *KINDS[kind].keys))
        keys.pop(KIND, None)
        needs = KINDS[kind].needs
        of_kind = {name for names in needs for name in names} & keys.keys()
        if needs and not any(of_kind == set(names) for names in needs):
            wanted = ", or ".join(" and ".join(f"`{name}`" for name in names) for names in needs)
            raise self.wrong(path, f"a writer of kind {kind} needs {wanted}", "write them into it")
        return WriterSection(name, kind, keys)

    def _kind(self, found: Any, path: Tuple[str, ...]) -> str:
        kind = found.get(KIND, COMMAND) if isinstance(found, dict) else COMMAND
        if isinstance(kind, str) and kind in KINDS:
            return kind
        raise self.wrong((*path, KIND), "`kind` is unknown", f"write one of {', '.join(KINDS)}")

    def _values(self, found: Any, path: Tuple[str, ...], keys: Sequence[Key]) -> Dict[str, Any]:
        if not isinstance(found, dict):
            raise self.wrong(path, f"`{path[-1]}` is no section", f"write [{'.'.join(path)}]")
        known = {key.name: key for key in keys}
        for key in found:
            if key not in known:
                raise self.wrong((*path, key), f"unknown key `{key}`", self._known(path, keys))
        return {key: self._value(known[key], value, path) for key, value in found.items()}

    def _value(self, key: Key, value: Any, path: Tuple[str, ...]) -> Any:
        try:
            return key.read(value)
        except ValueError as error:
            cause, next_step = f"`{key.name}` has another kind of value", f"write {error}"
            raise self.wrong((*path, key.name), cause, next_step) from None

    def _known(self, path: Tuple[str, ...], keys: Sequence[Key]) -> str:
        where = f"in [{'.'.join(path)}]" if path else "outside of [job.NAME] and [writer.NAME]"
        return f"known {where}: {', '.join(key.name for key in keys)}"

    def wrong(self, path: Tuple[str, ...], cause: str, next_step: str) -> WrongConfiguration:
        line = line_of(self.text, path)
        return WrongConfiguration(f"{self.name}, line {line}", cause, next_step)
