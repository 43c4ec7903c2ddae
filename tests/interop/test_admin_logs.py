"""Where the log goes, readiness, and the signal that Samba's daemons reload at."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.interop.site import Site
from tests.lab.daemon import SCRIPTS
from tests.lab.namespaces import LabError, LabProcess, wait_until

# Receives what is sent to a datagram socket, and writes it to a file.
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


def receive(site: Site, path: str, name: str) -> tuple[LabProcess, Path]:
    output = site.lab.directory / name
    process = site.lab.popen(["/usr/bin/python3", "-c", RECEIVER, path, output])
    wait_until("the receiver listens", site.lab.seen(Path(path)).exists)
    return process, output


def in_background(site: Site, *options: str) -> None:
    """As without systemd: the daemon leaves for the background by itself."""
    site.daemon.stop()
    site.lab.run([SCRIPTS / "fsrvpd", "-D", "-s", site.samba.conf, *options])
    wait_until("it answers", lambda: site.daemon.ctl("ping", check=False).returncode == 0)


def end(site: Site) -> None:
    site.daemon.ctl("shutdown")
    wait_until("it has ended", lambda: site.daemon.ctl("ping", check=False).returncode == 3)
    site.daemon.start()


def test_in_the_background_the_journal_gets_the_fields(site: Site) -> None:
    journal, output = receive(site, JOURNAL, "journal")
    in_background(site)
    try:
        site.samba.rpcclient("fss_get_sup_version")
        site.daemon.ctl("debug", "3")
        site.samba.rpcclient("fss_get_sup_version")
        wait_until("the call is in the journal", lambda: b"FSRVPD_EVENT=call\n" in raw(output))
    finally:
        end(site)
        journal.kill()
        site.lab.run(["rm", JOURNAL])
    for line in (b"FSRVPD_EVENT_ID=100", b"SYSLOG_IDENTIFIER=fsrvpd", b"PRIORITY=5"):
        assert line in raw(output).split(b"\n")
    assert b"FSRVPD_METHOD=GetSupportedVersion\n" in raw(output)
    assert b"FSRVPD_RESULT=ZERO\n" in raw(output)


def raw(output: Path) -> bytes:
    return output.read_bytes() if output.exists() else b""


def test_without_a_journal_sambas_log_directory_gets_it(site: Site) -> None:
    log = site.samba.log.parent / "log.fsrvpd"
    in_background(site)
    rotated = log.rename(log.with_suffix(".1"))
    end(site)
    assert "event=started" in rotated.read_text()
    assert "event=ended" in log.read_text()


def test_systemd_is_told_when_the_pipe_is_served_and_when_it_ends(site: Site) -> None:
    notify, output = receive(site, "/run/notify", "notified")
    try:
        site.daemon.stop()
        site.daemon.start(before=["env", "NOTIFY_SOCKET=/run/notify"])
        assert raw(output).startswith(b"READY=1\nSTATUS=Serving ")
        site.daemon.stop()
        assert raw(output).endswith(b"\nSTOPPING=1\n")
    finally:
        notify.kill()
        start_if_needed(site)


def start_if_needed(site: Site) -> None:
    try:
        assert site.daemon.pid
    except LabError:
        site.daemon.start()


def test_a_hang_up_reloads(site: Site) -> None:
    before = site.daemon.read_log().count("event=configuration-loaded")
    site.lab.run(["kill", f"-{signal.SIGHUP.value}", str(site.daemon.ask("ping")["pid"])])
    wait_until(
        "the configuration is loaded",
        lambda: site.daemon.read_log().count("event=configuration-loaded") == before + 1,
    )
