"""The table of the contract: one row for each case, one column for each storage."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, NamedTuple, Sequence, Set

PASSED, FAILED, NOT_APPLICABLE, NOT_RUN = "yes", "FAILED", "n/a", "not run"
_WORST_FIRST = (FAILED, NOT_RUN, PASSED, NOT_APPLICABLE)
_WORDS = {FAILED: "failed", PASSED: "passed", NOT_APPLICABLE: "skipped"}
BEGIN, END = "<!-- contract: begin -->\n", "<!-- contract: end -->\n"


class Outcome(NamedTuple):
    case: str
    storage: str
    result: str
    note: str  # the reason of a skip, or what the test recorded


def outcomes(junit: Path, storages: Sequence[str]) -> Iterator[Outcome]:
    """Read the results of tests with a storage from pytest's --junit-xml report."""
    for test in ElementTree.parse(junit).getroot().iter("testcase"):
        name, _, parameters = test.attrib["name"].partition("[")
        storage = next(
            (storage for storage in storages if re.match(rf"{storage}[-\]]", parameters)), None
        )
        if storage is not None:
            case = name[len("test_") :].replace("_", " ")
            yield Outcome(case, storage, *_result(test))


def _result(test: ElementTree.Element) -> tuple[str, str]:
    if any(test.find(kind) is not None for kind in ("failure", "error")):
        return FAILED, ""
    skipped = test.find("skipped")
    if skipped is not None:
        return NOT_APPLICABLE, skipped.attrib.get("message", "")
    recorded = [f"{each.attrib['value']} {each.attrib['name']}" for each in test.iter("property")]
    return PASSED, ", ".join(recorded)


def tally(junit: Path) -> Counter[str]:
    """Count all tests by result."""
    counts: Counter[str] = Counter()
    for test in ElementTree.parse(junit).getroot().iter("testcase"):
        counts[_WORDS[_result(test)[0]]] += 1
    return counts


def in_words(counts: Mapping[str, int], seconds: float) -> str:
    """Format the counts like pytest's summary."""
    said = [f"{counts[word]} {word}" for word in _WORDS.values() if counts[word]]
    return f"{', '.join(said) or 'no tests ran'} in {seconds:.2f}s"


class Table:
    def __init__(self, storages: Sequence[str]) -> None:
        self.storages = list(storages)
        self.why: Dict[str, str] = {}  # storage -> why it could not run
        self._cells: Dict[str, Dict[str, List[str]]] = {}
        self._notes: List[str] = []
        self._ran: Set[str] = set()

    def add(self, junit: Path) -> None:
        """Add the results of these storages from a report of pytest."""
        for outcome in outcomes(junit, self.storages):
            self._add(outcome)

    def _add(self, outcome: Outcome) -> None:
        row = self._cells.setdefault(outcome.case, {})
        row.setdefault(outcome.storage, []).append(outcome.result)
        self._ran.add(outcome.storage)
        if outcome.note:  # failures have no note: pytest printed them above
            note = f"{outcome.storage}, {outcome.case}: {outcome.note}"
            if note not in self._notes:
                self._notes.append(note)

    def cell(self, case: str, storage: str) -> str:
        found = self._cells[case].get(storage, [])
        return next(
            (each for each in _WORST_FIRST if each in found),
            NOT_APPLICABLE if storage in self._ran else NOT_RUN,
        )

    def markdown(self) -> str:
        width = max(map(len, self._cells), default=4)
        lines = [f"| {'case':{width}} | {' | '.join(self.storages)} |"]
        lines.append("|---" * (1 + len(self.storages)) + "|")
        for case in self._cells:
            cells = [f"{self.cell(case, storage):{len(storage)}}" for storage in self.storages]
            lines.append(f"| {case:{width}} | {' | '.join(cells)} |")
        notes = [f"* {note}" for note in self.notes()]
        return "\n".join([*lines, *([""] if notes else []), *notes]) + "\n"

    def notes(self) -> List[str]:
        """List why storages did not run, and the notes on single cells."""
        return [
            *(f"{storage}: did not run: {why}" for storage, why in self.why.items()),
            *self._notes,
        ]

    def summary(self) -> str:
        cells = [self.cell(case, storage) for case in self._cells for storage in self.storages]
        counts = ", ".join(f"{cells.count(each)} {each}" for each in _WORST_FIRST)
        return f"cells: {counts}"

    def failed(self) -> bool:
        return any(
            self.cell(case, storage) == FAILED for case in self._cells for storage in self.storages
        )
