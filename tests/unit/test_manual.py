"""Everything that can be set or typed is documented, as it is."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from docs import manual, pages
from fsrvpd import options
from fsrvpd.ctl.messages import MESSAGES
from fsrvpd.daemon.events import BY_NAME, EVENTS
from fsrvpd.protocol.hresult import HResult

ROOT = Path(__file__).parents[2]
ALL_OPTIONS = (*options.GLOBAL_OPTIONS, *options.SHARE_OPTIONS)
WRITTEN = manual.written()
MAN_PAGES = sorted(path for path in WRITTEN if path.parts[:2] == ("docs", "man"))
HOUSEKEEPING = {"stray-snapshot", "stray-share", "share-gone", "snapshot-gone", "volume-absent"}


@pytest.mark.parametrize("path", WRITTEN, ids=str)
def test_what_is_written_is_up_to_date(path: Path) -> None:
    assert (ROOT / path).read_text() == WRITTEN[path], "run `make docs`"


@pytest.mark.parametrize("path", MAN_PAGES, ids=str)
def test_manual_pages_render_without_warnings(path: Path) -> None:
    argv = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(ROOT / path)]
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout


@pytest.mark.parametrize("option", ALL_OPTIONS, ids=lambda option: option.name)
def test_every_option_has_meaning_default_and_advice(option: options.Option[object]) -> None:
    assert option.meaning.endswith(".")
    assert option.when.endswith(".")
    page = WRITTEN[Path("docs/man/fsrvpd.conf-options.5")].replace("\\-", "-")
    assert f"\\fB{option.name}\\fR" in page
    default = option.default or "(empty)"
    row = rf"\| (share: )?`{re.escape(option.name)}` \| {re.escape(default)} \|"
    assert re.search(row, (ROOT / "README.md").read_text()), f"README.md lacks {option.name}"


def test_every_message_has_its_json_described() -> None:
    described = (ROOT / "docs/json.md").read_text()
    headings = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^## (.*)", described, re.M))))
    assert {message.name for message in MESSAGES} <= headings


def test_every_message_and_command_is_in_manual_and_completion() -> None:
    page = WRITTEN[Path("docs/man/fsrvpctl.8")].replace("\\-", "-")
    completion = WRITTEN[Path("packaging/completion/fsrvpctl")]
    names = [message.name for message in MESSAGES] + [name for name, _ in pages.commands()]
    for name in names:
        assert name in page
        assert name in completion
    for name, command in pages.commands():
        assert command.description, f"{name} has no description"
        for option in pages.option_names(command):
            assert option in page
            assert option in completion


def test_every_installed_command_has_a_manual_page_and_completion() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    scripts = re.findall(r"^([\w-]+) = ", text.split("[project.scripts]")[1].split("[")[0], re.M)
    assert {"fsrvpd", "fsrvpctl", "fsrvp-snap"} <= set(scripts)
    for script in scripts:
        assert Path(f"docs/man/{script}.8") in WRITTEN
        assert Path(f"packaging/completion/{script}") in WRITTEN
        assert f"`{script}`(8)" in (ROOT / "README.md").read_text()


def test_completion_completes() -> None:
    """In a bash, as one types: messages, options, verbs."""
    for typed, expected in (
        ("fsrvpctl fsrvpd list-s", "list-sets"),
        ("fsrvpctl doctor --no", "--no-self-test"),
        ("fsrvpd --for", "--foreground"),
        ("fsrvp-snap cre", "create"),
    ):
        words = typed.split()
        file = ROOT / "packaging/completion" / words[0]
        function = f"_{words[0].replace('-', '_')}"
        script = f"source {file}; COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; {function}"
        argv = ["bash", "-c", f'{script}; printf "%s\\n" "${{COMPREPLY[@]}}"']
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        assert expected in done.stdout.split()


def test_every_result_is_in_the_troubleshooting() -> None:
    text = (ROOT / "docs/troubleshooting.md").read_text()
    for result in HResult:
        assert f"| `{result.name}` | 0x{result:08X} |" in text


def test_every_event_that_the_code_reports_is_listed() -> None:
    assert reported() | HOUSEKEEPING == set(BY_NAME)
    assert len({event.id for event in EVENTS}) == len(EVENTS)


def reported() -> set[str]:
    """The names with which `report` and `_event` are called."""
    found = {"call", "call-refused"}
    for path in (ROOT / "fsrvpd").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                found.update(_event_names(node))
    return found


def _event_names(call: ast.Call) -> list[str]:
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    position = {"report": 1, "_event": 0}.get(name)
    if position is None or len(call.args) <= position:
        return []
    argument = call.args[position]
    return [argument.value] if isinstance(argument, ast.Constant) else []
