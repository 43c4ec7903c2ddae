"""Who calls, as a real smbd tells it at the pipe."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Iterator

import pytest

from samba_hooks.npa import PipeRequest
from tests.lab import User

from .conftest import RemoteRegistry, Site

NAMED_PIPE_AUTH_LEVEL = {"4.13": 4, "4.16": 5, "4.17": 7, "4.18": 7, "4.19": 7}
NEWEST_LEVEL = 8


@pytest.fixture(scope="module")
def pipe(site: Site) -> Iterator[RemoteRegistry]:
    driver = RemoteRegistry(site.lab, "pipe")
    driver.listen(str(site.samba.place("ncalrpc dir")))
    yield driver
    driver.hang_up()


def introduced(site: Site, pipe: RemoteRegistry, login: str, *options: str) -> PipeRequest:
    argv = ["rpcclient", "-s", str(site.samba.conf), "-U", login, *options, site.samba.address]
    with ThreadPoolExecutor(1) as client:
        calling = client.submit(
            site.samba.run, [*argv, "-c", "fss_get_sup_version"], check=False, timeout=60
        )
        request: PipeRequest = pipe.meet()
        assert calling.result().returncode != 0
    return request


def test_root(site: Site, pipe: RemoteRegistry) -> None:
    request = introduced(site, pipe, site.samba.root.login)
    caller = request.caller
    assert (caller.account, caller.uid) == ("LAB\\root", 0)
    assert caller.user_sid in caller.sids
    assert not caller.anonymous
    assert not caller.encrypted
    assert caller.address == "127.0.0.1"
    assert request.server_address == site.samba.address


def test_level_is_that_of_this_samba(site: Site, pipe: RemoteRegistry) -> None:
    request = introduced(site, pipe, site.samba.root.login)
    version = site.lab.run(["smbd", "-V"]).stdout.split()[-1]
    series = ".".join(version.split(".")[:2])
    assert request.level == NAMED_PIPE_AUTH_LEVEL.get(series, NEWEST_LEVEL)


def test_an_ordinary_user_reaches_the_socket_too(site: Site, pipe: RemoteRegistry) -> None:
    """smbd connects as root whoever the user is: nobody else needs to be let in."""
    caller = introduced(site, pipe, site.alice.login).caller
    assert caller.account == "LAB\\alice"
    assert caller.uid >= 20000
    assert "S-1-5-32-544" not in caller.sids
    assert caller.privileges == 0


def test_anonymous_and_guest_sessions_are_told(site: Site, pipe: RemoteRegistry) -> None:
    assert introduced(site, pipe, "%").caller.anonymous
    guest = User("no-such-user", "x")  # by `map to guest = bad user`; guests cannot sign
    unsigned = "--option=client ipc signing=disabled"
    assert introduced(site, pipe, guest.login, unsigned).caller.anonymous


def test_encryption_of_the_session_is_told(site: Site, pipe: RemoteRegistry) -> None:
    request = introduced(site, pipe, site.alice.login, "--client-protection=encrypt")
    assert request.caller.encrypted
