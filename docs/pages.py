"""The manual pages: what is said once by hand, and what options and commands say."""

from __future__ import annotations

import argparse
from typing import Any, Iterator

from docs.roff import Page
from fsrvpd import options
from fsrvpd.ctl import main as fsrvpctl
from fsrvpd.ctl import snap as fsrvp_snap
from fsrvpd.ctl.messages import MESSAGES
from fsrvpd.daemon import main as fsrvpd

EXIT_STATUS = (
    ("0", "Done."),
    ("1", "Refused or failed; standard error says why and what to do next."),
    ("2", "Wrong usage."),
    ("3", "The daemon does not run, or not on this configuration."),
    ("130", "Interrupted."),
)
SAMBA_MESSAGES = ("ping", "debug LEVEL", "debuglevel", "reload-config", "shutdown")


def fsrvpd_page() -> Page:
    page = Page("fsrvpd", 8, "File Server Remote VSS agent for Samba")
    page.section("SYNOPSIS")
    page.synopsis("fsrvpd", "[`-F`|`-D`] [`-s` *FILE*] [`-d` *LEVEL*] [`--option`=*NAME*=*VALUE*]")
    page.section("DESCRIPTION")
    page.paragraph(
        "Serves the pipe FssagentRpc of the Samba server beside which it runs: Windows hosts,"
        " Hyper-V, SQL Server and backup programs ask there for shadow copies of shares (the"
        " File Server Remote VSS Protocol, MS-FSRVP). It takes the snapshot, makes the share"
        " `share@{GUID}` in Samba's registry with the permissions of the base share, and"
        " removes both when the backup is done."
    )
    page.paragraph("All its options stand in smb.conf: see `fsrvpd.conf-options`(5).")
    page.section("OPTIONS")
    _arguments(page, fsrvpd.parser())
    page.section("SIGNALS AND MESSAGES")
    page.item("SIGHUP", "Load smb.conf anew: all of it, or nothing when something is wrong.")
    page.item("SIGTERM, SIGINT", "End in order: jobs that run have ten seconds to finish.")
    said = ", ".join(f"`{message}`" for message in SAMBA_MESSAGES)
    page.item("smbcontrol fsrvpd MESSAGE", f"Samba's own tool is answered: {said}.")
    page.section("LOGS")
    page.paragraph(
        "In the journal where there is one, with each value of an event as a field (`journalctl"
        " -u fsrvpd FSRVPD_EVENT=set-removed`); else in `log.fsrvpd` beside Samba's `log"
        " file`. Debug levels as Samba's: 0 errors and what becomes of sets, 1 refused calls, 3"
        " every call, 10 every request and response decoded. Keys and passwords are never logged."
        " The events and their ids are listed in docs/events.md."
    )
    page.section("FILES")
    page.item("<pid directory>/fsrvpd.pid", "The locked process id, by which smbcontrol finds us.")
    page.item("<state directory>/fsrvpd/state.sqlite3", "The shadow copy sets. For root alone.")
    page.item("<state directory>/fsrvpd/control.socket", "Where `fsrvpctl`(8) asks.")
    page.item("<pid directory>/fsrvpd-snap/socket", "Where `fsrvp-snap`(8) asks.")
    page.item("<ncalrpc dir>/np/fssagentrpc", "The pipe, to which smbd connects.")
    page.section("EXIT STATUS")
    page.item("0", "Ended in order.")
    page.item("1", "Could not begin; standard error says why.")
    page.section("SEE ALSO")
    page.paragraph(
        "`fsrvpctl`(8), `fsrvp-snap`(8), `fsrvpd.conf-options`(5), `smbcontrol`(1), `smb.conf`(5)"
    )
    return page


def fsrvpctl_page() -> Page:
    page = Page("fsrvpctl", 8, "speak to fsrvpd, or put it beside Samba")
    page.section("SYNOPSIS")
    page.synopsis("fsrvpctl", "[*OPTIONS*] `fsrvpd` *MESSAGE* [*PARAMETER*...] [`--json`]")
    for name, command in commands():
        if name != "fsrvpd":
            page.synopsis("fsrvpctl", f"[*OPTIONS*] `{name}` {_usage(command)}".rstrip())
    page.section("DESCRIPTION")
    page.paragraph(
        "As `smbcontrol`(1): a destination, a message, its parameters. The daemon answers root"
        " and the members of `fsrvpd:admin group`. The other commands need no running daemon."
    )
    page.section("OPTIONS")
    _arguments(page, whole())
    page.section("MESSAGES")
    for message in MESSAGES:
        page.item(message.usage, message.meaning)
    page.section("COMMANDS")
    for name, command in commands():
        page.part(f"{name} {_plain(_usage(command))}".rstrip())
        page.paragraph(_sentence(command.description or ""))
        _arguments(page, command)
    page.section("JSON")
    page.paragraph(
        "With `--json` answers are for programs. Fields are added, never renamed; docs/json.md"
        " describes them. `watch-events` prints one object a line."
    )
    page.section("EXIT STATUS")
    for status, meaning in EXIT_STATUS:
        page.item(status, meaning)
    page.section("EXAMPLES")
    page.example(
        "fsrvpctl setup\nfsrvpctl doctor -U backup\nfsrvpctl fsrvpd check-path data\n"
        "fsrvpctl fsrvpd list-sets --json\nfsrvpctl fsrvpd prune --dry-run"
    )
    page.section("SEE ALSO")
    page.paragraph("`fsrvpd`(8), `fsrvpd.conf-options`(5), `smbcontrol`(1)")
    return page


