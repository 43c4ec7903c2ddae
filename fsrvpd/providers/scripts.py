"""An admin's own commands for the snapshots of a share: which they are, and how they are called.

They are spelled as those of Samba's vfs_shell_snap and get the same arguments, but are
started by argument vector, by us and as root; a script for the one serves the other. The
environment tells them more, in variables that begin with FSRVPD_.
"""

from __future__ import annotations

import os
import shlex
from typing import Callable, Dict, List, Mapping, Optional

from fsrvpd.errors import StorageError
from fsrvpd.protocol.ports import Share, SnapshotRequest
from fsrvpd.providers.commands import run
from fsrvpd.providers.mark import Mark, SnapshotName
from fsrvpd.providers.options import command_timeout

CHECK, CREATE, DELETE = "check path command", "create command", "delete command"
OptionsOf = Callable[[str], Mapping[str, str]]


class Scripts:
    def __init__(self, options_of: OptionsOf) -> None:
        """`options_of` tells the `fsrvp:` parameters of a share by name, as they are now;
        those of [global] where there is no such share any more."""
        self._options_of = options_of

    def why_not(self, share: Share, path: str) -> Optional[str]:
        """None when the share has its commands, and they say that they can serve it."""
        for wanted in (CREATE, DELETE):
            if not share.options.get(wanted, "").strip():
                return f"fsrvp:{wanted} is not set for the share {share.name}"
        try:
            if share.options.get(CHECK, "").strip():
                argv = [*_argv(share.options, CHECK, path), path]
                environment = {"FSRVPD_SHARE": share.name}
                run(argv, path, timeout=command_timeout(share.options), environment=environment)
        except StorageError as error:
            return str(error)
        return None

    def create(self, request: SnapshotRequest, name: SnapshotName, answer: int) -> None:
        """What the command prints goes to the file open as `answer`. Raises: StorageError."""
        place, options = request.place, request.place.share.options
        environment = {**_described(place.share.name, name), "FSRVPD_WRITABLE": "no"}
        if request.writable:
            environment["FSRVPD_WRITABLE"] = "yes"
        run(
            [*_argv(options, CREATE, place.directory), place.directory],
            place.directory,
            timeout=command_timeout(options),
            environment=environment,
            output=answer,
        )

    def delete(self, own: Mark, name: SnapshotName, base: str, path: str, lock: int) -> None:
        """`path` is what the create command printed. `lock` is a file that it keeps open for
        as long as it runs. Raises: StorageError."""
        options = self._options_of(own.share)
        run(
            [*_argv(options, DELETE, path), base, path],
            path,
            timeout=command_timeout(options),
            environment=_described(own.share, name),
            keep_open=[lock],
        )


def _argv(options: Mapping[str, str], which: str, object: str) -> List[str]:
    """Words as a shell would split them, which takes no part. Raises: StorageError."""
    text = options.get(which, "")
    try:
        argv = shlex.split(text)
    except ValueError as error:
        raise StorageError(object, f"fsrvp:{which} = {text}: {error}") from error
    if not argv:
        raise StorageError(
            object,
            f"fsrvp:{which} is set neither for its share, nor in [global], which is read"
            " when the share is not there any more",
        )
    if not os.path.isabs(argv[0]):
        raise StorageError(object, f"fsrvp:{which} = {text}: want the command's absolute path")
    return argv


def _described(share: str, name: SnapshotName) -> Dict[str, str]:
    return {
        "FSRVPD_SHARE": share,
        "FSRVPD_NAME": str(name),
        "FSRVPD_SHADOW_COPY": name.shadow_copy_id,
    }
