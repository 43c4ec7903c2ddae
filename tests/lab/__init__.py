"""A private Samba on real parts: namespaces, volumes in files, smbd, clients, our daemon.

    with Lab() as lab:
        volume = lab.volume("btrfs", "data")
        samba = Samba(lab, [Share("data", volume)])
        samba.start()
        daemon = FsrvpdProcess(lab, samba)
        daemon.start()
        print(samba.rpcclient("fss_is_path_sup data").stdout)

Nothing in a lab is seen by the machine: it has its own mounts, network, processes and
accounts, and it ends with the process that made it, however that one ends.
"""

from __future__ import annotations

from tests.lab import fss
from tests.lab.accounts import User
from tests.lab.daemon import Call, FsrvpdProcess
from tests.lab.namespaces import CommandFailed, Lab, LabError, LabProcess
from tests.lab.samba import Samba, Share

__all__ = [
    "Call",
    "CommandFailed",
    "FsrvpdProcess",
    "Lab",
    "LabError",
    "LabProcess",
    "Samba",
    "Share",
    "User",
    "fss",
]