def fsrvp_snap_page() -> Page:
    page = Page("fsrvp-snap", 8, "snapshots of fsrvpd for Samba's own FSRVP agent")
    page.section("SYNOPSIS")
    page.synopsis("fsrvp-snap", "[*OPTIONS*] `check` *PATH*")
    page.synopsis("fsrvp-snap", "[*OPTIONS*] `create` *PATH*")
    page.synopsis("fsrvp-snap", "[*OPTIONS*] `delete` *PATH* *SNAPSHOT*")
    page.section("DESCRIPTION")
    page.paragraph(
        "What Samba's `vfs_shell_snap`(8) calls where Samba's own agent is to stay, and fsrvpd"
        " takes the snapshots below it. Samba runs it as the connected user; it asks the daemon,"
        " which does the work. The daemon answers root and the members of `fsrvpd:snapshot"
        " group`, takes snapshots only of shares whose `vfs objects` have shell_snap, and deletes"
        " only snapshots that were taken in this way. `fsrvpd:max sets` and `fsrvpd:min free"
        " space` hold."
    )
    page.paragraph(
        "Any path will do that a shell can read: Samba refuses one with a single quote that has"
        " no other. Where two shares' paths differ only in what a shell takes for blanks or"
        " quotes, neither is taken."
    )
    page.section("OPTIONS")
    _arguments(page, fsrvp_snap.parser())
    page.section("EXIT STATUS")
    for status, meaning in EXIT_STATUS[:3]:
        page.item(status, meaning)
    page.section("EXAMPLE")
    page.example(
        "[global]\n    registry shares = yes\n    rpc start on demand helpers = yes\n"
        "    fsrvpd:serve pipe = no\n    fsrvpd:snapshot group = backup\n\n"
        "[data]\n    path = /srv/data\n    vfs objects = shell_snap\n"
        "    shell_snap:check path command = /usr/bin/fsrvp-snap check\n"
        "    shell_snap:create command = /usr/bin/fsrvp-snap create\n"
        "    shell_snap:delete command = /usr/bin/fsrvp-snap delete"
    )
    page.section("SEE ALSO")
    page.paragraph("`fsrvpd`(8), `fsrvpctl`(8), `vfs_shell_snap`(8), `fsrvpd.conf-options`(5)")
    return page


def options_page() -> Page:
    page = Page("fsrvpd.conf-options", 5, "options of fsrvpd in smb.conf")
    page.section("DESCRIPTION")
    page.paragraph(
        "fsrvpd has no file of its own: its options stand in `smb.conf`(5). `fsrvpctl"
        " check-config` says what is wrong with them, `smbcontrol fsrvpd reload-config` puts all"
        " of them in force, or nothing. Booleans are yes or no."
    )
    page.section("OPTIONS IN [GLOBAL]")
    for option in options.GLOBAL_OPTIONS:
        _option(page, option)
    page.section("OPTIONS OF A SHARE")
    page.paragraph("In the section of the share, or in [global] for all shares.")
    for option in options.SHARE_OPTIONS:
        _option(page, option)
    page.section("EXAMPLE")
    page.example(
        "[global]\n    registry shares = yes\n    fsrvpd:require rpc integrity = yes\n"
        "    fsrvpd:metrics port = 9563\n\n[data]\n    path = /srv/data\n    fsrvp:keep = yes"
    )
    page.section("SEE ALSO")
    page.paragraph("`fsrvpd`(8), `fsrvpctl`(8), `smb.conf`(5)")
    return page


def _option(page: Page, option: options.Option[Any]) -> None:
    page.item(option.name, f"{option.meaning} Default: {shown_default(option)}.")
    page.more(f"When to change it: {option.when}")


def shown_default(option: options.Option[Any]) -> str:
    return f"`{option.default}`" if option.default else "empty"


def whole() -> argparse.ArgumentParser:
    return fsrvpctl.parser()


def commands() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Those of fsrvpctl by name."""
    for action in whole()._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def option_names(parser: argparse.ArgumentParser) -> list[str]:
    return [name for action in parser._actions for name in action.option_strings]


def _arguments(page: Page, parser: argparse.ArgumentParser) -> None:
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            page.item(_tag(action), _sentence((action.help or "").replace("%(prog)s", parser.prog)))


def _tag(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else f" {_value(action)}"
    return ", ".join(f"{name}{value}" for name in action.option_strings) or _value(action)


def _value(action: argparse.Action) -> str:
    return str(action.metavar or action.dest.upper())


def _usage(parser: argparse.ArgumentParser) -> str:
    words = []
    for action in parser._actions:
        if action.dest == "help":
            continue
        if not action.option_strings:
            words.append(f"*{_value(action)}*" + ("..." if action.nargs == "*" else ""))
        else:
            value = "" if action.nargs == 0 else f" *{_value(action)}*"
            words.append(f"[`{action.option_strings[0]}`{value}]")
    return " ".join(words)


def _plain(text: str) -> str:
    return text.replace("*", "").replace("`", "")


def _sentence(text: str) -> str:
    if not text.startswith("smb.conf"):
        text = f"{text[:1].upper()}{text[1:]}"
    return text if text.endswith(".") else f"{text}."
