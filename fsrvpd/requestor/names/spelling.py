r"""A UNC name as people write it, taken apart. Nothing is looked up here.

`\\server\share\path`, `//server/share/path` and `smb://server/share/path` are names of shares; so
are mixtures of both slashes, since neither can be part of a name. All else is refused with one line
that says what it is and what to write.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple, NoReturn, Optional, Union
from urllib.parse import unquote

from fsrvpd.protocol.unc import IPV6_SUFFIX, normal_host
from fsrvpd.requestor.errors import WRONG_USE, RequestorError

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
_FORM = r"write it as '\\server\share'"
_HOST = re.compile(r"(?!-)[\w-]{1,63}(?:\.(?!-)[\w-]{1,63})*\.?")
_LONGEST_HOST = 255
_NUMBER = re.compile(r"0x[0-9a-f]*|\d+", re.IGNORECASE)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_NO_NAME = re.compile(r'[*?"<>|]')  # neither of a share nor of a file below it
_SHADOW_COPY = re.compile(r"@\{[0-9A-Fa-f-]{36}\}\$?$")


class UncPath(NamedTuple):
    r"""`\\host\share\path`: `path` is empty for the root of the share."""

    given: str
    host: str  # in `normal_host`'s form
    share: str  # as it was spelled
    path: str  # with single backslashes, none at either end

    @property
    def unc(self) -> str:
        return join(self.host, self.share, self.path)


def join(host: str, share: str, path: str = "") -> str:
    return rf"\\{host}\{share}" + (f"\\{path}" if path else "")


def read_unc(given: str) -> UncPath:
    """Raises: RequestorError for what names no share of an SMB server."""
    if not given.isprintable():
        _refuse(given, "holds control characters", _FORM)
    scheme = _SCHEME.match(given)
    text = _of_url(given, scheme) if scheme else given.replace("/", "\\")
    _refuse_other_things(given, text)
    host, _, below = text[2:].partition("\\")
    share, _, path = below.partition("\\")
    name = _host(given, host)
    if not share:
        _refuse(given, "names a server and no share", f"see its shares: smbclient -L {name}")
    _check_share(given, name, share)
    parts = [part for part in path.split("\\") if part]
    if any(part in (".", "..") or _NO_NAME.search(part) for part in parts):
        _refuse(given, "holds '.', '..' or a wildcard", "write the path in full")
    return UncPath(given, name, share, "\\".join(parts))


def address_of(host: str) -> Optional[Address]:
    """The address that a host in `normal_host`'s form is; IPv4 within IPv6 is IPv4."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _refuse(given: str, cause: str, next_step: str) -> NoReturn:
    raise RequestorError(given or "''", cause, next_step, exit_status=WRONG_USE)


def _of_url(given: str, scheme: re.Match[str]) -> str:
    name = scheme[1].lower()
    if name != "smb":
        _refuse(given, f"is an address of {name}, not of a share", _FORM)
    rest = given[scheme.end() :]
    host, _, path = rest.partition("/")
    if "@" in host or ";" in host:
        _refuse(given, "holds an account", "leave it out, and give -U USER or -A FILE")
    if "#" in path or "?" in path:
        _refuse(given, "holds '?' or '#'", "write %3F or %23")
    parts = [unquote(part, errors="strict") for part in _decodable(given, path).split("/")]
    if any("/" in part or "\\" in part for part in parts):
        _refuse(given, "hides a slash in a name", _FORM)
    return "\\\\" + "\\".join([host, *parts])


def _decodable(given: str, path: str) -> str:
    try:
        decoded = unquote(path, errors="strict")
    except UnicodeDecodeError:
        _refuse(given, "is not UTF-8 behind its percent signs", _FORM)
    if not decoded.isprintable():
        _refuse(given, "holds control characters", _FORM)
    return path


def _refuse_other_things(given: str, text: str) -> None:
    """`text` has backslashes only. What a shell leaves of an unquoted name is among them."""
    if not text:
        _refuse(given, "names nothing", _FORM)
    if text.startswith(("\\\\?\\", "\\\\.\\")):
        inner = re.match(r"\\\\\?\\UNC\\([^\\].*)", text, re.IGNORECASE)
        better = rf"write it as '\\{inner[1]}'" if inner else _FORM
        _refuse(given, "is a name for Windows' own calls", better)
    if re.match(r"[A-Za-z]:", text):
        _refuse(given, "is a path on a drive, not a share of a server", _FORM)
    if text.startswith("\\\\\\"):
        better = re.sub(r"\\+", r"\\", text)
        _refuse(given, "has too many slashes", rf"write it as '\{better}'")
    if text.startswith("\\\\"):
        return
    if given.startswith("/"):
        _refuse(given, "is a path on this machine", f"{_FORM}: `findmnt -T {given}` shows which")
    if text.startswith("\\"):
        quoted = rf"quote it: '\{text}'" if "\\" in text[1:] else r"quote it: '\\server\share'"
        _refuse(given, "has lost backslashes, most likely to the shell", quoted)
    host = text.partition("\\")[0]
    nfs = re.fullmatch(r"(\[[^\]]+\]|[^\\:]+):\\?([^\\].*)", text)
    if address_of(normal_host(host)) is not None:
        _host(given, host)  # what else is wrong with an address
    elif nfs:
        _refuse(given, "is a name of NFS or scp", rf"write it as '\\{nfs[1]}\{nfs[2]}'")
    better = rf"write it as '\\{text}'" if "\\" in text else _FORM
    _refuse(given, "does not begin with two slashes", better)


def _host(given: str, host: str) -> str:
    """In `normal_host`'s form. A zone makes an address link-local, and `normal_host` drops it."""
    if not host:
        _refuse(given, "names no server", _FORM)
    if "@" in host:
        _refuse(given, "names an account, or WebDAV", "give the account with -U USER or -A FILE")
    name = normal_host(host)
    literal = host.casefold().endswith(IPV6_SUFFIX)
    address = address_of(name)
    if address is None:
        _check_name(given, host, name, literal)
        return name
    zone = "%" in host or (literal and "s" in host.casefold()[: -len(IPV6_SUFFIX)])
    if zone or address.is_link_local:
        refuse_link_local(given)
    if address.is_unspecified or address.is_multicast:
        _refuse(given, f"{address} is the address of no server", "write the server's own")
    return str(address)


def refuse_link_local(given: str) -> NoReturn:
    _refuse(
        given,
        "has a link-local address, which is another machine's on another link",
        "write the server's name, or an address that is routed",
    )


def _check_name(given: str, host: str, name: str, literal: bool) -> None:
    if literal or name.count(":") > 1:
        _refuse(given, f"{host} is no IPv6 address", "write all its groups, or the name")
    if ":" in name:
        _refuse(given, "names a port", "leave it out: fsrvpshadow uses 445")
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        _refuse(given, f"{host} is no IPv4 address", "write all four numbers, or the name")
    if len(name) > _LONGEST_HOST or not _HOST.fullmatch(name):
        _refuse(given, f"{host!r} is not the name of a host", _FORM)


def _check_share(given: str, host: str, share: str) -> None:
    if share in (".", "..") or _NO_NAME.search(share) or ":" in share:
        _refuse(given, f"{share!r} is not the name of a share", f"smbclient -L {host} lists them")
    if share.casefold() == "ipc$":
        _refuse(given, "is the share for pipes and holds no files", _FORM)
    if _SHADOW_COPY.search(share):
        _refuse(given, "is itself a shadow copy", "name the share that it was made of")
