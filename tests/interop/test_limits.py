"""A client that opens more and more pipes hits a limit; other clients are not affected."""

from __future__ import annotations

from impacket.smbconnection import SMBConnection

from fsrvpd.daemon.pipe.connection_limits import MAX_OF_HOST
from tests.interop.nas import Nas

SURPLUS = 20


def open_pipes(nas: Nas, number: int) -> SMBConnection:
    """Open `number` pipes on one connection.

    smbd (4.17) does not report that the server behind a pipe refused the client: the client
    finds out when it uses the pipe.
    """
    connection = SMBConnection("LAB", nas.samba.address)
    connection.login(nas.samba.root.name, nas.samba.root.password)
    tree = connection.connectTree("IPC$")
    for _ in range(number):
        connection.openFile(tree, "FssagentRpc")
    return connection


def test_one_client_has_so_many_pipes(nas: Nas) -> None:
    with nas.lab.network() as inside:
        connection = inside.submit(open_pipes, nas, MAX_OF_HOST + SURPLUS).result()
        status = nas.daemon.ask("status")
        refused = nas.daemon.read_log().count("the client has too many pipes open")
        inside.submit(connection.close).result()
    assert status["pipe"]["connections"] == MAX_OF_HOST
    assert refused == SURPLUS
    assert "supports FSRVP versions" in nas.samba.rpcclient("fss_get_sup_version").stdout
