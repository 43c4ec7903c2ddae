"""The caller's identity, as a real smbd reports it at the pipe."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Iterator

import pytest

from lab import User
from samba_hooks.pipe.named_pipe_auth import PipeRequest

from .conftest import Nas, RemoteRegistry

NAMED_PIPE_AUTH_LEVEL = {"4.13": 4, "4.16": 5, "4.17": 7, "4.18": 7, "4.19": 7}
NEWEST_LEVEL = 8


@pytest.fixture(scope="module")
def pipe(nas: Nas) -> Iterator[RemoteRegistry]:
    driver = RemoteRegistry(nas.lab, "pipe")
    driver.listen(str(nas.samba.place("ncalrpc dir")))
    yield driver
    driver.hang_up()


def introduced(nas: Nas, pipe: RemoteRegistry, login: str, *options: str) -> PipeRequest:
    argv = ["rpcclient", "-s", str(nas.samba.conf), "-U", login, *options, nas.samba.address]
    with ThreadPoolExecutor(1) as client:
        calling = client.submit(
            nas.samba.run, [*argv, "-c", "fss_get_sup_version"], check=False, timeout=60
        )
        request: PipeRequest = pipe.accept()
        assert calling.result().returncode != 0
    return request


def test_root(nas: Nas, pipe: RemoteRegistry) -> None:
    request = introduced(nas, pipe, nas.samba.root.login)
    caller = request.caller
    assert (caller.account, caller.uid) == ("LAB\\root", 0)
    assert caller.user_sid in caller.sids
    assert not caller.anonymous
    assert not caller.encrypted
    assert caller.address == "127.0.0.1"
    assert request.server_address == nas.samba.address


def test_level_is_that_of_this_samba(nas: Nas, pipe: RemoteRegistry) -> None:
    request = introduced(nas, pipe, nas.samba.root.login)
    version = nas.lab.run(["smbd", "-V"]).stdout.split()[-1]
    series = ".".join(version.split(".")[:2])
    assert request.level == NAMED_PIPE_AUTH_LEVEL.get(series, NEWEST_LEVEL)


def test_an_ordinary_user_reaches_the_socket_too(nas: Nas, pipe: RemoteRegistry) -> None:
    """smbd connects as root for every user, so no other user needs access to the socket."""
    caller = introduced(nas, pipe, nas.alice.login).caller
    assert caller.account == "LAB\\alice"
    assert caller.uid >= 20000
    assert "S-1-5-32-544" not in caller.sids
    assert caller.privileges == 0


def test_anonymous_and_guest_sessions_are_told(nas: Nas, pipe: RemoteRegistry) -> None:
    assert introduced(nas, pipe, "%").caller.anonymous
    # A guest through `map to guest = bad user`, who cannot sign.
    guest = User("no-such-user", "x")
    unsigned = "--option=client ipc signing=disabled"
    assert introduced(nas, pipe, guest.login, unsigned).caller.anonymous


def test_encryption_of_the_session_is_told(nas: Nas, pipe: RemoteRegistry) -> None:
    request = introduced(nas, pipe, nas.alice.login, "--client-protection=encrypt")
    assert request.caller.encrypted
