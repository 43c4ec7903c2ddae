"""Parts of the manual pages that come from the code, in Markdown.

docs/conf.py hands them to the pages in docs/manual, where `{{ name }}` stands for one.
"""

from __future__ import annotations

import argparse
from typing import Any, Collection, Iterable, Iterator, Mapping, Sequence

from fsrvpd.config.daemon_options import GLOBAL_OPTION_GROUPS
from fsrvpd.ctl import main as fsrvpctl
from fsrvpd.ctl import snap as fsrvp_snap
from fsrvpd.ctl.messages import DRY_RUN, MESSAGES, Message
from fsrvpd.daemon import main as fsrvpd
from fsrvpd.options.option import Option
from fsrvpd.options.share import SHARE_OPTION_GROUPS
from fsrvpd.requestor.ctl import command_environment, exit_status, metrics, output
from fsrvpd.requestor.ctl import main as fsrvpshadow
from fsrvpd.requestor.ctl.keys import KEYS, KEYS_OF_JOB, Key
from fsrvpd.requestor.ctl.writer_keys import KEYS_OF_WRITERS, KINDS
from fsrvpd.requestor.files import xattr_names
from fsrvpd.requestor.mount import problems
from fsrvpd.requestor.shell import words as shell_words

Groups = Mapping[str, Sequence[Option[Any]]]
FAILURES = (
    ("0", "Success."),
    ("1", "Refused or failed; standard error says why and what to do next."),
    ("2", "Wrong usage."),
)
EXIT_STATUS = (
    *FAILURES,
    ("3", "The daemon is not running, or not with this configuration."),
    ("130", "Interrupted."),
)
MESSAGE = "*MESSAGE* [*PARAMETER*...] [*OPTIONS*]"
SAMBA_MESSAGES = ("ping", "debug LEVEL", "debuglevel", "reload-config", "shutdown")


def fragments() -> dict[str, str]:
    """Every fragment by its name."""
    return {
        "fsrvpd_options": arguments(fsrvpd.parser()),
        "fsrvpctl_options": arguments(whole()),
        "fsrvpctl_synopsis": synopsis(whole()),
        "fsrvpctl_messages": definitions((each.usage, _described(each)) for each in MESSAGES),
        "fsrvpctl_commands": subcommands(whole()),
        "fsrvp_snap_options": arguments(fsrvp_snap.parser()),
        "smbcontrol_messages": ", ".join(f"`{message}`" for message in SAMBA_MESSAGES),
        "exit_status": definitions(EXIT_STATUS),
        "exit_failures": definitions(FAILURES),
        "global_options": options(GLOBAL_OPTION_GROUPS),
        "share_options": options(SHARE_OPTION_GROUPS),
        "fsrvpshadow_shell_commands": definitions(
            (command.syntax, sentence(command.meaning)) for command in shell_words.COMMANDS
        ),
        "fsrvpshadow_shell_refused": definitions(
            (shell_words.shown_path(path), sentence("; ".join(why)))
            for path, why in shell_words.REFUSED.items()
        ),
        **fragments_of_fsrvpshadow(),
    }


def sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def fragments_of_fsrvpshadow() -> dict[str, str]:
    parser = fsrvpshadow.parser()
    return {
        "fsrvpshadow_synopsis": synopsis(parser),
        "fsrvpshadow_options": arguments(parser),
        "fsrvpshadow_commands": subcommands(parser, option_names(parser)),
        "fsrvpshadow_events": definitions(output.EVENTS),
        "fsrvpshadow_environment": definitions(command_environment.MEANINGS),
        "fsrvpshadow_exit_status": definitions(exit_status.MEANINGS),
        "fsrvpshadow_exit_status_of_run": definitions(exit_status.MEANINGS_OF_RUN),
        "fsrvpshadow_keys": keys(KEYS),
        "fsrvpshadow_keys_of_job": keys(each for each in KEYS_OF_JOB if each not in KEYS),
        "fsrvpshadow_keys_of_writers": keys(KEYS_OF_WRITERS),
        "fsrvpshadow_kinds": "\n\n".join(
            f'### kind = "{name}"\n\n{kind.meaning}\n\n{keys(kind.keys)}'
            for name, kind in KINDS.items()
        ),
        "fsrvpshadow_metrics": definitions(metrics.METRICS),
        "fsrvpshadow_xattrs": definitions(xattr_names.MEANINGS),
        "fsrvpshadow_problems": definitions(
            (name, sentence(f"files that {kind.meaning}")) for name, kind in problems.KINDS.items()
        ),
    }


