"""What `set-option` and `unset-option` say, to people and to programs."""

from __future__ import annotations

from typing import Any, Dict, Iterator, NamedTuple, Optional, Sequence

from fsrvpd.options.option import Option

# Of the daemon, after a change.
RELOADED, NOT_RUNNING, REFUSED = "reloaded", "not-running", "refused"
_SAID = {
    RELOADED: "fsrvpd has reloaded its configuration",
    NOT_RUNNING: "fsrvpd does not run; it reads the option when it starts",
}


class Answer(NamedTuple):
    """`before` and `after` are what the section itself says, None without a line; `effective` is
    what counts. `file` is None for Samba's registry."""

    option: Option[Any]
    share: Optional[str]
    title: str
    file: Optional[str]
    before: Optional[str]
    after: Optional[str]
    effective: str
    dry_run: bool
    changed: bool = False
    lines: Sequence[str] = ()  # the change: a diff, or commands
    daemon: Optional[str] = None
    warnings: Sequence[str] = ()

    @property
    def needs_restart(self) -> bool:
        return bool(self.lines) and self.option.needs_restart and self.daemon != NOT_RUNNING

    def as_json(self) -> Dict[str, Any]:
        return {
            "option": self.option.name,
            "share": self.share,
            "file": self.file,
            "before": self.before,
            "after": self.after,
            "effective": self.effective,
            "default": self.option.default,
            "changed": self.changed,
            "dry_run": self.dry_run,
            "change": [*self.lines],
            "daemon": self.daemon,
            "needs_restart": self.needs_restart,
            "warnings": [*self.warnings],
        }

    def text(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        name = self.option.name
        if not self.lines:
            has = (
                f"has {name} = {self.after} already" if self.after is not None else f"has no {name}"
            )
            yield f"{self.title} {has}, nothing to do; `{self.effective}` counts"
            return
        if self.dry_run:
            yield from self.lines
            yield "nothing is changed (--dry-run)"
            return
        was = "was not there" if self.before is None else f"was {self.before}"
        if self.after is None:
            yield f"{self.title}: {name} is removed ({was}); `{self.effective}` counts now"
        else:
            yield f"{self.title}: {name} = {self.after} ({was})"
        if self.daemon in _SAID:
            yield _SAID[self.daemon]
        if self.needs_restart:
            yield f"{name} takes effect when fsrvpd is restarted: systemctl restart fsrvpd"
        yield from self.warnings
