"""The last check: a real shadow copy, made by the daemon, read and deleted."""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import stat
from typing import Any, Iterator, NamedTuple, Optional, Sequence

from fsrvpd.core.descriptors import closing_fd
from fsrvpd.ctl.doctor.environment import Environment
from fsrvpd.ctl.doctor.result import Finding, Severity
from fsrvpd.ctl.doctor.smb_user import SmbLogin, SmbUser
from fsrvpd.errors import FsrvpdError

TOPIC = "self-test"
PROBE = "fsrvpd-self-test-"
LEAST_SPACE = 4 << 20  # bytes; a snapshot's metadata and the state need some
_MIB = 1 << 20


class Probe(NamedTuple):
    """A small file in the share, whose content is known. `private`: only root may read it."""

    name: str
    content: bytes
    private: bool

    @classmethod
    def new(cls, *, private: bool) -> Probe:
        name = f"{PROBE}{secrets.token_hex(4)}{'-private' if private else ''}.txt"
        return cls(name, secrets.token_hex(16).encode(), private)


def try_shadow_copy(
    environment: Environment, share: Optional[str], smb_login: Optional[SmbLogin]
) -> Iterator[Finding]:
    """Make a copy, read it, delete it. It is deleted whatever happens."""
    located = _first_supported(environment, share)
    if located is None:
        what = f"share {share} cannot" if share else "no share can"
        text = f"{what} be copied; see above, or ask fsrvpd about a share"
        wanted = shlex.quote(share or "SHARE")
        yield Finding(Severity.FAIL, TOPIC, text, f"fsrvpctl fsrvpd check-path {wanted}")
        return
    space = _space(environment, located)
    yield space
    user = SmbUser(environment, smb_login) if smb_login else None
    if user and user.is_person:
        obstacle = user.obstacle(located["share"])
        yield obstacle or user.right(located["share"])
        user = None if obstacle else user
    if space.severity is Severity.FAIL:
        yield Finding(Severity.NOTE, TOPIC, "not run: there is no space for it")
        return
    if smb_login is None:
        text = "the copy is NOT read over SMB: no user to log in as"
        yield Finding(Severity.WARN, TOPIC, text, "fsrvpctl doctor -U NAME")
    directory, probes = located["directory"], [Probe.new(private=each) for each in (False, True)]
    try:
        with _written(directory, probes):
            yield from _copied(environment, located, probes, user)
    except OSError as error:
        rest = "" if _left(directory, probes) else "; none is left there"
        text = f"no test file in {directory}: {error.strerror}{rest}"
        yield Finding(Severity.FAIL, TOPIC, text, f"df -h {shlex.quote(directory)}")
    if left := _left(directory, probes):
        text = f"test files cannot be removed; left: {', '.join(left)}"
        yield Finding(Severity.FAIL, TOPIC, text, shlex.join(["rm", *left]))


def _first_supported(environment: Environment, share: Optional[str]) -> Optional[Any]:
    for name in [share] if share else (each.name for each in environment.registry.shares()):
        with contextlib.suppress(FsrvpdError):
            located = environment.ask("check-path", name)
            if located["supported"]:
                return located
    return None


def _space(environment: Environment, located: Any) -> Finding:
    """On the volume of the share and that of the daemon's state, before anything is written."""
    places = (located["directory"], environment.configuration.samba.state_directory)
    found = {place: os.statvfs(place) for place in places}
    free = {place: each.f_bavail * each.f_frsize for place, each in found.items()}
    text = ", ".join(f"{size // _MIB} MiB below {place}" for place, size in free.items())
    full = [place for place, size in free.items() if size < LEAST_SPACE]
    if full:
        return Finding(Severity.FAIL, "free space", text, shlex.join(["df", "-h", *full]))
    return Finding(Severity.OK, "free space", text)


@contextlib.contextmanager
def _written(directory: str, probes: Sequence[Probe]) -> Iterator[None]:
    """In the share, removed whatever happens, where that is possible. Raises: OSError."""
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for probe in probes:
            _write(folder, probe)
        yield
    finally:
        for probe in probes:
            with contextlib.suppress(OSError):
                os.unlink(probe.name, dir_fd=folder)
        os.close(folder)


