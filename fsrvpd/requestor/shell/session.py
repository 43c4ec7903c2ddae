"""A session of the shell: what each command does."""

from __future__ import annotations

import subprocess
from typing import Any, Callable, Mapping, Optional, Sequence, Tuple

from fsrvpd import __version__
from fsrvpd.errors import FsrvpdError
from fsrvpd.requestor.ctl.signals import Signals
from fsrvpd.requestor.shell import metadata, statements, texts
from fsrvpd.requestor.shell.lines import WrongWord, expand, is_comment, split
from fsrvpd.requestor.shell.ports import ShadowCopies, Writer
from fsrvpd.requestor.shell.program import environment_of, run_program
from fsrvpd.requestor.shell.settings import Aliases, Settings
from fsrvpd.requestor.shell.shadows import Shadows
from fsrvpd.requestor.shell.words import COMMANDS, shown_path
from fsrvpd.terminal import one_line


class Session:
    """`run` takes one line after the other; `reset` ends the session, and volatile copies with it.

    `machine` is this computer's name, `writers` those that can be asked, `stdin` the input of
    programs: none, or the terminal's.
    """

    def __init__(
        self,
        copies: ShadowCopies,
        output: Callable[[str], None],
        *,
        environment: Mapping[str, str],
        machine: str,
        signals: Signals,
        writers: Sequence[Writer] = (),
        stdin: Optional[int] = subprocess.DEVNULL,
    ) -> None:
        self._print = output
        self._environment = environment
        self._signals = signals
        self._writers = writers
        self._stdin = stdin
        self._settings = Settings()
        self.aliases = Aliases(environment)
        self.shadows = Shadows(copies, output, self.aliases, machine)
        self._copies = copies
        self._opened: Optional[str] = None  # "backup" or "restore"
        self._loaded: Optional[metadata.Metadata] = None
        self.command = ""  # of the last line, as DISKSHADOW writes it
        self._do: dict[type, Callable[[Any], None]] = {
            statements.ShowSettings: self._show_settings,
            statements.SetContext: self._set_context,
            statements.SetOption: self._set_option,
            statements.SetMetadata: self._set_metadata,
            statements.SetVerbose: self._set_verbose,
            statements.Reset: lambda _: self.reset(),
            statements.LoadMetadata: self._load_metadata,
            statements.VerifyWriter: self._verify_writer,
            statements.ExcludeWriter: self._exclude_writer,
            statements.ShowVolumes: self._show_volumes,
            statements.AddVolume: self._add_volume,
            statements.AddAlias: lambda alias: self.aliases.set(alias.name, alias.value),
            statements.Create: self._create,
            statements.Exec: self._exec,
            statements.Begin: self._begin,
            statements.End: self._end,
            statements.ListWriters: self._list_writers,
            statements.ListProviders: lambda _: output(texts.providers(__version__)),
            statements.ListShadows: lambda wanted: self.shadows.show(wanted.which),
            statements.DeleteShadows: lambda wanted: self.shadows.delete(wanted.which),
            statements.Help: self._help,
            statements.Exit: lambda _: None,
        }

    def run(self, line: str) -> bool:
        """Do what a line says; False after EXIT. Raises: RequestorError."""
        self._signals.check()
        if is_comment(line):
            return True
        words = split(line)
        self.command = shown_path(statements.command_of(words))
        expanded = expand(words, self.aliases.value)
        for name, value in expanded.aliases:
            self._print(texts.alias_value(name, value))
        statement = statements.parse(expanded.words)
        self._do[type(statement)](statement)
        return not isinstance(statement, statements.Exit)

    def reset(self) -> None:
        """To the state after the start; volatile copies are deleted. Raises: RequestorError if one
        is not."""
        opened, self._opened = self._opened, None
        self._loaded = None
        self._settings = Settings()
        self.aliases.clear()
        self.shadows.volumes.clear()
        self.shadows.last = ()
        try:
            self.shadows.delete_volatile()
        finally:
            if opened == "backup":
                self._print(texts.NOT_ENDED)

    def _show_settings(self, _: statements.ShowSettings) -> None:
        self._print("\n".join(self._settings.shown()))

    def _set_context(self, context: statements.SetContext) -> None:
        self._settings.persistent = context.persistent
        self._settings.writers = context.writers

    def _set_option(self, option: statements.SetOption) -> None:
        self._settings.auto_recovery = option.auto_recovery

    def _set_metadata(self, file: statements.SetMetadata) -> None:
        if metadata.check_writable(file.path):
            self._print(texts.OVERWRITTEN)
        self._settings.metadata = file.path

    def _set_verbose(self, verbose: statements.SetVerbose) -> None:
        self._settings.verbose = verbose.on

    def _load_metadata(self, file: statements.LoadMetadata) -> None:
        self._loaded = metadata.read(file.path)
        for name, value in self._loaded.aliases.items():
            self.aliases.set(name, value)
            self._print(texts.alias_value(name, value))

    def _verify_writer(self, verify: statements.VerifyWriter) -> None:
        components = self._require_writer(verify.writer)
        self._settings.verified.update(components)
        self._settings.excluded.difference_update(components)

    def _require_writer(self, name: str) -> Tuple[str, ...]:
        """Its components. Raises: WrongWord. What a backup must include is never taken for
        included."""
        components = self._find_writer(name)
        if components is None:
            raise WrongWord(
                name,
                "this writer is not here, and a copy without it would not be what was asked for",
                "type LIST WRITERS; without the line, the copy is as after a loss of power",
            )
        return components

    def _exclude_writer(self, exclude: statements.ExcludeWriter) -> None:
        components = self._find_writer(exclude.writer)
        if components is None:
            self._print(f"{one_line(exclude.writer)} is not here: nothing to exclude.")
        else:
            self._settings.excluded.update(components)
            self._settings.verified.difference_update(components)

    def _find_writer(self, name: str) -> Optional[Tuple[str, ...]]:
        """The components that are called so."""
        found = (writer.called(name) for writer in self._writers)
        return next((components for components in found if components is not None), None)

    def _create(self, _: statements.Create) -> None:
        components = [each for writer in self._writers for each in writer.components]
        wanted = self._settings.taking_part(components)
        ids = []
        for writer in self._writers:
            names = [each for each in writer.components if each in wanted]
            if names:
                ids.append(writer.writer_id)
                if self._settings.verbose:
                    self._print(texts.including(writer.name, names))
        self.shadows.create(self._settings, wanted, ids)

    def _show_volumes(self, _: statements.ShowVolumes) -> None:
        for volume in self.shadows.volumes:
            alias = f" ALIAS {volume.alias}" if volume.alias else ""
            self._print(one_line(f"VOLUME {volume.root.unc}{alias}"))
        for name, value in self.aliases.named().items():
            self._print(one_line(f"ALIAS {name} {value}"))

    def _add_volume(self, volume: statements.AddVolume) -> None:
        root = self.shadows.add(volume)
        if self._settings.verbose:
            below = f", of which {root.prefix} is meant" if root.prefix else ""
            self._print(one_line(f"Added {root.unc}{below}."))

    def _exec(self, program: statements.Exec) -> None:
        aliases = self.aliases.named()
        environment = environment_of(self._environment, aliases, self.shadows.last)
        run_program(program.path, environment, self._stdin, self._signals)

    def _begin(self, begin: statements.Begin) -> None:
        if self._opened:
            raise WrongWord(
                self.command,
                f"a {self._opened} session is open",
                f"type END {self._opened.upper()}, or RESET",
            )
        if begin.session == "restore":
            self._begin_restore()
        self._opened = begin.session

    def _begin_restore(self) -> None:
        if not self._loaded:
            raise WrongWord(
                self.command, "no metadata is loaded", "type LOAD METADATA FILE before it"
            )
        for writer in self._loaded.writers:
            self._require_writer(writer)
        there = {copy.copy_id for copy in self._copies.listed()}
        for copy in self._loaded.copies:
            state = "" if copy.copy_id in there else ", which is deleted"
            volume = texts.shown_volume(copy.volume)
            at = texts.shown_time(copy.created)
            path = one_line("\\".join(filter(None, [copy.device, copy.prefix])))
            self._print(f"{volume} as of {at}: {path}{state}")

    def _end(self, end: statements.End) -> None:
        if self._opened != end.session:
            raise WrongWord(
                self.command,
                f"no {end.session} session is open",
                f"type BEGIN {end.session.upper()} before it",
            )
        self._opened = None

    def _list_writers(self, _: statements.ListWriters) -> None:
        for writer in self._writers:
            self._print(f"* WRITER {one_line(writer.name)}\n\t- Writer ID = {writer.writer_id}")
            for component in writer.components:
                self._print(f"\t- Component = {one_line(component)}")
        self._print(f"\nNumber of writers listed: {len(self._writers)}")

    def _help(self, _: statements.Help) -> None:
        for command in COMMANDS:
            self._print(f"{command.syntax}\n\t{command.meaning}")


def located(place: str, session: Session, error: FsrvpdError) -> str:
    """An error with its place in a script, and with the command unless it names a word."""
    command = "" if isinstance(error, WrongWord) else session.command
    return "".join(f"{each}: " for each in (place, command) if each) + str(error)
