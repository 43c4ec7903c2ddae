"""Answers of the daemon for people: plain lines that fit 80 columns."""

from __future__ import annotations

import time
from typing import Any

from fsrvpd.ctl.table import table
from fsrvpd.ctl.terminal import wrapped


def ping(answer: Any) -> str:
    return f"PONG from pid {answer['pid']}"


def status(answer: Any) -> str:
    pipe = answer["pipe"]
    sets = ", ".join(f"{n} {name}" for name, n in answer["sets"].items() if n) or "none"
    lines = [
        f"fsrvpd {answer['version']} (pid {answer['pid']}) beside Samba {answer['samba_version']}",
        f"up for           {_duration(answer['uptime_seconds'])}",
        f"dialect          {answer['dialect']}",
        *_pipe(pipe),
        f"sets             {sets}",
        f"being removed    {answer['sets_being_removed']}",
        f"calls answered   {sum(answer['calls'].values())}",
        f"of them failed   {sum(answer['failures'].values())}",
    ]
    lines += [f"  {n:>6}  {name}" for name, n in sorted(answer["failures"].items())]
    return "\n".join(lines)


def _pipe(pipe: Any) -> list[str]:
    if not pipe["path"]:
        return ["pipe             left to Samba's own agent (fsrvpd:serve pipe = no)"]
    whose = "ours" if pipe["ours"] else "NOT OURS: see fsrvpctl setup"
    state = f"{whose}, {pipe['connections']} open, taken back {pipe['retaken']} times"
    return [f"pipe             {pipe['path']}", f"                 {state}"]


def list_sets(answer: Any) -> str:
    if not answer:
        return "no shadow copy sets"
    rows = [[one["set"], one["status"], _age(one["started"]), _shares(one)] for one in answer]
    return table(["SET", "STATUS", "AGE", "SHARES"], rows)


def list_snapshots(answer: Any) -> str:
    if not answer:
        return "no snapshots of fsrvpd"
    owners = {"set": "a set", "none": "nobody: see prune", "samba": "Samba's agent"}
    rows = [
        [
            one["share"],
            _age(one["created"]),
            owners.get(one["owner"], one["owner"].replace("samba", owners["samba"])),
        ]
        for one in answer
    ]
    head, *lines = table(["SHARE", "AGE", "OF"], rows).splitlines()
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
        lines.append(f"  snapshot {copy['snapshot'] or _under_way(copy['progress'])}")
        for mapped in copy["shares"]:
            lines.append(f"  share    {mapped['share']}")
            lines.append(f"        as {mapped['shadow_copy_share'] or '(not exposed)'}")
    return "\n".join(lines)


def _under_way(progress: Any) -> str:
    if progress is None:
        return "(not taken)"
    limit = "" if progress["limit"] is None else f", given up after {progress['limit']:g} s"
    return f"(under way: {progress['files']} files in {progress['seconds']:g} s{limit})"


def removal(answer: Any) -> str:
    verb = "removed" if answer["removed"] else "would remove"
    lines = [f"{verb} share {name}" for name in answer["shares"]]
    lines += [f"{verb} snapshot {path}" for path in answer["snapshots"]]
    return "\n".join([*lines, f"{verb} set {answer['set']}"])


def debug_level(answer: Any) -> str:
    return f"PID {answer['pid']}: all:{answer['level']}"


def reload_config(answer: Any) -> str:
    return "\n".join(["smb.conf is in force", *answer["complaints"]])


def shutdown(answer: Any) -> str:
    return f"pid {answer['pid']} ends"


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
    else:
        lines.append(f"supported  no: {answer['result']}")
        reasons = answer["refusals"] or {"": answer["reason"]}
        lines += [wrapped(f"{name}: {why}" if name else why, "  ") for name, why in reasons.items()]
    return "\n".join(lines)


def prune(answer: Any) -> str:
    if not answer:
        return "state, disks and registry agree"
    lines = []
    for one in answer:
        lines.append(f"{one['what']}: {one['object']}")
        lines.append(wrapped(f"{one['action']}: {one['reason']}", "  "))
    return "\n".join(lines)


def _duration(seconds: int) -> str:
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    return (
        f"{days} d {hours:02}:{minutes:02}:{rest:02}"
        if days
        else f"{hours:02}:{minutes:02}:{rest:02}"
    )


def progress(told: Any) -> str:
    """What the daemon says while something lasts."""
    return str(told["step"]) if "step" in told else event(told)
