"""The first process of a lab: it keeps the namespaces until its creator closes stdin.

`unshare` runs it, with the standard library alone: `holder.py DIRECTORY [TREE]`. End of file
on stdin means that the creator is done or dead. Then this process ends, and the kernel kills
all others in the lab.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys

SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1

# Samba's packages keep state here whatever smb.conf says, so a lab gets empty directories.
# All of /run is replaced, since /run/samba may be missing and must not be made on the machine.
PRIVATE_DIRECTORIES = ("/run", "/var/lib/samba", "/var/cache/samba", "/var/log/samba")


def raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))


def enter_tree(directory: str, tree: str) -> None:
    """Change the root to an overlay of another root directory. Changes are kept in memory.

    The lab's directory has the same path in it as on the machine.
    """
    layers = os.path.join(directory, "tree")
    root = os.path.join(layers, "merged")
    os.mkdir(layers)
    mount("-t", "tmpfs", "-o", "mode=0755", "fsrvpd-lab", layers)
    for name in ("upper", "work", "merged"):
        os.mkdir(os.path.join(layers, name))
    options = f"lowerdir={tree},upperdir={layers}/upper,workdir={layers}/work"
    mount("-t", "overlay", "-o", options, "fsrvpd-lab", root)
    mount("-t", "proc", "proc", f"{root}/proc")
    for shared in ("/dev", "/sys"):
        mount("--rbind", shared, root + shared)
    os.makedirs(root + directory)
    mount("--bind", directory, root + directory)
    os.chroot(root)
    os.chdir("/")


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def hide_the_machines_samba() -> None:
    for directory in PRIVATE_DIRECTORIES:
        if os.path.isdir(directory):
            mount("-t", "tmpfs", "-o", "mode=0755", "fsrvpd-lab", directory)
    for directory in ("/run/lock", "/run/samba", "/var/lib/samba/private"):
        if os.path.isdir(os.path.dirname(directory)):
            os.makedirs(directory, exist_ok=True)


def main(directory: str, *tree: str) -> None:
    os.chdir("/")  # the working directory of every command in the lab
    raise_loopback()
    if tree:
        enter_tree(directory, *tree)
    hide_the_machines_samba()
    # An init that ignores SIGCHLD leaves no zombies of daemons that end in the lab.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.write(1, b"ready\n")
    while os.read(0, 1):
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
