"""Storage that answers nothing at all, not even a stat, concerns only those who use it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Iterator, Mapping, NamedTuple

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.core.mounts import MOUNT_ROOT
from fsrvpd.ctl.client import ask
from fsrvpd.daemon.agent.jobs import MOST_OF_STORAGE
from fsrvpd.samba_command_line import SNAP_SOCKET
from lab import FsrvpdProcess, Lab, Samba, Share
from lab.fuse import StoppableVolume
from lab.namespaces import LabError, wait_until
from tests.interop.nas import LOSE_MOUNTS, OPTIONS
from tests.interop.raw_agent import RawAgent, result_of, wide
from tests.interop.test_admin_metrics import PORT, fetch

ANSWERED = 2.0  # s within which everybody else is answered
CLIENTS = 20  # more than one storage may hold threads
HUNG_REQUESTS = 12  # of one user, who may have 16
CREATE = (
    "#!/bin/sh\ntaken=$(mktemp -d {directory}/taken.XXXXXX) && chmod 755 $taken && echo $taken\n"
)


class Server(NamedTuple):
    """A share `live` on btrfs, and `dead` on storage that can be stopped, with a set of it."""

    lab: Lab
    samba: Samba
    daemon: FsrvpdProcess
    volume: StoppableVolume
    options: Mapping[str, str]  # of the share `dead`


def script(lab: Lab, name: str, text: str) -> Path:
    path = lab.directory / name
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def server() -> Iterator[Server]:
    with Lab() as lab:
        volume = StoppableVolume(lab, "fuse")
        options = {
            "fsrvp:provider": "command",
            "fsrvp:create command": str(
                script(lab, "create", CREATE.format(directory=lab.directory))
            ),
            "fsrvp:delete command": str(script(lab, "delete", '#!/bin/sh\nrmdir "$2"\n')),
        }
        shares = [
            Share("live", lab.volume("btrfs", "live")),
            Share("dead", volume.directory, options),
        ]
        metrics = {
            "fsrvpd:metrics port": str(PORT),
            "fsrvpd:metrics file": str(lab.directory / "fsrvpd.prom"),
        }
        samba = Samba(lab, shares, {**OPTIONS, **metrics})
        samba.start()
        daemon = FsrvpdProcess(lab, samba)
        daemon.start()
        made = Server(lab, samba, daemon, volume, options)
        with RawAgent(made) as agent:
            complete(agent, "dead")
            for share in ("dead", "live"):  # remembered from now on: no mount follows
                agent.must(Opnum.IsPathSupported, wide(agent.unc(share)))
        yield made


def complete(agent: RawAgent, share: str) -> tuple[bytes, bytes]:
    """Make a whole set. Returns the ids of set and copy."""
    agent.must(Opnum.IsPathSupported, wide(agent.unc(share)))
    set_id = agent.start()
    copy_id = agent.add(set_id, share)
    agent.expose(set_id)
    agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    return set_id, copy_id


def scraped(server: Server) -> str:
    with server.lab.network() as thread:
        return str(thread.submit(fetch, f"http://127.0.0.1:{PORT}/metrics").result(20))


def test_everybody_else_is_answered(server: Server) -> None:
    file = server.lab.directory / "fsrvpd.prom"
    wait_until("metrics are written", lambda: file.exists())
    assert f'fsrvpd_volume_size_bytes{{volume="{server.volume.mount_point}"}}' in scraped(server)
    with ExitStack() as stack:
        waiting = [stack.enter_context(RawAgent(server)) for _ in range(CLIENTS)]
        other = stack.enter_context(RawAgent(server))
        with server.volume.stopped():
            for number, each in enumerate(waiting):
                share = "dead" if number % 2 else "DEAD"
                each.begin(Opnum.IsPathSupported, wide(each.unc(share)))
            began = time.monotonic()
            set_id, copy_id = complete(other, "live")
            other.delete(set_id, copy_id, "live")
            assert time.monotonic() - began < 5 * ANSWERED
            for message in ("ping", "status", "list-sets"):
                began = time.monotonic()
                server.daemon.ask(message)
                assert time.monotonic() - began < ANSWERED, message
            began = time.monotonic()
            text = scraped(server)
            assert time.monotonic() - began < ANSWERED + 1
            assert f'fsrvpd_snapshots{{volume="{server.volume.mount_point}"}} 1.0' in text
            file.unlink()
            wait_until("metrics are written again", lambda: file.exists(), timeout=20)
        assert {result_of(each.answer()) for each in waiting} == {0}
    answered = [call for call in server.daemon.calls() if call.method == "IsPathSupported"]
    assert len(answered) == CLIENTS + 4


def test_sets_that_cannot_be_deleted_hold_up_nobody(server: Server) -> None:
    """Their jobs have to do with Samba's registry too, which everybody needs."""
    with ExitStack() as stack:
        waiting = [stack.enter_context(RawAgent(server)) for _ in range(MOST_OF_STORAGE + 1)]
        sets = [complete(each, "dead") for each in waiting]
        other = stack.enter_context(RawAgent(server))
        with server.volume.stopped():
            for each, (set_id, copy_id) in zip(waiting, sets):
                stub = set_id + copy_id + wide(each.unc("dead"))
                each.begin(Opnum.DeleteShareMapping, stub)
            wait_until("their shares are removed", lambda: len(copies(server)) <= 2)
            began = time.monotonic()
            other.delete(*complete(other, "live"), "live")
            assert time.monotonic() - began < 5 * ANSWERED
        assert {result_of(each.answer()) for each in waiting} == {0}


