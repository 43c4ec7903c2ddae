"""The table of the contract: a row a case, a column a provider's bed."""

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
    bed: str
    result: str
    note: str  # what needs words: the reason of a skip, or what the test recorded


def outcomes(junit: Path, beds: Sequence[str]) -> Iterator[Outcome]:
    """What pytest wrote down with --junit-xml, of tests that have a bed."""
    for test in ElementTree.parse(junit).getroot().iter("testcase"):
        name, _, parameters = test.attrib["name"].partition("[")
        bed = next((bed for bed in beds if re.match(rf"{bed}[-\]]", parameters)), None)
        if bed is not None:
            case = name[len("test_") :].replace("_", " ")
            yield Outcome(case, bed, *_result(test))


def _result(test: ElementTree.Element) -> tuple[str, str]:
    if any(test.find(kind) is not None for kind in ("failure", "error")):
        return FAILED, ""
    skipped = test.find("skipped")
    if skipped is not None:
        return NOT_APPLICABLE, skipped.attrib.get("message", "")
    recorded = [f"{each.attrib['value']} {each.attrib['name']}" for each in test.iter("property")]
    return PASSED, ", ".join(recorded)


def tally(junit: Path) -> Counter[str]:
    """How many tests ended how, all of them."""
    counts: Counter[str] = Counter()
    for test in ElementTree.parse(junit).getroot().iter("testcase"):
        counts[_WORDS[_result(test)[0]]] += 1
    return counts


def in_words(counts: Mapping[str, int], seconds: float) -> str:
    """As pytest would say it."""
    said = [f"{counts[word]} {word}" for word in _WORDS.values() if counts[word]]
    return f"{', '.join(said) or 'no tests ran'} in {seconds:.2f}s"


class Table:
    def __init__(self, beds: Sequence[str]) -> None:
        self.beds = list(beds)
        self.why: Dict[str, str] = {}  # bed -> why it could not run
        self._cells: Dict[str, Dict[str, List[str]]] = {}
        self._notes: List[str] = []
        self._ran: Set[str] = set()

    def add(self, junit: Path) -> None:
        """All that a report of pytest says of these beds."""
        for outcome in outcomes(junit, self.beds):
            self._add(outcome)

    def _add(self, outcome: Outcome) -> None:
        row = self._cells.setdefault(outcome.case, {})
        row.setdefault(outcome.bed, []).append(outcome.result)
        self._ran.add(outcome.bed)
        if outcome.note:  # the failures are above, with all that pytest has to say
            note = f"{outcome.bed}, {outcome.case}: {outcome.note}"
            if note not in self._notes:
                self._notes.append(note)

    def cell(self, case: str, bed: str) -> str:
        found = self._cells[case].get(bed, [])
        return next(
            (each for each in _WORST_FIRST if each in found),
            NOT_APPLICABLE if bed in self._ran else NOT_RUN,
        )

    def markdown(self) -> str:
        width = max(map(len, self._cells), default=4)
        lines = [f"| {'case':{width}} | {' | '.join(self.beds)} |"]
        lines.append("|---" * (1 + len(self.beds)) + "|")
        for case in self._cells:
            cells = [f"{self.cell(case, bed):{len(bed)}}" for bed in self.beds]
            lines.append(f"| {case:{width}} | {' | '.join(cells)} |")
        notes = [f"* {note}" for note in self.notes()]
        return "\n".join([*lines, *([""] if notes else []), *notes]) + "\n"

    def notes(self) -> List[str]:
        """What needs words: why a bed did not run, and what is said of single cells."""
        return [*(f"{bed}: did not run: {why}" for bed, why in self.why.items()), *self._notes]

    def summary(self) -> str:
        cells = [self.cell(case, bed) for case in self._cells for bed in self.beds]
        counts = ", ".join(f"{cells.count(each)} {each}" for each in _WORST_FIRST)
        return f"cells: {counts}"

    def failed(self) -> bool:
        return any(self.cell(case, bed) == FAILED for case in self._cells for bed in self.beds)
