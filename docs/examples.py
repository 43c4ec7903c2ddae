"""examples/smb.conf.full: every option with its default, so that one can be uncommented."""

from __future__ import annotations

import textwrap
from typing import Any, Iterator, Mapping, Sequence

from fsrvpd.config.daemon_options import GLOBAL_OPTION_GROUPS
from fsrvpd.options.option import Option
from fsrvpd.options.share import SHARE_OPTION_GROUPS

HEADER = """\
# smb.conf with every option of fsrvpd: uncomment what is to differ from the default.
# Written by docs/generate.py from the options in the code; see also docs/options.md.
# `fsrvpctl check-config` checks it, `fsrvpctl fsrvpd reload-config` puts it into effect.
"""
_WIDTH = 92


def full() -> str:
    lines = [
        HEADER,
        "[global]",
        "    # Shadow copies are shares in Samba's registry.",
        "    registry shares = yes",
        *_groups(GLOBAL_OPTION_GROUPS),
        "",
        "# Options of a share. In [global] they are the defaults of all shares.",
        "[data]",
        "    path = /srv/data",
        *_groups(SHARE_OPTION_GROUPS),
    ]
    return "\n".join(lines) + "\n"


def _groups(groups: Mapping[str, Sequence[Option[Any]]]) -> Iterator[str]:
    for title, options in groups.items():
        yield f"\n    #### {title} ####"
        for option in options:
            yield ""
            yield from _comment(option.meaning)
            yield from _comment(f"When to change it: {option.when}")
            yield f"    ; {option.name} = {option.default}".rstrip()


def _comment(text: str) -> Sequence[str]:
    prefix = "    # "
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=prefix,
        subsequent_indent=prefix,
        break_on_hyphens=False,
        break_long_words=False,
    )
