"""Answers of the daemon for people: plain lines that fit 80 columns."""

from __future__ import annotations

import time
from typing import Any, Callable


def ping(answer: Any) -> str:
    return f"PONG from pid {answer['pid']}"


def status(answer: Any) -> str:
    pipe = answer["pipe"]
    sets = ", ".join(f"{n} {name}" for name, n in answer["sets"].items() if n) or "none"
    lines = [
        f"fsrvpd {answer['version']} (pid {answer['pid']}) beside Samba {answer['samba_version']}",
        f"up for           {_duration(answer['uptime_seconds'])}",
        f"dialect          {answer['dialect']}",
        f"pipe             {pipe['path']}",
        f"                 {'ours' if pipe['ours'] else 'NOT OURS: see fsrvpctl setup'},"
        f" {pipe['connections']} open, taken back {pipe['retaken']} times",
        f"sets             {sets}",
        f"being removed    {answer['sets_being_removed']}",
        f"calls answered   {sum(answer['calls'].values())}",
        f"of them failed   {sum(answer['failures'].values())}",
    ]
    lines += [f"  {n:>6}  {name}" for name, n in sorted(answer["failures"].items())]
    return "\n".join(lines)


def list_sets(answer: Any) -> str:
    if not answer:
        return "no shadow copy sets"
    return "\n".join(_set(each) for each in answer)


def _set(one: Any) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one["started"]))
    lines = [
        f"{one['set']}  {one['status']}",
        f"  {when}  {one['context']}, by {one['account']} at {one['client']}",
    ]
    for copy in one["copies"]:
        lines.append(f"  copy {copy['copy']} ({copy['provider']})")
        for mapped in copy["shares"]:
            lines.append(
                f"    {mapped['share']} -> {mapped['shadow_copy_share'] or '(not exposed)'}"
            )
    return "\n".join(lines)


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
        lines += [f"  {name}: {why}" if name else f"  {why}" for name, why in reasons.items()]
    return "\n".join(lines)


def prune(answer: Any) -> str:
    if not answer:
        return "state, disks and registry agree"
    lines = []
    for one in answer:
        lines.append(f"{one['what']}: {one['object']}")
        lines.append(f"  {one['action']}: {one['reason']}")
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


FORMATTERS: dict[str, Callable[[Any], str]] = {
    "ping": ping,
    "status": status,
    "list-sets": list_sets,
    "check-path": check_path,
    "prune": prune,
}
