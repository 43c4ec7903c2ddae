"""The line of a key, whatever TOML's grammar makes of the lines before it."""

from __future__ import annotations

import pytest

from fsrvpd.requestor.ctl.toml_lines import line_of

TEXT = '''# a = 1
a = """
b = 2
[c]
"""
"quoted key" = 1  # x
[c.d]
e.f = [
  1,
]
[[g]]
h = 1
[[g]]
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [(("a",), 2), (("quoted key",), 6), (("c", "d"), 7), (("c", "d", "e", "f"), 8), (("g",), 11)],
)
def test_the_line_at_which_a_statement_begins(path: tuple[str, ...], line: int) -> None:
    assert line_of(TEXT, path) == line


def test_a_key_that_is_not_there_is_at_the_end() -> None:
    assert line_of("a = 1\nb = 2\n", ("c",)) == 2
    assert line_of("", ("c",)) == 1
