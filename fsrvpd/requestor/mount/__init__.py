"""Shadow copies as directories of this host: a read-only file system in user space over SMB.

Each mount is served by a process of its own (`server`), which libfuse3 calls through mfusepy
(`binding`, the only importer of it). `mounts` starts and ends these processes, `left` removes what
killed ones have left.
"""
