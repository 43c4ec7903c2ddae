"""The domain's controller is the NAS: Kerberos with its own keys, the domain's own groups."""

from __future__ import annotations

import json
from typing import Any, Iterator, NamedTuple

import pytest

from lab import FsrvpdProcess, Lab, Share, fss
from lab.accounts import User
from lab.domain import ADMINISTRATOR, CONTROLLER, DOMAIN, Controller
from lab.namespaces import wait_until
from tests.ad.nas import DENIED, REQUIRED, VERSIONS

VERSION = "fss_get_sup_version"
BINDINGS = ["krb5,sign", "krb5,seal", "spnego,sign", "spnego,seal"]


class FileServer(NamedTuple):
    lab: Lab
    controller: Controller
    daemon: FsrvpdProcess
    operator: User
    ordinary_user: User

    def rpcclient(self, command: str, binding: str, user: User, *, tickets: bool = True) -> str:
        """Return rpcclient's output, after checking that it called fsrvpd."""
        before = len(self.daemon.calls())
        login = ["--use-kerberos=off", "-U", f"{DOMAIN}\\{user.login}"]
        environment = None
        if tickets:
            login, environment = ["--use-kerberos=required"], self.controller.kinit(user)
        target = f"ncacn_np:{CONTROLLER}[{binding}]"
        argv = ["rpcclient", "-s", self.controller.conf, *login, target, "-c", command]
        done = self.lab.run(argv, environment=environment, check=False)
        said = done.stdout + done.stderr
        wait_until(f"the call is logged\n{said}", lambda: len(self.daemon.calls()) > before)
        return said


@pytest.fixture(scope="module")
def server() -> Iterator[FileServer]:
    with Lab() as lab:
        subvolume = lab.volume("btrfs", "data") / "projects"
        lab.run(["btrfs", "subvolume", "create", subvolume])
        controller = Controller(lab, [Share("data", subvolume)])
        operator, ordinary = controller.add_user("operator"), controller.add_user("clerk")
        controller.add_to_group("Backup Operators", operator.name)
        daemon = FsrvpdProcess(lab, controller, REQUIRED)
        daemon.start()
        yield FileServer(lab, controller, daemon, operator, ordinary)


@pytest.mark.parametrize("binding", BINDINGS)
def test_tickets_are_decrypted_with_the_controllers_own_keys(
    server: FileServer, binding: str
) -> None:
    assert VERSIONS in server.rpcclient(VERSION, binding, ADMINISTRATOR)


def test_the_domains_backup_operators_are_this_servers(server: FileServer) -> None:
    for tickets in (True, False):
        call = (VERSION, "spnego,seal")
        assert VERSIONS in server.rpcclient(*call, server.operator, tickets=tickets)
        assert DENIED in server.rpcclient(*call, server.ordinary_user, tickets=tickets)
    assert "samba-tool group addmembers 'Backup Operators' clerk" in server.daemon.read_log()


def test_a_set_from_create_to_delete(server: FileServer) -> None:
    create = "fss_create_expose backup ro data"
    [copy] = fss.exposed(server.rpcclient(create, "krb5,seal", server.operator))
    delete = f"fss_delete data {copy.set_id} {copy.copy_id}"
    assert "shadow-copy deleted" in server.rpcclient(delete, "krb5,seal", server.operator)
    assert server.daemon.ask("list-sets") == []


def examined(server: FileServer) -> dict[str, Any]:
    done = server.daemon.command("doctor", "--json", "--no-self-test", check=False)
    return {finding["topic"]: finding for finding in json.loads(done.stdout)}


def test_doctor_says_what_is_so(server: FileServer) -> None:
    found = examined(server)
    keytab = server.controller.directory / "private" / "secrets.keytab"
    assert found["Kerberos"]["text"] == f"keytab {keytab}, with current key version 1"
    assert found["winbind"]["severity"] == "ok"
    assert "the domain controller's" not in found["clock"]["text"]


def test_a_controller_without_its_keytab(server: FileServer) -> None:
    keytab = server.controller.directory / "private" / "secrets.keytab"
    aside = keytab.with_suffix(".aside")
    server.lab.run(["mv", keytab, aside])
    try:
        found = examined(server)["Kerberos"]
    finally:
        server.lab.run(["mv", aside, keytab])
    assert found["severity"] == "warn"
    assert found["next_step"] == f"samba-tool domain exportkeytab {keytab} --principal=DC$"
