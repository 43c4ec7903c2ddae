"""fsrvpd/requestor/shell/statements.py"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.requestor.shell import statements as said
from fsrvpd.requestor.shell.lines import WrongWord, split
from fsrvpd.requestor.shell.statements import Selection, Statement, command_of, parse
from fsrvpd.requestor.shell.words import BY_WORDS, FOLLOWING, REFUSED

ID = "{7b53b887-76e5-4db8-821d-6828e4cbe044}"
KNOWN = sorted({word for words in FOLLOWING.values() for word in words} | {"alias", "provider"})

LINES: list[tuple[str, Statement]] = [
    ("set", said.ShowSettings()),
    ("Set Context Persistent", said.SetContext(persistent=True, writers=True)),
    ("set context VOLATILE NoWriters", said.SetContext(persistent=False, writers=False)),
    ("set option noautorecover", said.SetOption(auto_recovery=False)),
    ("set option rollbackrecover", said.SetOption(auto_recovery=True)),
    ("Set MetaData vm1backup.cab", said.SetMetadata("vm1backup.cab")),
    ("set verbose on", said.SetVerbose(True)),
    ("set verbose OFF", said.SetVerbose(False)),
    ("reset", said.Reset()),
    ("Load MetaData 'x'", said.LoadMetadata("'x'")),
    ("writer verify {66841cd4-…}", said.VerifyWriter("{66841cd4-…}")),
    ("writer exclude System Writer", said.ExcludeWriter("System Writer")),
    ("add", said.ShowVolumes()),
    (r"Add Volume \\smbsofs\vm\vm1", said.AddVolume(r"\\smbsofs\vm\vm1")),
    (r"add volume \\n\s alias Vm", said.AddVolume(r"\\n\s", "Vm")),
    (rf"add volume \\n\s provider {ID} alias x", said.AddVolume(r"\\n\s", "x", ID)),
    ("add alias System1 value", said.AddAlias("System1", "value")),
    ("create", said.Create()),
    ("exec /srv/backup.sh", said.Exec("/srv/backup.sh")),
    ("Begin Backup", said.Begin("backup")),
    ("end backup", said.End("backup")),
    ("begin restore", said.Begin("restore")),
    ("End Restore", said.End("restore")),
    ("list writers", said.ListWriters()),
    ("list writers status", said.ListWriters()),
    ("list providers", said.ListProviders()),
    ("list shadows all", said.ListShadows(Selection("all"))),
    (f"list shadows set {ID.upper()}", said.ListShadows(Selection("set", ID))),
    (f"list shadows id {ID[1:-1]}", said.ListShadows(Selection("id", ID))),
    ("delete shadows all", said.DeleteShadows(Selection("all"))),
    (r"Delete Shadows Volume \\n\s", said.DeleteShadows(Selection("volume", r"\\n\s"))),
    (r"delete shadows oldest \\n\s", said.DeleteShadows(Selection("oldest", r"\\n\s"))),
    (f"delete shadows set {ID}", said.DeleteShadows(Selection("set", ID))),
    (f"delete shadows id {ID}", said.DeleteShadows(Selection("id", ID))),
    (r"delete shadows exposed \\n\s@", said.DeleteShadows(Selection("exposed", r"\\n\s@"))),
    ("help", said.Help()),
    ("exit", said.Exit()),
]


@pytest.mark.parametrize(("line", "statement"), LINES, ids=[line for line, _ in LINES])
def test_lines(line: str, statement: Statement) -> None:
    assert parse(split(line)) == statement


def test_every_command_of_the_table_has_a_line() -> None:
    assert {command_of(split(line)) for line, _ in LINES} == set(BY_WORDS)


WRONG = [
    ("frobnicate", "frobnicate: no such word; known: SET, RESET"),
    ("set frobnicate", "frobnicate: no such word after SET; known: CONTEXT"),
    ("begin", "BEGIN: a word is missing; add BACKUP, RESTORE"),
    ("set context", "SET CONTEXT: a word is missing; add PERSISTENT, VOLATILE"),
    ("set context persistent writers", "writers: no such word after SET CONTEXT PERSISTENT"),
    ("set context persistent nowriters x", "x: nothing may follow SET CONTEXT PERSISTENT NOW"),
    ("set option", "SET OPTION: a word is missing; add NOAUTORECOVER"),
    ("set option noautorecover rollbackrecover", "exclude one another"),
    ("set verbose loud", "loud: no such word after SET VERBOSE; known: ON, OFF"),
    ("set metadata", "SET METADATA: a word is missing; add FILE"),
    ("set metadata a b", 'b: only one FILE may follow SET METADATA; write a name with blanks in "'),
    ("create now", "now: nothing may follow CREATE"),
    ("add volume", r"ADD VOLUME: a word is missing; add \\\\SERVER\\SHARE"),
    (r"add volume \\n\s as x", "as: no such word after the share; known: ALIAS, PROVIDER"),
    (r"add volume \\n\s alias", "ADD VOLUME ALIAS: a word is missing; add NAME"),
    (r"add volume \\n\s alias x alias y", "alias: no such word after the share"),
    ("add alias x", "ADD ALIAS: a word is missing; add NAME VALUE"),
    ("list shadows", "LIST SHADOWS: a word is missing; add ALL, SET, ID"),
    ("list writers loud", "loud: no such word after LIST WRITERS"),
    ("delete shadows id x", "x: this is no ID"),
    ("delete shadows set", "DELETE SHADOWS SET: a word is missing; add value"),
    ("delete shadows all now", "now: nothing may follow DELETE SHADOWS ALL"),
    ("writer verify", "WRITER VERIFY: a word is missing; add WRITER"),
    ("exec", "EXEC: a word is missing; add FILE"),
]


@pytest.mark.parametrize(("line", "reason"), WRONG, ids=[line for line, _ in WRONG])
def test_wrong_lines_say_the_word_and_what_is_known(line: str, reason: str) -> None:
    with pytest.raises(WrongWord, match=reason.replace("(", r"\(")) as caught:
        parse(split(line))
    assert caught.value.exit_status == 1


@pytest.mark.parametrize("path", REFUSED, ids=" ".join)
def test_what_cannot_be_meant_says_why(path: tuple[str, ...]) -> None:
    for line in (" ".join(path), " ".join(path).upper(), " ".join(path) + " x"):
        with pytest.raises(WrongWord) as caught:
            parse(split(line))
        assert str(caught.value).startswith(f"{' '.join(path).upper()}: ")
        assert "\n" not in str(caught.value)


@given(st.lists(st.sampled_from(KNOWN) | st.text(min_size=1), min_size=1))
def test_any_words_are_a_statement_or_a_reason(words: list[str]) -> None:
    said_wrong = None
    try:
        statement = parse(words)
    except WrongWord as error:
        said_wrong = error
    if said_wrong:
        assert said_wrong.cause
        assert said_wrong.next_step
    else:
        assert type(statement) in {type(each) for _, each in LINES}


@given(st.sampled_from(LINES), st.randoms(use_true_random=False))
def test_case_of_the_words_is_of_no_meaning(row: tuple[str, Statement], random: object) -> None:
    line, statement = row
    words = split(line)
    path = command_of(words)
    changed = [word.upper() if number % 2 else word.title() for number, word in enumerate(path)]
    assert parse([*changed, *words[len(path) :]]) == statement
