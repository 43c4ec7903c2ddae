"""The daemon's replies for people: plain lines that fit 80 columns."""

from __future__ import annotations

import time
from typing import Any, Mapping

from fsrvpd.table import table
from fsrvpd.terminal import wrapped

_MOST = 10  # lines of what is left out of a copy


def ping(answer: Any) -> str:
    return f"PONG from pid {answer['pid']}"


def list_sets(answer: Any) -> str:
    if not answer:
        return "no shadow copy sets"
    rows = [[one["set"], one["status"], _age(one["started"]), _shares(one)] for one in answer]
    return table(["SET", "STATUS", "AGE", "SHARES"], rows)


_OWNERS = {
    "set": "a set",
    "kept": "kept",
    "samba": "Samba's agent",
    "samba-unexposed": "Samba's agent, not shared",
    "none": "nobody: see prune",
}


def list_snapshots(answer: Any) -> str:
    if not answer:
        return "no snapshots"
    rows = [[one["share"], _age(one["created"]), _words(_OWNERS, one["owner"])] for one in answer]
    head, *lines = table(["SHARE", "AGE", "OWNER"], rows).splitlines()
    paths = (f"  {one['snapshot']}" for one in answer)  # whole, to be copied
    return "\n".join([head, *(line for pair in zip(lines, paths) for line in pair)])


def show_set(answer: Any) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(answer["started"]))
    lines = [
        f"set        {answer['set']}",
        f"status     {answer['status']}",
        f"context    {answer['context']}",
        f"started    {when}",
        f"by         {answer['account']}",
        f"at         {answer['client']}",
    ]
    for copy in answer["copies"]:
        lines.append(f"copy       {copy['copy']}")
        lines.append(f"  provider {copy['provider']}{', kept' if copy['keep'] else ''}")
        lines.append(f"  snapshot {copy['snapshot'] or _snapshot_progress(copy['progress'])}")
        for mapped in copy["shares"]:
            lines.append(f"  share    {mapped['share']}")
            lines.append(f"        as {mapped['shadow_copy_share'] or '(not exposed)'}")
    return "\n".join(lines)


def creation(answer: Any) -> str:
    lines = [f"set        {answer['set']}", f"context    {answer['context']}"]
    for share in answer["shares"]:
        lines.append(f"share      {share['share']}{', kept' if share['keep'] else ''}")
        lines.append(f"  as       {share['shadow_copy_share']}")
        lines.append(f"  path     {share['path']}")
    limit = answer["max_age"]
    end = f"fsrvpctl fsrvpd delete-set '{answer['set']}'"
    if answer["complete_within"]:
        minutes = answer["complete_within"] // 60
        lines.append(f"writable   for {minutes} min at most; then removed, unless you type")
        lines.append(f"           fsrvpctl fsrvpd complete-set '{answer['set']}'")
    lines.append(f"until      {f'it is {duration(limit)} old, or ' if limit else ''}you type")
    return "\n".join([*lines, f"           {end}"])


def completion(answer: Any) -> str:
    return f"set {answer['set']} is {answer['status']}"


def _snapshot_progress(progress: Any) -> str:
    if progress is None:
        return "(not created)"
    limit = "" if progress["limit"] is None else f", abandoned after {progress['limit']:g} s"
    return f"(being created: {progress['files']} files in {progress['seconds']:g} s{limit})"


_KEPT = {"kept": "kept", "held": "held", "exposed": "exposed", "left": "left alone"}


def list_kept(answer: Any) -> str:
    if not answer:
        return "no kept copies"
    rows = [
        [
            *(one["share"], _age(one["created"]), _size(one["bytes"])),
            "to be deleted" if one["surplus"] else _words(_KEPT, one["status"]),
            ", ".join(one["wanted_by"]) or ("nothing" if one["surplus"] else "-"),
        ]
        for one in answer
    ]
    head, *lines = table(["SHARE", "AGE", "SIZE", "IS", "WANTED BY"], rows).splitlines()
    for place, one in reversed(list(enumerate(answer))):
        reason = [wrapped(one["reason"], "  ")] if one["reason"] else []
        lines[place + 1 : place + 1] = [f"  {one['copy']}", *reason]
    return "\n".join([head, *lines])


def _size(number: Any) -> str:
    if number is None:
        return "unknown"
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def holds(answer: Any) -> str:
    verb = "held" if answer["held"] else "released"
    return "\n".join(f"{verb} copy {copy}" for copy in answer["copies"])


