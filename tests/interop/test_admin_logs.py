"""Log destinations, readiness, and SIGHUP, which reloads as in Samba's daemons."""

from __future__ import annotations

import signal
from pathlib import Path

from lab.daemon import SCRIPTS
from lab.namespaces import LabError, LabProcess, wait_until
from tests.interop.nas import Nas

# Writes what a datagram socket receives to a file.
RECEIVER = """
import os, socket, sys
path, output = sys.argv[1:]
os.makedirs(os.path.dirname(path), exist_ok=True)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver, open(output, "ab", 0) as file:
    receiver.bind(path)
    while True:
        file.write(receiver.recv(1 << 16) + b"\\n")
"""
JOURNAL = "/run/systemd/journal/socket"


def receive(nas: Nas, path: str, name: str) -> tuple[LabProcess, Path]:
    output = nas.lab.directory / name
    process = nas.lab.popen(["/usr/bin/python3", "-c", RECEIVER, path, output])
    wait_until("the receiver listens", nas.lab.seen(Path(path)).exists)
    return process, output


def in_background(nas: Nas, *options: str) -> None:
    """Start the daemon as without systemd: it forks to the background by itself."""
    nas.daemon.stop()
    nas.lab.run([SCRIPTS / "fsrvpd", "-D", "-s", nas.samba.conf, *options])
    wait_until("it answers", lambda: nas.daemon.ctl("ping", check=False).returncode == 0)


def end(nas: Nas) -> None:
    nas.daemon.ctl("shutdown")
    wait_until("it has ended", lambda: nas.daemon.ctl("ping", check=False).returncode == 3)
    nas.daemon.start()


def test_in_the_background_the_journal_gets_the_fields(nas: Nas) -> None:
    journal, output = receive(nas, JOURNAL, "journal")
    in_background(nas)
    try:
        nas.samba.rpcclient("fss_get_sup_version")
        nas.daemon.ctl("debug", "3")
        nas.samba.rpcclient("fss_get_sup_version")
        wait_until("the call is in the journal", lambda: b"FSRVPD_EVENT=call\n" in raw(output))
    finally:
        end(nas)
        journal.kill()
        nas.lab.run(["rm", JOURNAL])
    for line in (b"FSRVPD_EVENT_ID=100", b"SYSLOG_IDENTIFIER=fsrvpd", b"PRIORITY=5"):
        assert line in raw(output).split(b"\n")
    assert b"FSRVPD_METHOD=GetSupportedVersion\n" in raw(output)
    assert b"FSRVPD_RESULT=ZERO\n" in raw(output)


def raw(output: Path) -> bytes:
    return output.read_bytes() if output.exists() else b""


def test_without_a_journal_sambas_log_directory_gets_it(nas: Nas) -> None:
    log = nas.samba.log.parent / "log.fsrvpd"
    in_background(nas)
    rotated = log.rename(log.with_suffix(".1"))
    end(nas)
    assert "event=started" in rotated.read_text()
    assert "event=stopped" in log.read_text()


def test_systemd_is_told_when_the_pipe_is_served_and_when_it_ends(nas: Nas) -> None:
    notify, output = receive(nas, "/run/notify", "notified")
    try:
        nas.daemon.stop()
        nas.daemon.start(before=["env", "NOTIFY_SOCKET=/run/notify"])
        assert raw(output).startswith(b"READY=1\nSTATUS=Serving ")
        nas.daemon.stop()
        assert raw(output).endswith(b"\nSTOPPING=1\n")
    finally:
        notify.kill()
        start_if_needed(nas)


def start_if_needed(nas: Nas) -> None:
    try:
        assert nas.daemon.pid
    except LabError:
        nas.daemon.start()


def test_a_hang_up_reloads(nas: Nas) -> None:
    before = nas.daemon.read_log().count("event=configuration-loaded")
    nas.lab.run(["kill", f"-{signal.SIGHUP.value}", str(nas.daemon.ask("ping")["pid"])])
    wait_until(
        "the configuration is loaded",
        lambda: nas.daemon.read_log().count("event=configuration-loaded") == before + 1,
    )
