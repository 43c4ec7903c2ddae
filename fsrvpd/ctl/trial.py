"""The end of `fsrvpctl doctor`: a real shadow copy, made by the daemon, read and deleted."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import subprocess
import tempfile
from typing import Any, Iterator, NamedTuple, Optional, Sequence

from fsrvpd.ctl.circumstances import STANDALONE, Circumstances
from fsrvpd.ctl.findings import Finding, Grade
from fsrvpd.ctl.smbd_address import server_address
from fsrvpd.errors import ConfigError, FsrvpdError

TOPIC = "self-test"
PROBE = "fsrvpd-self-test-"
_TIMEOUT = 60.0  # s


class Login(NamedTuple):
    """How smbclient is to log in: its options, and a password for its environment."""

    options: Sequence[str]
    password: Optional[str] = None


def login(user: Optional[str], file: Optional[str], server_role: str) -> Optional[Login]:
    """As asked for (NAME or NAME%PASSWORD), else as this member of a domain, else None.

    Raises: ConfigError when there is nobody to ask for the password.
    """
    if user:
        name, separator, password = user.partition("%")
        return Login(["-U", name], password if separator else _password_of(name))
    if file:
        return Login(["-A", file])
    return None if server_role == STANDALONE else Login(["-P"])


def _password_of(name: str) -> str:
    try:
        return getpass.getpass(f"Password of {name}: ")
    except EOFError as error:
        raise ConfigError(
            f"nobody is here to type the password of {name}; give -A FILE, with a line"
            " `password = …`"
        ) from error


def try_shadow_copy(
    now: Circumstances, share: Optional[str], who: Optional[Login]
) -> Iterator[Finding]:
    """Findings; the copy is gone afterwards whatever happened."""
    place = _first_supported(now, share)
    if place is None:
        what = f"share {share} cannot" if share else "no share can"
        text = f"{what} be copied; see above, or ask fsrvpd about one"
        yield Finding(Grade.FAIL, TOPIC, text, f"fsrvpctl fsrvpd check-path {share or 'SHARE'}")
        return
    with _probe(place["directory"]) as (name, content):
        try:
            copy = now.ask("self-test", place["share"])
        except FsrvpdError as error:
            yield Finding(Grade.FAIL, TOPIC, str(error), "journalctl -u fsrvpd -e")
            return
        yield Finding(Grade.GOOD, TOPIC, f"share {place['share']} copied ({copy['provider']})")
        try:
            yield _read_on_disk(copy, name, content)
            yield _read_over_smb(now, copy, name, content, who)
        finally:
            deleted = _delete(now, copy)
        yield deleted


def _first_supported(now: Circumstances, share: Optional[str]) -> Optional[Any]:
    for name in [share] if share else now.registry.share_names():
        with contextlib.suppress(FsrvpdError):
            verdict = now.ask("check-path", name)
            if verdict["supported"]:
                return verdict
    return None


@contextlib.contextmanager
def _probe(directory: str) -> Iterator[tuple[str, bytes]]:
    """A small file in the share, so that what is read is known."""
    name, content = f"{PROBE}{secrets.token_hex(4)}.txt", secrets.token_hex(16).encode()
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(name, flags, 0o644, dir_fd=folder)
        os.fchmod(file, 0o644)  # whoever reads over SMB may not be root
        os.write(file, content)
        os.close(file)
        try:
            yield name, content
        finally:
            os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)


def _read_on_disk(copy: Any, name: str, content: bytes) -> Finding:
    path = os.path.join(copy["snapshot"], name)
    try:
        with open(path, "rb") as file:
            same = file.read() == content
    except OSError as error:
        return Finding(Grade.FAIL, TOPIC, f"{path}: {error.strerror}", f"ls -la {copy['snapshot']}")
    if not same:
        return Finding(Grade.FAIL, TOPIC, f"{path} has another content", f"cat {path}")
    return Finding(Grade.GOOD, TOPIC, f"read on disk in {copy['snapshot']}")


def _read_over_smb(
    now: Circumstances, copy: Any, name: str, content: bytes, who: Optional[Login]
) -> Finding:
    share = copy["shadow_copy_share"]
    if who is None:
        text = f"\\\\localhost\\{share} was NOT read over SMB: nobody to log in as"
        return Finding(Grade.WARN, TOPIC, text, "fsrvpctl doctor -U NAME")
    unc = f"//{server_address(now.configuration.samba.pid_directory)}/{share}"
    with tempfile.TemporaryDirectory(prefix="fsrvpctl-") as folder:
        local = os.path.join(folder, "probe")
        said = _smbclient(now, unc, f'get "{name}" "{local}"', who)
        try:
            with open(local, "rb") as file:
                same = file.read() == content
        except OSError:
            return Finding(Grade.FAIL, TOPIC, f"{unc}: {said}", f"smbclient '{unc}' -U NAME")
    if not same:
        return Finding(Grade.FAIL, TOPIC, f"{unc}: {name} has another content")
    return Finding(Grade.GOOD, TOPIC, f"read over SMB from {unc}")


def _smbclient(now: Circumstances, unc: str, command: str, who: Login) -> str:
    environment = {**os.environ, "LC_ALL": "C"}
    if who.password is not None:
        environment["PASSWD"] = who.password  # arguments would show in the process list
    argv = ["smbclient", *now.tools.arguments, *who.options, unc, "-c", command]
    try:
        done = subprocess.run(  # noqa: S603 - an argument vector, no shell
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            env=environment,
            check=False,
        )
    except FileNotFoundError:
        return "smbclient is not installed"
    except subprocess.TimeoutExpired:
        return f"smbclient did not end within {_TIMEOUT:g} s"
    return " ".join((done.stdout + done.stderr).split())


def _delete(now: Circumstances, copy: Any) -> Finding:
    try:
        now.ask("delete-set", copy["set"])
    except FsrvpdError as error:
        command = f"fsrvpctl fsrvpd delete-set {copy['set']}"
        return Finding(Grade.FAIL, TOPIC, f"not deleted: {error}", command)
    if os.path.lexists(copy["snapshot"]):
        text = f"{copy['snapshot']} is still there"
        return Finding(Grade.FAIL, TOPIC, text, "fsrvpctl fsrvpd list-sets")
    return Finding(Grade.GOOD, TOPIC, "deleted, share and snapshot")
