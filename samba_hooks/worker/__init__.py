"""Child processes that load a library of Samba, which may end or block its process.

`process` is the daemon's side; `child`, `library` and `samba_log` are the worker's; `wire` lies
between them.
"""
