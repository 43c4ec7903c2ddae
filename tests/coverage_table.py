"""`python -m tests.coverage_table DIRECTORY`: which tests run which module, after a run.

Prints a line for each module: how many lines of its functions ran, and the test files that ran
most of them. Compares this with tests/proved_by.py. Exit status 1 if a row names tests that ran
but used nothing of the module. Processes that a test kills are not counted.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import coverage

from tests import modules
from tests.paths import ROOT
from tests.proved_by import PROVED_BY

SHOWN = 3  # test files of a module


def main() -> int:
    data = combined(Path(sys.argv[1]))
    ran = {module: test_files(data, module) for module in modules.with_code()}
    everything = {test for tests in ran.values() for test in tests}
    for module, tests in ran.items():
        print(line(data, module, tests))
    wrong = [
        f"{module}: {test} runs nothing of it"
        for module, tests in PROVED_BY.items()
        for test in tests
        if test in everything and test not in ran.get(module, {})
    ]
    print("\n".join(["", *wrong, f"{len(PROVED_BY)} rows, {len(wrong)} named tests are wrong"]))
    return 1 if wrong else 0


def combined(directory: Path) -> coverage.CoverageData:
    measured = coverage.Coverage(data_file=str(directory / "data"))
    if list(directory.glob("data.*")):
        measured.combine([str(directory)], keep=False)
    measured.load()
    return measured.get_data()


def test_files(data: coverage.CoverageData, module: str) -> Counter[str]:
    """Return how many lines of the module's functions each test file ran, most first."""
    wanted = modules.lines_of_functions(ROOT / module)
    counts: Counter[str] = Counter()
    for number, contexts in data.contexts_by_lineno(str(ROOT / module)).items():
        if number in wanted:
            counts.update({test for context in contexts for test in files_in(context)})
    return Counter(dict(counts.most_common()))


def files_in(context: str) -> set[str]:
    """A context names the test that started the process and the test that runs in it."""
    named = (part.partition("::")[0] for part in context.split("|"))
    return {name.removeprefix("tests/") for name in named if name.startswith("tests/")}


def line(data: coverage.CoverageData, module: str, tests: Counter[str]) -> str:
    wanted = modules.lines_of_functions(ROOT / module)
    ran = wanted & set(data.lines(str(ROOT / module)) or ())
    names = ", ".join(f"{test} ({count})" for test, count in tests.most_common(SHOWN))
    return f"{module:54} {len(ran):4} of {len(wanted):4}  {names or 'none'}"


if __name__ == "__main__":
    sys.exit(main())
