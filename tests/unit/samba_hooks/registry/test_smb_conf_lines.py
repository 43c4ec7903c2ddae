from __future__ import annotations

import random

from samba_hooks.registry.smb_conf_lines import Line, parse, parse_some


def test_sections_parameters_and_their_numbers() -> None:
    text = "\n[Global]\n\tInclude = /etc/a b\n# no\n ; no\nno value\n[ My Share ] x\nPATH=/x=y\n"
    assert [*parse(text)] == [
        Line(2, True, "global", ""),
        Line(3, False, "include", "/etc/a b"),
        Line(7, True, "myshare", ""),
        Line(8, False, "path", "/x=y"),
    ]


def test_a_backslash_joins_lines_even_before_a_blank_and_a_comment_sign() -> None:
    text = "inc\\\nlude = \\\n  /etc/x \\ \r\n# y\r\nnext = 1"
    assert [*parse(text)] == [
        Line(1, False, "include", "/etc/x # y"),
        Line(5, False, "next", "1"),
    ]


def test_a_comment_is_never_continued() -> None:
    assert [*parse("# x \\\ninclude = a")] == [Line(2, False, "include", "a")]


def test_a_file_may_end_in_the_middle() -> None:
    assert [*parse("include = a\\")] == [Line(1, False, "include", "a")]
    assert [*parse("")] == []


def test_some_lines_are_those_of_all_lines() -> None:
    pieces = [
        *"[]=#;\\\r\t ",
        "\n",
        "\n",
        "\n",
        "include",
        "In Clu de",
        "copy",
        "path",
        "homes",
        "/x",
    ]
    chance = random.Random(4)
    for _ in range(3000):
        text = "".join(chance.choices(pieces, k=chance.randrange(30)))
        wanted = [
            line for line in parse(text) if line.is_section or line.name in ("include", "copy")
        ]
        assert [*parse_some(text, "include", "copy")] == wanted, text
