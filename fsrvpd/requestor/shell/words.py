"""The words of DISKSHADOW: which may follow which, what each means here, and which are refused.

Parser, help, completion and the manual use these tables.
"""

from __future__ import annotations

from typing import Mapping, NamedTuple

Path = tuple[str, ...]


class Command(NamedTuple):
    words: str
    parameters: str
    meaning: str

    @property
    def syntax(self) -> str:
        return f"{self.words.upper()} {self.parameters}".rstrip()


COMMANDS = (
    Command("set", "", "show the settings"),
    Command(
        "set context",
        "{PERSISTENT [NOWRITERS] | VOLATILE [NOWRITERS]}",
        "whether shadow copies outlive this session; VOLATILE, the default, ends with it",
    ),
    Command(
        "set option",
        "{NOAUTORECOVER | ROLLBACKRECOVER}",
        "whether a shadow copy is writable until the set is complete",
    ),
    Command("set metadata", "FILE", "the file that CREATE describes the set in"),
    Command("set verbose", "{ON | OFF}", "whether more is printed"),
    Command("reset", "", "forget all settings, and delete volatile shadow copies"),
    Command("load metadata", "FILE", "read the description of a set, with its aliases"),
    Command("writer verify", "WRITER", "stop unless this writer is here"),
    Command("writer exclude", "WRITER", "leave this writer out"),
    Command("add", "", "show volumes and aliases"),
    Command(
        "add volume",
        r"\\SERVER\SHARE [ALIAS NAME] [PROVIDER ID]",
        "add a share to the next set",
    ),
    Command("add alias", "NAME VALUE", "give a value a name: %NAME%"),
    Command("create", "", "create shadow copies of the added shares, at one moment"),
    Command("exec", "FILE", "run a program, with the aliases in its environment"),
    Command("begin backup", "", "begin a backup session"),
    Command("end backup", "", "end the backup session"),
    Command("begin restore", "", "begin a restore session; needs LOAD METADATA"),
    Command("end restore", "", "end the restore session"),
    Command("list writers", "[METADATA | DETAILED | STATUS]", "list the writers"),
    Command(
        "list shadows", "{ALL | SET ID | ID ID}", "list shadow copies that this computer created"
    ),
    Command("list providers", "", "list the providers"),
    Command(
        "delete shadows",
        r"{ALL | VOLUME \\SERVER\SHARE | OLDEST \\SERVER\SHARE | SET ID | ID ID | EXPOSED PATH}",
        "delete shadow copies that this computer created",
    ),
    Command("help", "", "show all commands"),
    Command("exit", "", "end the session, and delete volatile shadow copies"),
)
BY_WORDS = {tuple(command.words.split()): command for command in COMMANDS}

_ONE_IMAGE = "a file server makes the copies, and the protocol does not ask it for a kind"
REFUSED: Mapping[Path, tuple[str, str]] = {  # the cause, and what to do
    ("set", "context", "clientaccessible"): (
        "MS-FSRVP has no copies for previous versions",
        "let the file server make them, or use PERSISTENT",
    ),
    ("set", "option", "transportable"): (
        "a copy on a file server is not moved to another computer",
        "leave the line out: every host reads the shadow copy share over SMB",
    ),
    ("set", "option", "differential"): (_ONE_IMAGE, "leave the line out"),
    ("set", "option", "plex"): (_ONE_IMAGE, "leave the line out"),
    ("set", "option", "txfrecover"): (
        "transactional NTFS is a matter of Windows' own volumes",
        "leave the word out",
    ),
    ("import",): (
        "there is nothing to import: no copy is transportable",
        "use the shadow copy device name that CREATE prints",
    ),
    ("mask",): (
        "nothing was imported that could be masked",
        "use DELETE SHADOWS",
    ),
    ("expose",): (
        "every copy is a share already, and no drive or mount point is made here",
        "use the shadow copy device name that CREATE prints",
    ),
    ("unexpose",): (
        "nothing was exposed: every copy is a share of its server until it is deleted",
        "use DELETE SHADOWS",
    ),
    ("break",): (
        "a file server does not turn a copy into a volume",
        "copy the files from the shadow copy share",
    ),
    ("revert",): (
        "MS-FSRVP cannot replace a share by its copy",
        "copy the files from the shadow copy share",
    ),
    ("simulate",): (
        "a restore has no writers to rehearse with",
        "use BEGIN RESTORE",
    ),
}

FOLLOWING: Mapping[Path, tuple[str, ...]] = {
    (): (
        *("set", "reset", "load", "writer", "add", "create", "exec", "begin", "end", "list"),
        *("delete", "help", "exit"),
    ),
    ("set",): ("context", "option", "metadata", "verbose"),
    ("set", "context"): ("persistent", "volatile"),
    ("set", "context", "persistent"): ("nowriters",),
    ("set", "context", "volatile"): ("nowriters",),
    ("set", "option"): ("noautorecover", "rollbackrecover"),
    ("set", "verbose"): ("on", "off"),
    ("load",): ("metadata",),
    ("writer",): ("verify", "exclude"),
    ("add",): ("volume", "alias"),
    ("begin",): ("backup", "restore"),
    ("end",): ("backup", "restore"),
    ("list",): ("writers", "shadows", "providers"),
    ("list", "writers"): ("metadata", "detailed", "status"),
    ("list", "shadows"): ("all", "set", "id"),
    ("delete",): ("shadows",),
    ("delete", "shadows"): ("all", "volume", "oldest", "set", "id", "exposed"),
}
AFTER_VOLUME = ("alias", "provider")


def shown(words: Path) -> str:
    """A choice of words."""
    return ", ".join(word.upper() for word in words)


def shown_path(path: Path) -> str:
    """The words of a command."""
    return " ".join(path).upper()
