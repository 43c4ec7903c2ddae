"""`fsrvpctl fsrvpd MESSAGE [PARAMETER…]`: sends a message to the daemon and prints the reply."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, Callable, Iterator

from fsrvpd import JSON_VERSION
from fsrvpd.ctl import render
from fsrvpd.ctl.client import REPLY_TIMEOUT, NotRunning, OnEvent, ask
from fsrvpd.ctl.messages import BY_NAME, Message
from fsrvpd.errors import FsrvpdError
from fsrvpd.samba_command_line import control_socket, samba_parameter
from fsrvpd.terminal import values_on_one_line

EXIT_NOT_WELL = 1
EXIT_NOT_RUNNING = 3
# A result that is final once it is printed: of the daemon's event, and of the answer to that.
RESULT, CONFIRMED = "result", "confirmed"
MORE = "more"  # of a reply that is one page: how to ask for the next one


class WrongUsage(FsrvpdError):
    """The command line has parameters or options that the message does not take."""


def socket_path(arguments: argparse.Namespace) -> str:
    """Return the control socket of this configuration's daemon. Raises: FsrvpdError."""
    return control_socket(samba_parameter(arguments, "state directory"))


def send(arguments: argparse.Namespace) -> int:
    message = BY_NAME[arguments.message]
    parameters = [*_options(message, arguments), *_names(message, arguments.parameters)]
    if not message.takes(len(arguments.parameters)):
        raise WrongUsage(f"usage: fsrvpctl fsrvpd {message.usage}")
    confirmed = False

    def on_event(event: Any) -> Any:
        nonlocal confirmed
        if message.confirms and RESULT in event:
            _print_or_fail(message, event[RESULT], as_json=arguments.json)
            confirmed = True
            return {CONFIRMED: True}
        _print_event(message, event, as_json=arguments.json)
        return None

    try:
        reply = _ask(message, socket_path(arguments), parameters, on_event)
    except NotRunning as error:
        if message.name != "status":
            raise
        _print_reply(message, _not_running(error), as_json=arguments.json)
        return EXIT_NOT_RUNNING
    if not confirmed:
        try:
            _print_reply(message, reply, as_json=arguments.json)
        except OSError:
            if message.name == "self-test":  # nobody would delete what nobody knows of
                ask(socket_path(arguments), "delete-set", [reply["set"]])
            raise
    return 0 if _is_good(message, arguments, reply) else EXIT_NOT_WELL


def _is_good(message: Message, arguments: argparse.Namespace, reply: Any) -> bool:
    """Whether a reply that is no error says what the caller wants to hear."""
    if message.name == "delete-kept" and arguments.parameters and not arguments.dry_run:
        return all(one["deleted"] for one in reply)
    good = {"check-path": "supported", "status": "well"}.get(message.name)
    return good is None or bool(reply[good])


def _ask(message: Message, path: str, parameters: list[str], on_event: OnEvent) -> Any:
    """The whole reply, however many pages it has."""
    timeout = None if message.endless or message.confirms else REPLY_TIMEOUT
    reply = ask(path, message.name, parameters, on_event, timeout)
    while isinstance(reply, dict) and reply.get(MORE):
        after = f"--after={reply[MORE]}"
        reply = _joined(reply, ask(path, message.name, [*parameters, after], on_event, timeout))
    return reply


def _not_running(error: NotRunning) -> dict[str, Any]:
    problem = {
        "what": "not-running",
        "object": "",
        "text": f"fsrvpd is not running, or runs with another configuration: {error}",
        "next_step": "systemctl start fsrvpd; journalctl -u fsrvpd -n 20 says why it ended",
    }
    return {"json_version": JSON_VERSION, "running": False, "well": False, "problems": [problem]}


def _joined(reply: dict[str, Any], page: dict[str, Any]) -> dict[str, Any]:
    """A reply with the lists of its next page appended."""
    more = {
        name: reply[name] + value if isinstance(value, list) else value
        for name, value in page.items()
    }
    return {**reply, **more}


def _options(message: Message, arguments: argparse.Namespace) -> Iterator[str]:
    for option in message.options:
        word = option.given(getattr(arguments, option.name.strip("-").replace("-", "_")))
        if word is not None:
            yield word


def _names(message: Message, parameters: list[str]) -> list[str]:
    """`--` tells the daemon, too, that a name which begins with dashes is none of the options."""
    dashes = any(each.startswith("--") for each in parameters)
    return ["--", *parameters] if message.options and dashes else parameters


def _print_or_fail(message: Message, result: Any, *, as_json: bool) -> None:
    """Nobody confirms what nobody has read. Raises: FsrvpdError."""
    try:
        _print_reply(message, result, as_json=as_json)
    except OSError as error:
        why = f"standard output: {error.strerror or error}; what was made is removed again"
        raise FsrvpdError(why) from error


def _print_reply(message: Message, reply: Any, *, as_json: bool) -> None:
    print(json.dumps(reply, indent=2) if as_json else _rendered(message.render, reply), flush=True)


def _print_event(message: Message, event: Any, *, as_json: bool) -> None:
    """The result of an endless message; of others, progress for a person."""
    if message.endless:
        print(json.dumps(event) if as_json else _rendered(render.event, event), flush=True)
    elif not as_json:
        print(f"… {_rendered(render.progress, event)}", file=sys.stderr, flush=True)


def _rendered(render: Callable[[Any], str], reply: Any) -> str:
    """What came from elsewhere begins no line of its own, however it is rendered."""
    return render(values_on_one_line(reply))
