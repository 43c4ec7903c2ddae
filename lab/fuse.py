"""A file system in user space that a test can stop: everybody who touches it waits.

It holds one empty directory, `data`. The process that serves it speaks the kernel's protocol
itself (include/uapi/linux/fuse.h), so nothing has to be installed. Stopped, it answers
nothing, as a dead NFS server does. It stops by a handler: SIGSTOP would stop nsenter too.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import Iterator

from lab.namespaces import Lab, LabProcess, wait_until

SERVE = '''
import ctypes, errno, os, signal, struct, sys

LOOKUP, FORGET, GETATTR, STATFS, INIT, OPENDIR, READDIR, RELEASEDIR, BATCH_FORGET = (
    1, 2, 3, 17, 26, 27, 28, 29, 42)
MS_NOSUID = 2
ROOT, DATA = 1, 2

def attributes(node):
    zeros = (0,) * 8
    return struct.pack("<QQQQQQIIIIIIIIII", node, *zeros, 0o40777, 2, 0, 0, 0, 4096, 0)

def answer(opcode, node, body):
    """Nothing is cached: every path is asked for again."""
    if opcode == INIT:
        return struct.pack("<IIIIHHIIHHI28x", 7, 31, 0, 0, 0, 0, 4096, 1, 0, 0, 0)
    if opcode == LOOKUP:
        if node != ROOT or body != b"data\\0":
            raise OSError(errno.ENOENT, "")
        return struct.pack("<QQQQII", DATA, 0, 0, 0, 0, 0) + attributes(DATA)
    if opcode == GETATTR:
        return struct.pack("<QII", 0, 0, 0) + attributes(node)
    if opcode == OPENDIR:
        return struct.pack("<QII", 0, 0, 0)
    if opcode == STATFS:
        return struct.pack("<QQQQQIIII24x", 1 << 20, 1 << 20, 1 << 20, 9, 9, 4096, 255, 4096, 0)
    if opcode in (READDIR, RELEASEDIR):
        return b""
    raise OSError(errno.ENOSYS, "")

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
signal.signal(signal.SIGUSR1, lambda *_: signal.sigwait({signal.SIGUSR2}))
device = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"stoppable", sys.argv[1].encode(), b"fuse", MS_NOSUID, options):
    raise OSError(ctypes.get_errno(), "mount")
print("mounted", flush=True)
while True:
    request = os.read(device, 1 << 17)
    size, opcode, unique, node = struct.unpack_from("<IIQQ", request)
    if opcode in (FORGET, BATCH_FORGET):
        continue
    error, body = 0, b""
    try:
        body = answer(opcode, node, request[40:])
    except OSError as failure:
        error = -failure.errno
    os.write(device, struct.pack("<IiQ", 16 + len(body), error, unique) + body)
'''


class StoppableVolume:
    """The mounted file system. `directory` is the one that it holds."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.mount_point = lab.directory / name
        self.directory = self.mount_point / "data"
        self.mount_point.mkdir()
        said = lab.directory / f"{name}.said"
        self._server: LabProcess = lab.popen(
            ["/usr/bin/python3", "-c", SERVE, self.mount_point], output=said
        )
        wait_until(f"{name} is mounted", lambda: "mounted" in said.read_text())

    def end(self) -> None:
        """End the process that serves it: what is mounted says ENOTCONN from now on."""
        self._server.kill()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Answer nothing inside the block."""
        self._server.signal(signal.SIGUSR1)
        try:
            yield
        finally:
            self._server.signal(signal.SIGUSR2)
