"""Links of DFS, as smbd serves them with `msdfs root`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator

import pytest

from lab.daemon import SCRIPTS
from lab.samba import ROOT
from tests.requestor.file_servers import DIALECTS
from tests.requestor.lan import Lan, open_lan


@pytest.fixture(scope="module", params=DIALECTS)
def lan(request: pytest.FixtureRequest) -> Iterator[Lan]:
    with open_lan(DIALECTS[request.param]) as opened:
        yield opened


def resolve(lan: Lan, *arguments: str) -> list[Any]:
    script = Path(__file__).with_name("resolve_names.py")
    done = lan.lab.run([SCRIPTS / "python", script, "--login", ROOT.login, *arguments])
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_leads_where(lan: Lan) -> None:
    expected = {
        r"\\nas\data": [r"\\nas\data", ""],
        r"\\nas\data\sub": [r"\\nas\data", "sub"],
        r"\\nas\dfs": [r"\\nas\dfs", ""],
        r"\\nas\dfs\plain": [r"\\nas\dfs", "plain"],
        r"\\nas\dfs\link\vm\web": [r"\\nas\data", r"vm\web"],
        r"\\nas\dfs\below\a": [r"\\nas\data", r"folder\a"],
        r"\\10.0.0.7\dfs\link": [r"\\nas\data", ""],
        r"\\nas\dfs\again\a": [r"\\nas\data", "a"],
    }
    found = resolve(lan, *expected)
    assert [each[0][:2] for each in found] == list(expected.values())


def test_the_logical_prefix_is_the_link(lan: Lan) -> None:
    [[[_, _, steps, prefix]]] = resolve(lan, r"\\nas.example.org\dfs\link\vm\web")
    assert prefix == r"\\nas.example.org\dfs\link"
    assert r"\\nas\dfs\link\vm\web → \\nas\data\vm\web (DFS)" in steps


def test_what_is_refused(lan: Lan) -> None:
    lan.names.asked.clear()
    expected = {
        r"\\nas\dfs\two": r"is a link of DFS with 2 targets: \nas\data, \fs2\data",
        r"\\nas\dfs\circle": "more than 8 links of DFS",
        r"\\nas\dfs\link,\\nas\data": "a share can be once in a set",
        r"\\nas\dfs\away": "nas leads to 'fs2', which did not prove",
        r"\\nas\dfs\unknown": "nas leads to 'evil', which did not prove",
    }
    for refused, cause in zip(resolve(lan, *expected), expected.values()):
        assert cause in refused["error"]
    assert lan.names.asked
    assert not [name for name in lan.names.asked if name.startswith(("fs2", "evil"))]


def test_the_configuration_may_list_a_server(lan: Lan) -> None:
    [[[root, *_]]] = resolve(lan, "--owner", "fs2", r"\\nas\dfs\away")
    assert root == r"\\fs2\data"


def test_a_set_through_a_link(lan: Lan) -> None:
    given = r"\\nas.example.org\dfs\link\folder"
    done = lan.command("--json", "create", given)
    assert done.status == 0, done.said
    created = done.json()[-1]
    [copy] = created["copies"]
    assert (copy["share"], copy["given"], copy["prefix"]) == (r"\\nas\data", given, "folder")
    assert lan.command("delete", "--set", created["set"]).status == 0
    refused = lan.command("create", r"\\nas\dfs\two")
    assert refused.status == 1
    assert r"\\nas\dfs\two: is a link of DFS with 2 targets" in refused.said


def test_the_command_shows_the_way(lan: Lan) -> None:
    done = lan.command("--json", "resolve", r"\\10.0.0.7\dfs\below\x")
    [shown] = done.json()
    assert shown["root"] == r"\\nas\data"
    assert shown["below"] == r"folder\x"
    assert shown["logical_prefix"] == r"\\10.0.0.7\dfs\below"
    assert [step["how"] for step in shown["steps"]] == ["reverse DNS", "short name", "DFS"]
