"""The first process of a lab: it holds the namespaces until its creator lets go of stdin.

Run by `unshare`, with the standard library alone. End of file on stdin means that the
creator is done or dead; the kernel then kills whatever else runs in here.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
import subprocess

SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1

# Where Samba's packages keep state, whatever smb.conf says: a lab gets empty ones. The
# whole of /run goes with it, since /run/samba may be missing and must not be made there.
PRIVATE_DIRECTORIES = ("/run", "/var/lib/samba", "/var/cache/samba", "/var/log/samba")


def raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))


def hide_the_machines_samba() -> None:
    for directory in PRIVATE_DIRECTORIES:
        if os.path.isdir(directory):
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "mode=0755", "fsrvpd-lab", directory], check=True
            )
    for directory in ("/run/lock", "/run/samba", "/var/lib/samba/private"):
        if os.path.isdir(os.path.dirname(directory)):
            os.makedirs(directory, exist_ok=True)


def main() -> None:
    os.chdir("/")  # where every command in the lab begins
    raise_loopback()
    hide_the_machines_samba()
    # An init that ignores SIGCHLD leaves no zombies of the daemons that end in here.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.write(1, b"ready\n")
    while os.read(0, 1):
        pass


if __name__ == "__main__":
    main()
