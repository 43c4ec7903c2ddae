"""Write what comes from the code: manual pages, the list of events, the completion.

python -m docs.manual       (make docs)
"""

from __future__ import annotations

import argparse
from pathlib import Path

from docs import pages
from fsrvpd.ctl import snap as fsrvp_snap
from fsrvpd.ctl.messages import MESSAGES
from fsrvpd.daemon import main as fsrvpd
from fsrvpd.daemon.events import EVENTS
from fsrvpd.daemon.logs import samba_level

ROOT = Path(__file__).parent.parent
NOTE = "Written by docs/manual.py; change it there or in the code."


def written() -> dict[Path, str]:
    """Every file, by its path from the top of the repository."""
    return {
        Path("docs/man/fsrvpd.8"): pages.fsrvpd_page().text(),
        Path("docs/man/fsrvpctl.8"): pages.fsrvpctl_page().text(),
        Path("docs/man/fsrvp-snap.8"): pages.fsrvp_snap_page().text(),
        Path("docs/man/fsrvpd.conf-options.5"): pages.options_page().text(),
        Path("docs/events.md"): events(),
        Path("packaging/completion/fsrvpctl"): completion(),
        Path("packaging/completion/fsrvpd"): plain_completion(fsrvpd.parser()),
        Path("packaging/completion/fsrvp-snap"): plain_completion(fsrvp_snap.parser()),
    }


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


def completion() -> str:
    commands = " ".join(name for name, _ in pages.commands())
    messages = " ".join(sorted(message.name for message in MESSAGES))
    options = "\n".join(
        f"        {name}) words='{' '.join(pages.option_names(parser))}' ;;"
        for name, parser in pages.commands()
    )
    return f"""# bash completion for fsrvpctl(8). {NOTE}
_fsrvpctl()
{{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
    local command='' word words=''
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case " {commands} " in *" $word "*) command=$word; break ;; esac
    done
    case $previous in
        -s | --configfile | -A | --authentication-file)
            mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        fsrvpd) words='{messages}' ;;
        show-set | delete-set | abort-set)
            words=$(fsrvpctl fsrvpd list-sets --json 2>/dev/null \\
                | sed -n 's/.*"set": "\\([^"]*\\)".*/\\1/p') ;;
    esac
    [[ -n $words ]] || case $command in
{options}
        *) words='{commands} {" ".join(pages.option_names(pages.whole()))}' ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}}
complete -F _fsrvpctl fsrvpctl
"""


def plain_completion(parser: argparse.ArgumentParser) -> str:
    """For a command without commands of its own: options, verbs, else files."""
    name = parser.prog
    function = f"_{name.replace('-', '_')}"
    verbs = [choice for action in parser._actions for choice in action.choices or ()]
    return f"""# bash completion for {name}(8). {NOTE}
{function}()
{{
    local words='{" ".join([*verbs, *pages.option_names(parser)])}'
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}")
}}
complete -o default -F {function} {name}
"""


def main() -> None:
    for path, text in written().items():
        (ROOT / path).write_text(text)
        print(path)


if __name__ == "__main__":
    main()
