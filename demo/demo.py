"""The main use step by step: a backup of a Samba share, as Windows makes it.

Everything runs in private namespaces, on a loopback address, with a volume in a file. The
machine's own Samba, its accounts and its disks are not touched, and nothing is left behind,
however the demo ends.
"""

from __future__ import annotations

import signal
import sys
from typing import NamedTuple, NoReturn

from lab import FsrvpdProcess, Lab, LabError, Samba, Share, User, fss

SHARE = "projects"
FILE = "report.txt"
OLD = "Draft of Monday.\n"
NEW = "Overwritten on Tuesday.\n"
BINDING = "sign"  # rpcclient signs only on request; fsrvpd requires signing


class DemoFailed(Exception):
    """The demo did not see what it expected; the text says what it saw instead."""


class Stage(NamedTuple):
    lab: Lab
    samba: Samba
    daemon: FsrvpdProcess
    anna: User
    eve: User


def say(text: str) -> None:
    print(f"\n* {text}", flush=True)


def show(text: str) -> None:
    for line in text.strip().splitlines():
        print(f"    {line.rstrip()}", flush=True)


def require(true: bool, otherwise: str) -> None:
    if not true:
        raise DemoFailed(otherwise)


def with_names(stage: Stage, text: str) -> str:
    """Replace the SIDs that Samba's tool prints with names of users."""
    for user in (stage.samba.root, stage.anna):
        text = text.replace(stage.samba.sid(user), user.name)
    return text


def set_the_stage(lab: Lab) -> Stage:
    say("A private Samba starts, with a network, mounts, processes and accounts of its own.")
    volume = lab.volume("btrfs", "volume")
    directory = volume / SHARE
    lab.run(["mkdir", "-m", "0777", directory])
    samba = Samba(lab, [Share(SHARE, directory)])
    samba.start()
    anna, eve = samba.add_user("anna"), samba.add_user("eve")
    samba.let_in(SHARE, {samba.root: "FULL", anna: "FULL"})
    show(f"smbd listens at {samba.address}; the share {SHARE} is {directory}, on btrfs in a file.")
    show("Its permissions admit root and anna, but not eve.")
    return Stage(lab, samba, FsrvpdProcess(lab, samba), anna, eve)


def start_the_daemon(stage: Stage) -> None:
    say("fsrvpd starts and waits at Samba's pipe FssagentRpc.")
    stage.daemon.start()
    show(stage.daemon.ctl("ping").stdout)


def write_a_file(stage: Stage) -> None:
    say(f"Anna writes {FILE} over SMB.")
    stage.samba.write(SHARE, FILE, OLD, user=stage.anna)
    show(OLD)


def take_a_backup(stage: Stage) -> fss.ShadowCopy:
    say("A backup client (Samba's rpcclient) asks for a shadow copy set, as Windows does.")
    done = stage.samba.rpcclient(f"fss_create_expose backup ro {SHARE}", binding=BINDING)
    show(done.stdout)
    copies = fss.exposed(done.stdout)
    require(len(copies) == 1, "rpcclient did not report one exposed copy")
    require(stage.daemon.calls() != [], "the log of fsrvpd has no call: who answered?")
    return copies[0]


def look_at_the_mapping(stage: Stage, copy: fss.ShadowCopy) -> None:
    say("The client asks for the share that shows the copy, and completes the recovery.")
    command = f"fss_get_mapping {SHARE} {copy.set_id} {copy.copy_id}"
    show(stage.samba.rpcclient(command, binding=BINDING).stdout)
    show(stage.samba.rpcclient(f"fss_recovery_complete {copy.set_id}", binding=BINDING).stdout)


def change_and_read_back(stage: Stage, copy: fss.ShadowCopy) -> None:
    say(f"Anna changes {FILE}. The shadow copy share still has the old content.")
    stage.samba.write(SHARE, FILE, NEW, user=stage.anna)
    now = stage.samba.read(SHARE, FILE, user=stage.anna)
    before = stage.samba.read(copy.share, FILE, user=stage.anna)
    show(f"{SHARE}: {now}")
    show(f"{copy.share}: {before}")
    require(now == NEW, "the share does not have the new content")
    require(before == OLD, "the shadow copy does not have the old content")


def compare_the_permissions(stage: Stage, copy: fss.ShadowCopy) -> None:
    say("The copy has the permissions of its share: eve can read neither.")
    base = stage.samba.sharesec(SHARE, "--view").stdout
    cloned = stage.samba.sharesec(copy.share, "--view").stdout
    show(with_names(stage, cloned))
    require(base == cloned, f"the permissions differ; the share has\n{base}")
    for share in (SHARE, copy.share):
        done = stage.samba.smbclient(share, "ls", user=stage.eve, check=False)
        said = done.stdout + done.stderr
        require("NT_STATUS_ACCESS_DENIED" in said, f"eve was admitted to {share}: {said}")
        show(f"eve at {share}: {said}")


def delete_the_copy(stage: Stage, copy: fss.ShadowCopy) -> None:
    say("The backup is done: the client deletes the copy.")
    command = f"fss_delete {SHARE} {copy.set_id} {copy.copy_id}"
    show(stage.samba.rpcclient(command, binding=BINDING).stdout)


def show_that_nothing_is_left(stage: Stage) -> None:
    say("Nothing is left: no share, no snapshot, no set.")
    shares = stage.samba.net("conf", "listshares").stdout
    volume = stage.lab.directory / "volume"
    snapshots = stage.lab.run(["btrfs", "subvolume", "list", "-s", volume]).stdout
    show(f"shares in Samba's registry: {shares.strip() or 'none'}")
    show(f"snapshots on the volume: {snapshots.strip() or 'none'}")
    show(stage.daemon.ctl("list-sets").stdout)
    require(not shares.strip(), "a share is left")
    require(not snapshots.strip(), "a snapshot is left")
    stage.daemon.stop()


def play(lab: Lab) -> None:
    stage = set_the_stage(lab)
    start_the_daemon(stage)
    write_a_file(stage)
    copy = take_a_backup(stage)
    look_at_the_mapping(stage, copy)
    change_and_read_back(stage, copy)
    compare_the_permissions(stage, copy)
    delete_the_copy(stage, copy)
    show_that_nothing_is_left(stage)


def interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        with Lab() as lab:
            play(lab)
    except (DemoFailed, LabError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; everything was removed.", file=sys.stderr)
        return 130
    say("Done. The private Samba and its volume are gone.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
