"""A client that opens pipes without end meets a limit, and others notice nothing."""

from __future__ import annotations

from impacket.smbconnection import SMBConnection

from fsrvpd.daemon.doorkeeper import MAX_OF_CLIENT
from tests.interop.site import Site

SURPLUS = 20


def open_pipes(site: Site, number: int) -> SMBConnection:
    """A connection with so many opened pipes. smbd (4.17) does not tell a client that a
    server behind a pipe refused it: the client finds out when it uses the pipe."""
    connection = SMBConnection("LAB", site.samba.address)
    connection.login(site.samba.root.name, site.samba.root.password)
    tree = connection.connectTree("IPC$")
    for _ in range(number):
        connection.openFile(tree, "FssagentRpc")
    return connection


def test_one_client_has_so_many_pipes(site: Site) -> None:
    with site.lab.network() as inside:
        connection = inside.submit(open_pipes, site, MAX_OF_CLIENT + SURPLUS).result()
        status = site.daemon.ask("status")
        refused = site.daemon.read_log().count("the client has too many pipes open")
        inside.submit(connection.close).result()
    assert status["pipe"]["connections"] == MAX_OF_CLIENT
    assert refused == SURPLUS
    assert "supports FSRVP versions" in site.samba.rpcclient("fss_get_sup_version").stdout
