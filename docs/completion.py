"""The shells' completion, written by shtab from the parsers of the commands."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Iterator

import shtab

from fsrvpd.config.daemon_options import GLOBAL_OPTIONS
from fsrvpd.ctl import main as fsrvpctl
from fsrvpd.ctl import snap as fsrvp_snap
from fsrvpd.daemon import main as fsrvpd
from fsrvpd.options.share import SHARE_OPTIONS
from fsrvpd.requestor.ctl import main as fsrvpshadow

DIRECTORY = Path("packaging/completion")
# By shell, what a file is called there.
NAMES = {"bash": "{}", "zsh": "_{}"}
_OPTIONS = "\n".join(f"    '{each.name}' \\" for each in (*GLOBAL_OPTIONS, *SHARE_OPTIONS))
# One a line: fsrvpd's options, the ids of sets from the running daemon, or the shares of smb.conf.
# A share with a blank in its name has to be typed. A user who may not ask gets no values, and no
# error.
VALUES = (
    rf"""
_fsrvpctl_options() {{
  printf '%s\n' \
{_OPTIONS[:-2]}
}}
"""
    + r"""
_fsrvpctl_values() {
  local word
  for word; do
    case $word in
      show-set | complete-set | delete-set | abort-set)
        fsrvpctl fsrvpd list-sets --json 2>/dev/null | sed -n 's/.*"set": "\([^"]*\)".*/\1/p'
        return ;;
      keep-set | release-set | delete-kept)
        fsrvpctl fsrvpd list-kept --json 2>/dev/null |
          sed -n 's/.*"set": "\([^"]*\)".*/\1/p; s/.*"copy": "\([^"]*\)".*/\1/p' | sort -u
        return ;;
      check-path | create-set | self-test | share-config | --share)
        testparm --suppress-prompt 2>/dev/null |
          sed -n '/^\[global\]/d; /^\[.*@{/d; s/^\[\([^] ]*\)\].*/\1/p'
        return ;;
    esac
  done
}
"""
)
# The jobs and writers of the configuration, or the ids of the sets that were made from here.
VALUES_OF_FSRVPSHADOW = r"""
_fsrvpshadow_jobs() {
  sed -n 's/^\[job\.\([A-Za-z0-9_-]*\)\].*/\1/p' /etc/fsrvpshadow.toml \
    "${XDG_CONFIG_HOME:-$HOME/.config}/fsrvpshadow.toml" 2>/dev/null
}
_fsrvpshadow_writers() {
  sed -n 's/^\[writer\.\([A-Za-z0-9_-]*\)\].*/\1/p' /etc/fsrvpshadow.toml \
    "${XDG_CONFIG_HOME:-$HOME/.config}/fsrvpshadow.toml" 2>/dev/null
}
_fsrvpshadow_sets() {
  fsrvpshadow list --json 2>/dev/null | sed -n 's/.*"set": "\([^"]*\)".*/\1/p' | sort -u
}
# To list the shares of a server needs a login.
_fsrvpshadow_complete_shares() { :; }
"""
PREAMBLE = {
    # No `compgen -W`, which expands its words: a name with `$(…)` would run as root.
    "bash": VALUES
    + r"""
_fsrvpctl_complete() {
  local value quoted
  while IFS= read -r value; do
    quoted=$value
    [[ $value == *[^[:alnum:]@{}._-]* ]] && printf -v quoted %q "$value"
    [[ $value == "$1"* || $quoted == "$1"* ]] && printf '%s\n' "$quoted"
  done < <(_fsrvpctl_values "${COMP_WORDS[@]}")
}
# What is typed as far as a colon is another word for bash.
_fsrvpctl_complete_options() {
  local value
  while IFS= read -r value; do
    [[ $value == "$1"* ]] && printf '%q\n' "$value"
  done < <(_fsrvpctl_options)
}
""",
    "zsh": VALUES
    + """
_fsrvpctl_complete() {
  compadd -- ${(f)"$(_fsrvpctl_values $words)"}
}
_fsrvpctl_complete_options() {
  compadd -- ${(f)"$(_fsrvpctl_options)"}
}
""",
}
# Neither a job's name nor an id has a character that a shell expands.
PREAMBLE_OF_FSRVPSHADOW = {
    "bash": VALUES_OF_FSRVPSHADOW
    + r"""
_fsrvpshadow_matching() {
  local value
  while IFS= read -r value; do
    [[ $value == "$1"* ]] && printf '%s\n' "$value"
  done
}
_fsrvpshadow_complete_jobs() { _fsrvpshadow_matching "$1" < <(_fsrvpshadow_jobs); }
_fsrvpshadow_complete_writers() { _fsrvpshadow_matching "$1" < <(_fsrvpshadow_writers); }
_fsrvpshadow_complete_sets() { _fsrvpshadow_matching "$1" < <(_fsrvpshadow_sets); }
""",
    "zsh": VALUES_OF_FSRVPSHADOW
    + """
_fsrvpshadow_complete_jobs() { compadd -- ${(f)"$(_fsrvpshadow_jobs)"} }
_fsrvpshadow_complete_writers() { compadd -- ${(f)"$(_fsrvpshadow_writers)"} }
_fsrvpshadow_complete_sets() { compadd -- ${(f)"$(_fsrvpshadow_sets)"} }
""",
}
PREAMBLES = {"fsrvpctl": PREAMBLE, "fsrvpshadow": PREAMBLE_OF_FSRVPSHADOW}
# By the name that an argument has in its parser.
COMPLETED = {
    "configfile": shtab.FILE,
    "authentication_file": shtab.FILE,
    "words": shtab.FILE,
    "parameters": dict.fromkeys(NAMES, "_fsrvpctl_complete"),
    "share": dict.fromkeys(NAMES, "_fsrvpctl_complete"),
    "option_name": dict.fromkeys(NAMES, "_fsrvpctl_complete_options"),
    "script": shtab.FILE,
    "log": shtab.FILE,
    "job": dict.fromkeys(NAMES, "_fsrvpshadow_complete_jobs"),
    "writers": dict.fromkeys(NAMES, "_fsrvpshadow_complete_writers"),
    "set": dict.fromkeys(NAMES, "_fsrvpshadow_complete_sets"),
    "shares": dict.fromkeys(NAMES, "_fsrvpshadow_complete_shares"),
    "unc": dict.fromkeys(NAMES, "_fsrvpshadow_complete_shares"),
}


def written() -> dict[Path, str]:
    """Every file by its path from the top of the repository."""
    files = {}
    programs = (fsrvpctl, fsrvpd, fsrvp_snap, fsrvpshadow)
    for parser in (program.parser() for program in programs):
        for action in actions(parser):
            if action.dest in COMPLETED:
                action.complete = COMPLETED[action.dest]  # type: ignore[attr-defined]
        for shell, name in NAMES.items():
            preamble = PREAMBLES.get(parser.prog, {}).get(shell, "")
            text = shtab.complete(parser, shell=shell, preamble=preamble)
            files[DIRECTORY / shell / name.format(parser.prog)] = text.rstrip() + "\n"
    return files


def actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from actions(command)
