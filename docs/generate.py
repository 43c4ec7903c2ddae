"""Writes what comes from the code: events, options, examples, pictures, completion.

python -m docs.generate       (`make docs`, which then builds site and manual pages)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docs import (
    completion,
    examples,
    fragments,
    pictures,
    run_sequence,
    share_parameters,
    state_machine,
)
from fsrvpd.config.daemon_options import GLOBAL_OPTION_GROUPS
from fsrvpd.daemon.log.events import EVENTS
from fsrvpd.daemon.log.levels import samba_level
from fsrvpd.options.option import Option
from fsrvpd.options.share import SHARE_OPTION_GROUPS

ROOT = Path(__file__).parent.parent
NOTE = "Written by docs/generate.py; change it there or in the code."


def written() -> dict[Path, str]:
    """Every generated text, by its path from the top of the repository."""
    return {
        Path("docs/events.md"): events(),
        Path("docs/options.md"): options(),
        Path("docs/share-parameters.md"): share_parameters.page(NOTE),
        Path("docs/overview.svg"): pictures.overview(),
        Path("docs/layers.svg"): pictures.layers(),
        Path("docs/state-machine.svg"): state_machine.picture(),
        Path("docs/run-sequence.svg"): run_sequence.picture(),
        Path("examples/smb.conf.full"): examples.full(),
        Path("cockpit/src/options.json"): options_for_the_page(),
        **completion.written(),
    }


def options_for_the_page() -> str:
    """What the page in Cockpit shows of each option."""

    def described(groups: fragments.Groups) -> list[dict[str, str]]:
        return [
            {
                "name": option.name,
                "default": option.default,
                "meaning": option.meaning,
                "when": option.when,
            }
            for group in groups.values()
            for option in group
        ]

    found = {"global": described(GLOBAL_OPTION_GROUPS), "share": described(SHARE_OPTION_GROUPS)}
    return json.dumps(found, indent=1) + "\n"


def options() -> str:
    return f"""# Options in smb.conf

<!-- {NOTE} -->

All options are set in smb.conf, in `[global]` or in the section of a share. `fsrvpctl
check-config` reports mistakes. `fsrvpctl fsrvpd reload-config` or `smbcontrol fsrvpd
reload-config` puts all changes into effect, or none if something is wrong. `fsrvpctl set-option`
writes one option and does the rest; `unset-option` removes it. Booleans are `yes` or `no`. The same
text is in the manual page `fsrvpd.conf-options`(5).

## In [global]

{_described(GLOBAL_OPTION_GROUPS)}
## Of a share

In the share's section; in `[global]` as the default for all shares.

{_described(SHARE_OPTION_GROUPS)}"""


def _described(groups: fragments.Groups) -> str:
    return "\n".join(
        f"### {name}\n\n" + "\n".join(_option(each) for each in group)
        for name, group in groups.items()
    )


def _option(option: Option[Any]) -> str:
    return (
        f"#### {option.name}\n\n{option.meaning} Default: {fragments.shown_default(option)}.\n\n"
        f"*When to change it:* {option.when}\n"
    )


def events() -> str:
    rows = [
        f"| {event.id} | `{event.name}` | {samba_level(event.level)} | {event.meaning} |"
        for event in sorted(EVENTS)
    ]
    return f"""# Events

<!-- {NOTE} -->

Every event has an id and a name that stay the same, so that alerts and filters may rely on
them. In a log file an event is `event=NAME key=value …`, in the journal the fields
`FSRVPD_EVENT`, `FSRVPD_EVENT_ID` and `FSRVPD_KEY` for each key. It is logged from the debug
level in the table on; `fsrvpctl fsrvpd watch-events` shows all of them whatever the level.

| id | name | level | meaning |
| --- | --- | --- | --- |
{chr(10).join(rows)}

Keys: `set` and `copy` (ids in registry form), `opnum`, `method`, `result` (the HRESULT by name),
`client` (address), `account`, `sid`, `ms` (from the call's arrival to its answer), `reason`,
`uid`, `level`.

```
journalctl -u fsrvpd FSRVPD_EVENT=set-removed
journalctl -u fsrvpd FSRVPD_SET='{{0E5C6C3B-…}}' -o json
```
"""


def main() -> None:
    for path, text in written().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text)
        print(path)


if __name__ == "__main__":
    main()