def copies(server: Server) -> list[str]:
    """List the shadow copy shares."""
    shares = server.samba.net("conf", "listshares").stdout.splitlines()
    return [name for name in shares if "@{" in name]


def test_a_link_that_leads_to_it_holds_up_no_known_share(server: Server) -> None:
    """The path of the share `linked` shows another file system than the one that hangs."""
    folder = server.lab.directory
    server.lab.run(["mkdir", folder / "beside"])
    server.lab.run(["ln", "-s", server.volume.directory, folder / "link"])
    for share in (
        Share("beside", folder / "beside", server.options),
        Share("linked", folder / "link", server.options),
    ):
        server.samba.set_share(share)
    with ExitStack() as stack:
        waiting = [stack.enter_context(RawAgent(server)) for _ in range(6)]
        other = stack.enter_context(RawAgent(server))
        other.must(Opnum.IsPathSupported, wide(other.unc("beside")))
        with server.volume.stopped():
            for number, each in enumerate(waiting):  # each spelling is looked up by itself
                share = "linked"[:number].upper() + "linked"[number:]
                each.begin(Opnum.IsPathSupported, wide(each.unc(share)))
            time.sleep(1)  # until all have a thread, or wait for one
            began = time.monotonic()
            other.must(Opnum.IsPathSupported, wide(other.unc("beside")))
            assert time.monotonic() - began < ANSWERED
        assert {result_of(each.answer()) for each in waiting} == {0}


def test_other_shares_of_sambas_own_agent_are_served(server: Server) -> None:
    """More requests wait for the storage than it may hold threads."""
    module = {"vfs objects": "shell_snap"}
    dead = Share("dead", server.volume.directory, {**server.options, **module})
    for share in (dead, Share("live", server.lab.directory / "live", module)):
        server.samba.set_share(share)
    socket = str(server.lab.seen(server.samba.place("pid directory") / SNAP_SOCKET))
    live = str(server.lab.directory / "live")
    assert ask(socket, "check", [str(dead.path)])["path"] == str(dead.path)
    with ThreadPoolExecutor(HUNG_REQUESTS) as threads:
        with server.volume.stopped():
            hung = [
                threads.submit(ask, socket, "check", [str(dead.path)]) for _ in range(HUNG_REQUESTS)
            ]
            for _ in range(2):
                made = ask(socket, "create", [live], timeout=5 * ANSWERED)["path"]
                assert ask(socket, "delete", [live, made], timeout=5 * ANSWERED)["path"] == made
            assert not any(each.done() for each in hung)
        assert {each.result(20)["path"] for each in hung} == {str(dead.path)}


def test_the_daemon_ends(server: Server) -> None:
    agent = RawAgent(server)
    with server.volume.stopped():
        agent.begin(Opnum.IsPathSupported, wide(agent.unc("dead")))
        with pytest.raises(LabError):
            wait_until("it is answered", lambda: len(server.daemon.calls()) > 10, timeout=1)
        began = time.monotonic()
        server.daemon.stop()
        assert time.monotonic() - began < 5
    agent.hang_up()


def test_after_a_reboot_copies_of_other_volumes_are_mounted_again(server: Server) -> None:
    with RawAgent(server) as agent:
        set_id, copy_id = complete(agent, "live")
        name = agent.mapping(set_id, copy_id, "live").share
    server.daemon.stop()
    server.lab.run(["sh", "-ec", LOSE_MOUNTS, "sh", MOUNT_ROOT])
    dead = str(server.volume.mount_point)
    with server.volume.stopped():
        server.daemon.start()
        wait_until("the live copy is there", lambda: listed(server, name), timeout=12)
        assert len(copies(server)) == 2
        assert server.daemon.read_log().count("event=volume-silent") == 1
        for message in (["list-snapshots"], ["prune", "--dry-run"], ["prune"]):
            began = time.monotonic()
            answer = server.daemon.ctl(*message)
            assert time.monotonic() - began < 5 * ANSWERED, message
            assert f"{dead}" in answer.stdout + answer.stderr
        began = time.monotonic()
        examined = server.daemon.command("doctor", "--no-self-test", check=False)
        assert time.monotonic() - began < 10 * ANSWERED
        assert "share dead" in examined.stdout
        assert len(copies(server)) == 2
    dead_copy = next(each for each in copies(server) if each.startswith("dead"))
    wait_until("the dead copy is there", lambda: listed(server, dead_copy), timeout=12)
    assert server.daemon.ask("prune") == []


def listed(server: Server, share: str) -> bool:
    return server.samba.smbclient(share, "ls", check=False).returncode == 0
