"""fsrvpd/requestor/shell/session.py"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fsrvpd.requestor.ctl.signals import Signals
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.shell.lines import WrongWord
from fsrvpd.requestor.shell.ports import Writer
from fsrvpd.requestor.shell.session import Session, located
from fsrvpd.requestor.shell.words import COMMANDS
from tests.unit.requestor.shell.copies import Copies

HYPER_V = "{66841cd4-6ded-4f4b-8f17-fd23f8ddc3de}"
WRITER = Writer(HYPER_V, "Microsoft Hyper-V VSS Writer")


class Typed(Session):
    """With what it prints."""

    def __init__(self, *writers: Writer) -> None:
        self.copies = Copies()
        self.printed: list[str] = []
        super().__init__(
            self.copies,
            self.printed.append,
            environment=os.environ,
            machine="host",
            signals=Signals(),
            writers=writers,
        )

    def type(self, *lines: str) -> list[str]:
        """What the lines print."""
        del self.printed[:]
        for line in lines:
            assert self.run(line)
        return "\n".join(self.printed).splitlines()


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    monkeypatch.chdir(tmp_path)
    return Typed()


def test_the_commands_of_a_backup(session: Typed) -> None:
    session.type("Set Context Persistent", "Set MetaData x.json", "Begin Backup")
    assert session.type(r"Add Volume \\nas\vm\vm1") == []
    assert session.type("Create")[0].startswith("Alias VSS_SHADOW_1 for shadow ID {")
    assert session.type("End Backup") == []
    assert Path("x.json").exists()
    assert session.type("set metadata x.json") == ["The existing file will be overwritten."]


def test_exit_ends_it(session: Typed) -> None:
    assert not session.run("EXIT")
    assert session.run("# exit")


def test_aliases_are_shown_and_replaced(session: Typed) -> None:
    session.type(r"add volume \\nas\vm", "create")
    copy = session.copies.there[0].copy_id
    assert session.type("delete shadows id %vss_shadow_1%")[0] == f"-> %vss_shadow_1% = {copy}"
    assert session.copies.there == []


@pytest.mark.parametrize("name", [HYPER_V, "System Writer"])
def test_a_writer_that_is_not_here_is_never_verified(session: Typed, name: str) -> None:
    with pytest.raises(WrongWord, match="this writer is not here"):
        session.run(f"Writer Verify {name}")


def test_a_writer_that_is_not_here_is_excluded(session: Typed) -> None:
    assert session.type("writer exclude System Writer") == [
        "System Writer is not here: nothing to exclude."
    ]


@pytest.mark.parametrize("name", [HYPER_V.upper(), "microsoft hyper-v vss writer"])
def test_a_writer_that_is_here(name: str) -> None:
    session = Typed(WRITER)
    assert session.type(f"writer verify {name}", f"writer exclude {name}") == []
    assert session.type("list writers")[0] == "* WRITER Microsoft Hyper-V VSS Writer"
    assert Typed(GUESTS).type("list writers")[2:4] == [
        "\t- Component = web",
        "\t- Component = mail",
    ]
    assert session.type("list writers status")[-1] == "Number of writers listed: 1"


GUESTS = Writer(HYPER_V, "Microsoft Hyper-V VSS Writer", ("web", "mail"))
DATABASE = Writer("{11111111-6ded-4f4b-8f17-fd23f8ddc3de}", "pg", ("pg",))
CREATE = (r"add volume \\nas\vm", "create")


def test_writers_take_part_unless_they_are_excluded() -> None:
    session = Typed(GUESTS, DATABASE)
    session.type(f"writer verify {HYPER_V}", *CREATE)
    assert session.copies.writers == {"web": True, "mail": True, "pg": False}
    session.type("writer exclude mail", "writer exclude pg", *CREATE)
    assert session.copies.writers == {"web": True}
    session.type("writer verify pg", *CREATE)
    assert session.copies.writers == {"web": True, "pg": True}
    session.type("set context persistent nowriters", *CREATE)
    assert session.copies.writers == {}
    session.type("reset", *CREATE)
    assert session.copies.writers == {"web": False, "mail": False, "pg": False}


def test_what_became_of_writers_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    session = Typed(GUESTS, DATABASE)
    session.copies.left_out = [("pg", "it does not answer")]
    session.type("set verbose on", "set metadata x.json", "add volume //nas/vm".replace("/", "\\"))
    printed = session.type("create")
    assert printed[:6] == [
        '* Including writer "Microsoft Hyper-V VSS Writer":',
        "\t+ Adding component: \\web",
        "\t+ Adding component: \\mail",
        '* Including writer "pg":',
        "\t+ Adding component: \\pg",
        'Excluding writer "pg", because it has failed: it does not answer',
    ]
    assert printed[6] == "All writers held still for 5 ms."
    assert session.type("reset", "load metadata x.json", "begin restore") != []


def test_no_writers(session: Typed) -> None:
    assert session.type("list writers") == ["", "Number of writers listed: 0"]


def test_a_restore(session: Typed) -> None:
    session.type("set context persistent", "set metadata x.json", r"add volume \\nas\vm", "create")
    device = session.copies.there[0].device
    session.type("reset")
    with pytest.raises(WrongWord, match="BEGIN RESTORE: no metadata is loaded; type LOAD META"):
        session.run("begin restore")
    assert [line[:3] for line in session.type("load metadata x.json")] == ["-> ", "-> "]
    [shown] = session.type("begin restore")
    assert shown.startswith("\\\\NAS\\VM\\ as of ")
    assert shown.endswith(device)
    session.type("end restore", "delete shadows set %VSS_SHADOW_SET%")
    [shown] = session.type("begin restore")
    assert shown.endswith(f"{device}, which is deleted")


def test_a_restore_needs_its_writers(session: Typed) -> None:
    session.type("set metadata x.json", r"add volume \\nas\vm", "create")
    document = Path("x.json").read_text().replace('"writers": []', f'"writers": ["{HYPER_V}"]')
    Path("x.json").write_text(document)
    session.type("load metadata x.json")
    with pytest.raises(WrongWord, match="this writer is not here"):
        session.run("begin restore")
    with pytest.raises(WrongWord, match="END RESTORE: no restore session is open"):
        session.run("end restore")


def test_one_session_after_the_other(session: Typed) -> None:
    session.type("begin backup")
    with pytest.raises(WrongWord, match="a backup session is open; type END BACKUP, or RESET"):
        session.run("begin restore")
    with pytest.raises(WrongWord, match="no restore session is open; type BEGIN RESTORE"):
        session.run("end restore")
    session.type("end backup", "begin backup")


def test_reset_forgets(session: Typed) -> None:
    session.type("set context persistent nowriters", "set verbose on", "set option noautorecover")
    session.type("add alias x y", r"add volume \\nas\vm", "begin backup")
    assert session.type("add") == [r"VOLUME \\nas\vm", "ALIAS x y"]
    assert session.type("reset") == [
        "Note: END BACKUP was not commanded, writers not notified BackupComplete."
    ]
    assert session.type("add") == []
    assert session.type("set") == ["CONTEXT VOLATILE", "METADATA <none>", "VERBOSE OFF"]


def test_reset_deletes_what_is_volatile(session: Typed) -> None:
    session.type(r"add volume \\nas\vm", "create", "set context persistent")
    session.type(r"add volume \\nas\data", "create", "reset")
    assert [copy.volume for copy in session.copies.there] == [r"\\nas\data"]


def test_verbose(session: Typed) -> None:
    session.type("set verbose on")
    assert session.type(r"add volume \\nas\vm\vm1 alias x") == [
        r"Added \\nas\vm, of which vm1 is meant."
    ]
    assert session.type(r"add volume \\nas\data") == [r"Added \\nas\data."]
    session.type("set metadata x.json")
    assert "Wrote metadata file x.json." in session.type("create")
    session.type("set verbose off")
    assert session.type(r"add volume \\nas\vm") == []


def test_exec_has_the_aliases_and_the_shares(session: Typed, tmp_path: Path) -> None:
    program = tmp_path / "backup.sh"
    program.write_text('#!/bin/sh\nenv > "$out"\n')
    program.chmod(0o755)
    session.type(f"add alias out {tmp_path}/env", r"add volume \\nas\vm alias Vm", "create")
    session.type("exec backup.sh")
    copy = session.copies.there[0]
    found = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert found["Vm"] == copy.copy_id
    assert found["VSS_SHADOW_SET"] == found["FSRVPSHADOW_SET"] == copy.set_id
    assert found["FSRVPSHADOW_SHARE_1"] == copy.device


def test_help_names_every_command(session: Typed) -> None:
    shown = session.type("help")
    assert [line for line in shown if not line.startswith("\t")] == [
        command.syntax for command in COMMANDS
    ]


def test_providers(session: Typed) -> None:
    assert session.type("list providers")[-1] == "1 provider registered."


def test_where_an_error_is(session: Typed) -> None:
    with pytest.raises(RequestorError) as caught:
        session.run(r"add volume \\nas\refused") and session.run("create")
    assert located("x.dsh:2", session, caught.value) == (
        r"x.dsh:2: CREATE: \\nas\refused: the server refused; look there"
    )
    with pytest.raises(WrongWord) as wrong:
        session.run("expose %x% p:".replace("%", ""))
    assert located("", session, wrong.value).startswith("EXPOSE: every copy is a share already")
