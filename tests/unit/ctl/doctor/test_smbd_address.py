"""The address at which smbd listens, from the kernel's tables."""

from __future__ import annotations

import ipaddress
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fsrvpd.ctl.doctor import smbd_address

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when  uid  timeout inode\n"


def row(address: str, port: int, inode: int, state: str = "0A") -> str:
    packed = ipaddress.ip_address(address).packed
    words = [packed[at : at + 4] for at in range(0, len(packed), 4)]
    number = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
    local = f"{number}:{port:04X}"
    return (
        f"   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 0 0 {inode}\n"
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("0.0.0.0", 445, True, "0A")], ("127.0.0.1", 445)),
        ([("192.0.2.1", 445, True, "0A")], ("192.0.2.1", 445)),
        ([("192.0.2.1", 445, False, "0A")], ("127.0.0.1", 445)),
        ([("192.0.2.1", 139, True, "0A")], ("192.0.2.1", 139)),
        ([("192.0.2.1", 445, True, "01")], ("127.0.0.1", 445)),
        ([("192.0.2.1", 445, True, "0A"), ("0.0.0.0", 445, True, "0A")], ("127.0.0.1", 445)),
        ([("0.0.0.0", 139, True, "0A"), ("0.0.0.0", 4450, True, "0A")], ("127.0.0.1", 4450)),
        ([("::", 445, True, "0A")], ("::1", 445)),
        ([("::", 445, True, "0A"), ("0.0.0.0", 445, True, "0A")], ("127.0.0.1", 445)),
        ([("fe80::1", 445, True, "0A"), ("2001:db8::7", 445, True, "0A")], ("2001:db8::7", 445)),
    ],
    ids=[
        *("everywhere", "one address", "another's", "NetBIOS alone", "connected"),
        *("also everywhere", "another port", "IPv6 alone", "also IPv6", "one that needs no zone"),
    ],
)
def test_where_smbd_listens(
    rows: list[tuple[str, int, bool, str]],
    expected: tuple[str, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "smbd.pid").write_text(f"{os.getpid()}\n")
    with socket.socket() as held:
        inode = os.fstat(held.fileno()).st_ino
        lines = [row(host, port, inode if ours else 1, state) for host, port, ours, state in rows]
        (tmp_path / "tcp").write_text(HEAD + "".join(lines))
        monkeypatch.setattr(smbd_address, "SOCKETS", (str(tmp_path / "tcp"),))
        assert smbd_address.server_address(str(tmp_path)) == expected


def test_without_smbd_it_is_the_loopback(tmp_path: Path) -> None:
    assert smbd_address.server_address(str(tmp_path)) == ("127.0.0.1", 445)


def test_running_pid(tmp_path: Path) -> None:
    path = tmp_path / "smbd.pid"
    assert smbd_address.running_pid(str(path)) is None
    path.write_text(f"{os.getpid()}\n")
    assert smbd_address.running_pid(str(path)) == os.getpid()
    path.write_text("no number")
    assert smbd_address.running_pid(str(path)) is None
    ended = subprocess.Popen(["true"])
    ended.wait()
    path.write_text(str(ended.pid))
    assert smbd_address.running_pid(str(path)) is None