def delete_kept(answer: Any) -> str:
    if not answer:
        return "no kept copy is to be deleted"
    lines = []
    for one in answer:
        verb = "deleted" if one["deleted"] else "would delete" if one["dry_run"] else "NOT deleted"
        lines.append(f"{verb} {one['copy']} of share {one['share']}, {_age(one['created'])} old")
        lines.append(wrapped(one["reason"], "  "))
    return "\n".join(lines)


def removal(answer: Any) -> str:
    verb = "removed" if answer["removed"] else "would remove"
    lines = [f"{verb} share {name}" for name in answer["shares"]]
    lines += [f"{verb} snapshot {path}" for path in answer["snapshots"]]
    lines += [f"kept snapshot {path}" for path in answer["kept"]]
    return "\n".join([*lines, f"{verb} set {answer['set']}"])


def debug_level(answer: Any) -> str:
    return f"PID {answer['pid']}: all:{answer['level']}"


def reload_config(answer: Any) -> str:
    return "\n".join(["smb.conf is in force", *answer["warnings"]])


def shutdown(answer: Any) -> str:
    return f"pid {answer['pid']} shuts down"


def event(answer: Any) -> str:
    """One event on one line, as the log has it."""
    when = time.strftime("%H:%M:%S", time.localtime(answer["time"]))
    fields = [f"{name}={_plain(value)}" for name, value in answer["fields"].items()]
    return " ".join([when, str(answer["id"]), answer["event"], *fields, answer["text"]]).rstrip()


def _plain(value: Any) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def self_test(answer: Any) -> str:
    return f"copied to {answer['snapshot']}, shared as {answer['shadow_copy_share']}"


def _shares(one: Any) -> str:
    return ", ".join(mapped["share"] for copy in one["copies"] for mapped in copy["shares"])


def _age(started: float) -> str:
    minutes = max(0, int(time.time() - started)) // 60
    hours, days = minutes // 60, minutes // 1440
    return f"{days} d" if days else f"{hours} h" if hours else f"{minutes} min"


def check_path(answer: Any) -> str:
    lines = [
        f"share      {answer['share']}",
        f"path       {answer['path']}",
        f"directory  {answer['directory'] or '-'}",
    ]
    if answer["supported"]:
        lines.append(f"volume     {answer['volume']}")
        lines.append(f"           at {answer['volume_root']}")
        lines.append(f"provider   {answer['provider']}")
        lines.append("supported  yes")
        lines += [wrapped(f"warning: {text}", "  ") for text in answer["warnings"]]
        lines += _left_out(answer)
    else:
        lines.append(f"supported  no: {answer['result']}")
        reasons = answer["refusals"] or {"": answer["reason"]}
        lines += [wrapped(f"{name}: {why}" if name else why, "  ") for name, why in reasons.items()]
    return "\n".join(lines)


def _left_out(answer: Any) -> list[str]:
    found = answer.get("left_out", [])
    lines = [wrapped(f"left out: {one['path']}: {one['why']}", "  ") for one in found[:_MOST]]
    return [*lines, f"  left out: {len(found) - _MOST} more"] if len(found) > _MOST else lines


_DISCREPANCIES = {
    "orphan-snapshot": "orphan snapshot",
    "orphan-share": "orphan share",
    "share-gone": "missing share",
    "snapshot-gone": "missing snapshot",
    "orphan-mount": "mount that nothing needs",
    "mount-gone": "copy not mounted",
    "volume-absent": "volume not mounted",
    "volume-silent": "storage that does not answer",
}
_ACTIONS = {
    "remove": "remove",
    "forget": "forget the copy",
    "recreate": "recreate the share",
    "mount": "mount it",
    "keep": "keep",
}


def prune(answer: Any) -> str:
    if not answer:
        return "state, storage and registry agree"
    lines = []
    for one in answer:
        lines.append(f"{_words(_DISCREPANCIES, one['what'])}: {one['object']}")
        lines.append(wrapped(f"{_words(_ACTIONS, one['action'])}: {one['reason']}", "  "))
    return "\n".join(lines)


def duration(seconds: int) -> str:
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    return (
        f"{days} d {hours:02}:{minutes:02}:{rest:02}"
        if days
        else f"{hours:02}:{minutes:02}:{rest:02}"
    )


def _words(words: Mapping[str, str], identifier: str) -> str:
    """A newer daemon may have identifiers that this command does not know."""
    return words.get(identifier, identifier)


def progress(event_or_step: Any) -> str:
    """A step or an event that is reported before the result."""
    return str(event_or_step["step"]) if "step" in event_or_step else event(event_or_step)