def keys(items: Iterable[Key]) -> str:
    return definitions((f"{each.name} = {each.value}", each.meaning) for each in items)


def whole() -> argparse.ArgumentParser:
    return fsrvpctl.parser()


def commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The commands of a program by name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def option_names(parser: argparse.ArgumentParser) -> list[str]:
    return [name for action in parser._actions for name in action.option_strings]


def definitions(items: Iterable[tuple[str, str]]) -> str:
    """A definition list; several paragraphs of one definition are separated by blank lines."""
    return "\n".join(f"`{term}`\n: {_indented(text)}\n" for term, text in items)


def options(groups: Groups) -> str:
    """A section for each group of options."""
    return "\n".join(
        f"### {name}\n\n{definitions((each.name, _explained(each)) for each in group)}"
        for name, group in groups.items()
    )


def _explained(option: Option[Any]) -> str:
    default = f"Default: {shown_default(option)}."
    return f"{option.meaning} {default}\n\nWhen to change it: {option.when}"


def shown_default(option: Option[Any]) -> str:
    return f"`{option.default}`" if option.default else "empty"


def synopsis(parser: argparse.ArgumentParser) -> str:
    """One line for each command; the parameters of messages are explained by the page itself."""
    known = option_names(parser)
    lines = [
        f"**{parser.prog}** [*OPTIONS*] **{name}** {usage}".rstrip()
        for name, command in commands(parser)
        for usage in [MESSAGE if name == "fsrvpd" else _usage(command, known)]
    ]
    return "\n".join(["```{line-block}", *lines, "```"])


def subcommands(parser: argparse.ArgumentParser, known: Collection[str] = ()) -> str:
    """A section for each command: its usage, what it does, its arguments without `known` ones."""
    return "\n\n".join(
        f"### `{name} {_plain(_usage(command, known))}".rstrip()
        + f"`\n\n{_sentence(command.description or '')}\n\n{arguments(command, known)}"
        for name, command in commands(parser)
    )


def arguments(parser: argparse.ArgumentParser, known: Collection[str] = ()) -> str:
    return definitions(
        (_tag(action), _sentence((action.help or "").replace("%(prog)s", parser.prog)))
        for action in parser._actions
        if not isinstance(action, argparse._SubParsersAction)
        and not set(action.option_strings) & set(known)
    )


def _described(message: Message) -> str:
    options = (each for each in message.options if each is not DRY_RUN)
    return "\n\n".join([message.meaning, *(f"`{each.usage}`: {each.meaning}" for each in options)])


def _indented(text: str) -> str:
    return text.replace("\n\n", "\n\n  ")


def _tag(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else f" {_value(action)}"
    return ", ".join(f"{name}{value}" for name in action.option_strings) or _value(action)


def _value(action: argparse.Action) -> str:
    return str(action.metavar or action.dest.upper())


def _usage(parser: argparse.ArgumentParser, known: Collection[str]) -> str:
    words = []
    for action in parser._actions:
        if action.dest == "help" or set(action.option_strings) & set(known):
            continue
        if not action.option_strings:
            word = f"*{_value(action)}*" + ("..." if action.nargs in ("*", "+") else "")
            words.append(f"[{word}]" if action.nargs in ("*", "?") else word)
        else:
            value = "" if action.nargs == 0 else f" *{_value(action)}*"
            word = f"**{action.option_strings[0]}**{value}"
            words.append(word if action.required else f"[{word}]")
    return " ".join(words)


def _plain(text: str) -> str:
    return text.replace("*", "")


def _sentence(text: str) -> str:
    if not text.startswith(("smb.conf", "fsrvpd")):
        text = f"{text[:1].upper()}{text[1:]}"
    return text if text.endswith(".") else f"{text}."
