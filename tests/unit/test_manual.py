"""Every option and command is documented as it is."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs import fragments, generate
from fsrvpd.cluster.guard import DIFFERENCES
from fsrvpd.config import daemon_options
from fsrvpd.ctl.messages import MESSAGES
from fsrvpd.daemon.log.events import BY_NAME, EVENTS
from fsrvpd.daemon.reconciliation.discrepancies import KINDS
from fsrvpd.options.option import Option
from fsrvpd.options.share import SHARE_OPTIONS
from fsrvpd.protocol.hresult import HResult
from fsrvpd.requestor.ctl import main as fsrvpshadow
from fsrvpd.requestor.ctl import writer_keys
from fsrvpd.requestor.ctl.keys import KEYS_OF_JOB
from fsrvpd.requestor.ctl.metrics import METRICS
from tests.paths import ROOT

ALL_OPTIONS = (*daemon_options.GLOBAL_OPTIONS, *SHARE_OPTIONS)
README = (ROOT / "README.md").read_text()
WRITTEN = generate.written()
MAN_PAGES = sorted((ROOT / "docs/man").iterdir())


@pytest.mark.parametrize("path", WRITTEN, ids=str)
def test_what_is_written_is_up_to_date(path: Path) -> None:
    assert (ROOT / path).read_text() == WRITTEN[path], "run `make docs`"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation as Sphinx reads it, every link followed; manual pages in `man`."""
    build = tmp_path_factory.mktemp("docs")
    sphinx = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-n"]
    for builder in ("man", "dummy"):
        argv = [*sphinx, "-d", build / "doctrees", "-b", builder, "docs", build / builder]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return build


def test_manual_pages_are_up_to_date(built: Path) -> None:
    fresh = {path.name: path.read_text() for path in (built / "man").glob("*.[1-9]")}
    assert {path.name: path.read_text() for path in MAN_PAGES} == fresh, "run `make docs`"


@pytest.mark.parametrize("path", MAN_PAGES, ids=lambda path: path.name)
def test_manual_pages_render_without_warnings(path: Path) -> None:
    argv = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(path)]
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout


@pytest.mark.parametrize("option", ALL_OPTIONS, ids=lambda option: option.name)
def test_every_option_has_meaning_default_and_advice(option: Option[object]) -> None:
    assert option.meaning.endswith(".")
    assert option.when.endswith(".")
    assert f"\\fB{option.name}\\fP" in manual_page("fsrvpd.conf-options.5")
    assert f"#### {option.name}\n\n{option.meaning}" in WRITTEN[Path("docs/options.md")]


def test_the_options_in_the_readme_have_their_defaults() -> None:
    rows = re.findall(r"^\| (?:share: )?`(f\w+:[^`]+)` \| (.*?) \|", README, re.M)
    defaults = {option.name: option.default or "(empty)" for option in ALL_OPTIONS}
    assert rows
    assert dict(rows).items() <= defaults.items()


def manual_page(name: str) -> str:
    return (ROOT / "docs/man" / name).read_text().replace("\\-", "-")


def test_every_message_has_its_json_described() -> None:
    described = (ROOT / "docs/json.md").read_text()
    headings = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^## (.*)", described, re.M))))
    assert {message.name for message in MESSAGES} <= headings


PARSERS = {"fsrvpctl.8": fragments.whole(), "fsrvpshadow.1": fsrvpshadow.parser()}


def test_every_message_is_in_manual_and_completion() -> None:
    page = manual_page("fsrvpctl.8")
    completion = WRITTEN[Path("packaging/completion/bash/fsrvpctl")]
    for message in MESSAGES:
        assert message.name in page
        assert message.name in completion


@pytest.mark.parametrize("name", PARSERS)
def test_every_command_is_in_manual_and_completion(name: str) -> None:
    page, parser = manual_page(name), PARSERS[name]
    completion = WRITTEN[Path("packaging/completion/bash", parser.prog)]
    for name, command in fragments.commands(parser):
        assert name in page
        assert name in completion
        assert command.description, f"{name} has no description"
        for option in fragments.option_names(command):
            assert option in page
            assert option in completion


def test_every_installed_command_has_a_manual_page_and_completion() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    scripts = re.findall(r"^([\w-]+) = ", text.split("[project.scripts]")[1].split("[")[0], re.M)
    assert {"fsrvpd", "fsrvpctl", "fsrvp-snap"} <= set(scripts)
    for script in scripts:
        section = 1 if script == "fsrvpshadow" else 8
        assert manual_page(f"{script}.{section}")
        assert Path(f"packaging/completion/bash/{script}") in WRITTEN
        assert Path(f"packaging/completion/zsh/_{script}") in WRITTEN
        assert f"`{script}`({section})" in README


def test_every_key_of_the_requestors_configuration_is_in_its_manual() -> None:
    page = manual_page("fsrvpshadow.toml.5")
    of_kinds = [key for kind in writer_keys.KINDS.values() for key in kind.keys]
    for key in (*KEYS_OF_JOB, *writer_keys.KEYS_OF_WRITERS, *of_kinds):
        assert f"\\fB{key.name} = " in page
        assert key.meaning.endswith(".")


def test_every_metric_of_the_requestor_is_in_its_manual() -> None:
    page = manual_page("fsrvpshadow.1")
    for name, meaning in METRICS:
        assert f"\\fB{name}\\fP" in page
        assert meaning.endswith(".")


def test_every_result_is_in_the_troubleshooting() -> None:
    text = (ROOT / "docs/troubleshooting.md").read_text()
    for result in HResult:
        assert f"| `{result.name}` | 0x{result:08X} |" in text


PATH = re.compile(
    r"`((?:fsrvpd|samba_hooks|src|tests|lab|docs|packaging|benchmarks|examples)/[\w./-]*)`"
)


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "README.md"])
def test_every_file_that_a_document_names_exists(name: str) -> None:
    named = PATH.findall((ROOT / name).read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_event_that_the_code_reports_is_listed() -> None:
    assert reported() | set(KINDS) | set(DIFFERENCES) == set(BY_NAME)
    assert len({event.id for event in EVENTS}) == len(EVENTS)


def reported() -> set[str]:
    """The names with which `report` and `event` are called."""
    found = {"call", "call-refused"}
    for path in (ROOT / "fsrvpd").rglob("*.py"):
        if path.is_relative_to(ROOT / "fsrvpd/requestor"):
            continue  # has no log of events; `fsrvpshadow`(1) lists those of --json
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                found.update(_event_names(node))
    return found


def _event_names(call: ast.Call) -> list[str]:
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    position = {"report": 1, "event": 0}.get(name)
    if position is None or len(call.args) <= position:
        return []
    argument = call.args[position]
    return [argument.value] if isinstance(argument, ast.Constant) else []
