"""DISKSHADOW's script of a host of virtual machines: its first line verifies Hyper-V's writer, to
which the guests' writer answers."""

from __future__ import annotations

from typing import Iterator, NamedTuple

import pytest

from tests.requestor.command_host import HOST, Host, Server, open_host
from tests.requestor.emulated_guest import EmulatedGuest
from tests.unit.requestor.shell.masked import expected, masked, script

WRITER = b"Writer Verify {66841cd4-6ded-4f4b-8f17-fd23f8ddc3de}\r\n"
SHARE = rf"\\{HOST}\more"
CONFIGURATION = """
[writer.web]
kind = "guest-agent"
sockets = ["{socket}"]

[writer.app]
freeze = ["touch", "{directory}/app-frozen"]
thaw = ["touch", "{directory}/app-thawed"]
"""


class Machines(NamedTuple):
    server: Server
    host: Host
    guest: EmulatedGuest

    def shell(self, text: bytes) -> tuple[int, str, str]:
        """Status and output of a script, whose metadata files are in the host's directory."""
        path = self.host.directory / "script.dsh"
        metadata = bytes(self.host.directory / "vm1backup")
        path.write_bytes(text.replace(b"vm1backup", metadata))
        done = self.host.run("shell", "-s", path)
        return done.returncode, done.stdout.replace(f"{self.host.directory}/", ""), done.stderr


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    with open_host() as (server, host):
        image = server.volumes["more"] / "more" / "vm.img"
        host.lab.run(["truncate", "-s", "64M", image])
        host.lab.run(["mkfs.ext4", "-q", image])
        guest = EmulatedGuest(host.lab, image)
        guest.wait_until_up()
        values = {"socket": guest.socket, "directory": host.directory}
        host.write_configuration(CONFIGURATION.format(**values))
        yield Machines(server, host, guest)


def test_the_session_of_microsofts_description_with_its_first_line(machines: Machines) -> None:
    frozen = machines.guest.hooks("freeze")
    status, stdout, stderr = machines.shell(WRITER + script("backup", SHARE))
    assert (status, stderr) == (0, "")
    assert masked(stdout) == "-> Writer Verify {ID}\n" + expected("backup")
    assert machines.guest.hooks("freeze") == frozen + 1
    assert machines.guest.hooks("thaw") == machines.guest.hooks("freeze")
    assert (machines.host.directory / "app-thawed").exists()
    for name in ("restore", "delete"):
        status, stdout, stderr = machines.shell(script(name, SHARE))
        assert (status, stderr) == (0, "")
        assert masked(stdout) == expected(name)
    assert machines.guest.status() == "thawed"
    assert any(call.opnum == 5 for call in machines.server.daemon.calls())


def test_writers_that_are_excluded_or_not_wanted(machines: Machines) -> None:
    frozen = machines.guest.hooks("freeze")
    lines = [f"add volume {SHARE}", "create", "delete shadows all"]
    for first in ("writer exclude web", "set context persistent nowriters"):
        status, _, stderr = machines.shell("\n".join([first, *lines]).encode())
        assert (status, stderr) == (0, "")
    assert machines.guest.hooks("freeze") == frozen


def test_writers_are_listed_with_their_components(machines: Machines) -> None:
    _, stdout, _ = machines.shell(b"list writers\n")
    shown = stdout.splitlines()
    at = shown.index("* WRITER Microsoft Hyper-V VSS Writer")
    assert shown[at + 1] == "\t- Writer ID = {66841cd4-6ded-4f4b-8f17-fd23f8ddc3de}"
    assert shown[at + 2 : at + 4] == ["\t- Component = web", "* WRITER app"]
    assert "Number of writers listed: 2" in shown


def test_what_it_froze_is_printed_if_wanted(machines: Machines) -> None:
    lines = ["set verbose on", f"add volume {SHARE}", "create", "delete shadows all"]
    status, stdout, _ = machines.shell("\n".join(lines).encode())
    assert status == 0
    assert (
        '* Including writer "Microsoft Hyper-V VSS Writer":\n\t+ Adding component: \\web' in stdout
    )
    assert "All writers held still for " in stdout


def test_a_guest_that_cannot_be_frozen_leaves_no_set(machines: Machines) -> None:
    machines.guest.process.kill()
    status, _, stderr = machines.shell(f"add volume {SHARE}\ncreate\n".encode())
    assert status == 1
    assert "nothing listens at its socket" in stderr
    machines.server.assert_nothing_is_left()
    machines.host.assert_no_state_is_left()