def _left(directory: str, probes: Sequence[Probe]) -> list[str]:
    paths = (os.path.join(directory, probe.name) for probe in probes)
    return [path for path in paths if os.path.lexists(path)]


def _write(folder: int, probe: Probe) -> None:
    mode = 0o600 if probe.private else 0o644  # the user who reads over SMB may not be root
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with closing_fd(os.open(probe.name, flags, mode, dir_fd=folder)) as file:
        os.fchmod(file, mode)
        os.write(file, probe.content)
        os.fsync(file)  # some file systems notice only now that they are full


def _copied(
    environment: Environment, located: Any, probes: Sequence[Probe], user: Optional[SmbUser]
) -> Iterator[Finding]:
    share = located["share"]
    try:
        copy = environment.ask("self-test", share)
    except FsrvpdError as error:
        yield Finding(Severity.FAIL, TOPIC, str(error), "journalctl -u fsrvpd -e")
        return
    try:
        yield Finding(Severity.OK, TOPIC, f"share {share} copied ({copy['provider']})")
        yield _read_on_disk(copy, probes)
        if user:
            yield _read_over_smb(copy["shadow_copy_share"], share, probes, user)
    finally:
        deleted = _delete(environment, copy)
    yield deleted


def _read_on_disk(copy: Any, probes: Sequence[Probe]) -> Finding:
    for probe in probes:
        path = os.path.join(copy["snapshot"], probe.name)
        try:
            same = _content(path, len(probe.content) + 1) == probe.content
        except OSError as error:
            next_step = f"ls -la {shlex.quote(copy['snapshot'])}"
            return Finding(Severity.FAIL, TOPIC, f"{path}: {error.strerror}", next_step)
        if not same:
            next_step = f"cat {shlex.quote(path)}"
            return Finding(Severity.FAIL, TOPIC, f"{path} has unexpected content", next_step)
    return Finding(Severity.OK, TOPIC, f"read on disk in {copy['snapshot']}")


def _content(path: str, most: int) -> Optional[bytes]:
    """None for what is no file: users can rename and replace in a share what root made there, so
    no link is followed and no FIFO waited for. Raises: OSError."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with closing_fd(os.open(path, flags)) as file:
        return os.read(file, most) if stat.S_ISREG(os.fstat(file).st_mode) else None


def _read_over_smb(copy: str, share: str, probes: Sequence[Probe], user: SmbUser) -> Finding:
    """The copy is deleted by the time at which somebody types the next step."""
    printed = user.smbclient(copy, "; ".join(f'get "{probe.name}" -' for probe in probes))
    unread = [probe for probe in probes if probe.content.decode() not in printed]
    place = user.place(copy)
    if any(not probe.private for probe in unread):
        return Finding(Severity.FAIL, TOPIC, f"{place}: {printed}", user.next_step(share))
    if unread and user.is_person:
        text = (
            f"{user.name} reads in {place} only what the permissions of files allow: others are"
            " missing in a backup, often without an error. `fsrvp:backup users` lets an account"
            " read all"
        )
        return Finding(Severity.WARN, TOPIC, text, f"fsrvpctl share-config {shlex.quote(share)}")
    everything = "" if unread else ", also what only root may read in the share"
    return Finding(Severity.OK, TOPIC, f"read over SMB from {place}{everything}")


def _delete(environment: Environment, copy: Any) -> Finding:
    try:
        environment.ask("delete-set", copy["set"])
    except FsrvpdError as error:
        command = f"fsrvpctl fsrvpd delete-set {copy['set']}"
        return Finding(Severity.FAIL, TOPIC, f"not deleted: {error}", command)
    if os.path.lexists(copy["snapshot"]):
        text = f"{copy['snapshot']} still exists"
        return Finding(Severity.FAIL, TOPIC, text, "fsrvpctl fsrvpd list-sets")
    return Finding(Severity.OK, TOPIC, "deleted, share and snapshot")
