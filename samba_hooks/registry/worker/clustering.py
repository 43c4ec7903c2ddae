"""Whether Samba is clustered, which this process has to know before it loads anything.

A child process loads [global] and says what it found, so nothing is loaded or opened here.
"""

from __future__ import annotations

import os
import signal
from typing import Mapping

from fsrvpd.options.option import is_yes, unquoted
from samba_hooks import testparm
from samba_hooks.registry.worker.libsmbconf import Library

_YES, _NO = b"yes", b"no"
_MOST_FILES = 5  # `config file` names another one
_PR_SET_PDEATHSIG = 1


def is_on(library: Library, config_file: str) -> bool:
    """`clustering`, by smb.conf and what has been overridden. False too if Samba cannot read it,
    which the next load then says."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            library.call.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
            os.write(writer, _YES if is_yes(_globals(library, config_file)["clustering"]) else _NO)
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said == _YES


def _globals(library: Library, config_file: str) -> Mapping[str, str]:
    """[global] of the last file to which `config file` leads."""
    for _ in range(_MOST_FILES):
        library.load_global(config_file)
        parameters = testparm.sections(library.globals())["global"]
        other = unquoted(library.expand(parameters["config file"]))
        if not other or other == config_file or not os.path.isfile(other):
            break
        config_file = other
    return parameters
