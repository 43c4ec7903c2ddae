"""The registry worker: a child process in which Samba's library may crash.

Run as `python -m samba_hooks.worker`; `samba_hooks.registry` starts it and talks to it.
"""

LIBRARY = "libsmbconf.so.0"
