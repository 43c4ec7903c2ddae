"""`fsrvpctl set-option` and `unset-option`: change one option of fsrvpd where Samba reads it.

The option is judged before by its own parser, then by Samba's, and afterwards by what fsrvpd itself
reads; what is refused is undone. Then a running daemon is told to reload.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from typing import Any, Optional, Sequence

from fsrvpd.ctl.client import NotRunning, ask
from fsrvpd.ctl.set_option.answer import NOT_RUNNING, REFUSED, RELOADED, Answer
from fsrvpd.ctl.set_option.known import option_named, require_value, same_value
from fsrvpd.ctl.set_option.section import section_of
from fsrvpd.errors import ConfigError, FsrvpdError
from fsrvpd.options.option import Option, full_names
from fsrvpd.options.share import NAMESPACE
from fsrvpd.protocol.ports import Share
from fsrvpd.samba_command_line import control_socket, open_registry, samba_tools
from samba_hooks.registry.open_registry import Registry
from samba_hooks.smb_conf_file import EditedMeanwhile

EXIT_FAILED = 1
_TRIES = 10


def set_option(arguments: argparse.Namespace) -> int:
    """With `arguments.value` None the option is removed. Status 1 also when it is written, but the
    daemon refuses to reload. Raises: FsrvpdError; then nothing has changed."""
    option = option_named(arguments.option_name, of_share=arguments.share is not None)
    if arguments.value is not None:
        require_value(option, arguments.value)
    with contextlib.closing(open_registry(arguments)) as registry:
        answer = _change_at_last(option, arguments, registry)
    print(json.dumps(answer.as_json(), indent=2) if arguments.json else answer.text())
    return EXIT_FAILED if answer.daemon == REFUSED else 0


def _change_at_last(
    option: Option[Any], arguments: argparse.Namespace, registry: Registry
) -> Answer:
    """Read and try again if somebody else was faster, of whom there are not many."""
    for _ in range(_TRIES - 1):
        with contextlib.suppress(EditedMeanwhile):
            return _change(option, arguments, registry)
    return _change(option, arguments, registry)


def _change(option: Option[Any], arguments: argparse.Namespace, registry: Registry) -> Answer:
    wanted: Optional[str] = arguments.value
    section = section_of(option, arguments.share, registry, samba_tools(arguments))
    share = None if arguments.share is None else registry.share(arguments.share)
    answer = Answer(
        option=option,
        share=share.name if share else None,
        title=section.title,
        file=section.file,
        before=section.value(option),
        after=wanted,
        effective=_effective(option, arguments.share, registry),
        dry_run=arguments.dry_run,
    )
    change = section.change(option, wanted)
    if change is None:
        return answer
    answer = answer._replace(changed=not arguments.dry_run, lines=change.lines())
    if arguments.dry_run:
        change.check()
        return answer
    change.apply()
    try:
        effective = _require_read(option, wanted, arguments.share, registry)
    except FsrvpdError as error:
        change.undo()
        raise ConfigError(f"{section.title}: left as it was: {error}") from error
    path = control_socket(registry.configuration().state_directory)
    return _reloaded(
        path, answer._replace(effective=effective, warnings=_warnings(share, registry))
    )


def _effective(option: Option[Any], share: Optional[str], registry: Registry) -> str:
    """What fsrvpd reads. Raises: RegistryError."""
    if share is None:
        given = full_names(registry.configuration().options)
    else:
        found = registry.share(share)
        given = full_names({NAMESPACE: found.options if found else {}})
    return given.get(option.name, option.default)


def _require_read(
    option: Option[Any], wanted: Optional[str], share: Optional[str], registry: Registry
) -> str:
    """The value that counts now. Raises: ConfigError if it is not the wanted one."""
    found = _effective(option, share, registry)
    if wanted is not None and not same_value(option, found, wanted):
        raise ConfigError(
            f"fsrvpd would read `{option.name} = {found}`; look for it with `testparm -s`, and in"
            " options of the command line"
        )
    return found


def _warnings(share: Optional[Share], registry: Registry) -> Sequence[str]:
    """What else is wrong with the share."""
    found = registry.share(share.name) if share else None
    why = (found.mistake or found.refusal) if found else ""
    return [f"share {found.name} can have no shadow copies: {why}"] if found and why else []


def _reloaded(path: str, answer: Answer) -> Answer:
    try:
        ask(path, "reload-config", [])
    except NotRunning:
        return answer._replace(daemon=NOT_RUNNING)
    except FsrvpdError as error:
        warning = f"written, but fsrvpd goes on with what it had: {error}"
        return answer._replace(daemon=REFUSED, warnings=[*answer.warnings, warning])
    return answer._replace(daemon=RELOADED)
