"""A private Samba with real parts: namespaces, volumes in files, smbd, clients and fsrvpd.

    with Lab() as lab:
        volume = lab.volume("btrfs", "data")
        samba = Samba(lab, [Share("data", volume)])
        samba.start()
        daemon = FsrvpdProcess(lab, samba)
        daemon.start()
        print(samba.rpcclient("fss_is_path_sup data").stdout)

A lab is invisible to the machine: it has its own mounts, network, processes and accounts. It
ends with the process that made it, however that process ends.
"""

from __future__ import annotations

from lab import fss
from lab.accounts import User
from lab.cluster import Cluster
from lab.daemon import Call, FsrvpdProcess
from lab.namespaces import CommandFailed, Lab, LabError, LabProcess
from lab.samba import Samba, Share

__all__ = [
    "Call",
    "Cluster",
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
