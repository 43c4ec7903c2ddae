"""Every module has a test file of its name, or a row that says which tests prove it."""

from __future__ import annotations

from tests import modules
from tests.paths import ROOT, TESTS
from tests.proved_by import PROVED_BY


def test_every_module_has_a_test_of_its_name_or_a_row() -> None:
    named = {module for module in modules.with_code() if modules.test_of_its_name(module).exists()}
    assert set(modules.with_code()) - named - set(PROVED_BY) == set(), "add rows to proved_by.py"


def test_rows_name_modules_and_tests_that_exist() -> None:
    assert not [module for module in PROVED_BY if not (ROOT / module).exists()]
    named = {test for tests in PROVED_BY.values() for test in tests}
    assert not [test for test in named if not (TESTS / test.partition("[")[0]).exists()]
    assert all(PROVED_BY.values())
