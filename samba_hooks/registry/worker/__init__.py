"""The registry worker: a child process that loads Samba's library, which may end it.

Run as `python -m samba_hooks.registry.worker`; `registry.client` starts it and talks to it.
"""

LIBRARY = "libsmbconf.so.0"
