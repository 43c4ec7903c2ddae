"""The admin's own commands for the snapshots of a share: which they are, and how they are run.

They are spelled as those of Samba's vfs_shell_snap and get the same arguments, so a script
for one serves the other; but they are started by fsrvpd as root, without a shell. The
environment tells them more, in variables that begin with FSRVPD_.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Optional

from fsrvpd.errors import StorageError
from fsrvpd.options.option import Option, command
from fsrvpd.options.share import CHECK_PATH_COMMAND, CREATE_COMMAND, DELETE_COMMAND, ShareOptions
from fsrvpd.protocol.ports import Share, SnapshotRequest
from fsrvpd.providers.catalog.marker import SnapshotMarker
from fsrvpd.providers.storage_command import run

OptionsOf = Callable[[str], Mapping[str, str]]


class Hooks:
    def __init__(self, options_of: OptionsOf) -> None:
        """`options_of` returns the current `fsrvp:` parameters of a share by its name; those
        of [global] when the share no longer exists."""
        self._options_of = options_of

    def why_not(self, share: Share, path: str) -> Optional[str]:
        """None when the share has its commands, and the check command accepts the path."""
        options = share.settings
        if not options.create_command:
            return f"{CREATE_COMMAND.name} is not set for the share {share.name}"
        if not options.delete_command:
            return f"{DELETE_COMMAND.name} is not set for the share {share.name}"
        try:
            if options.check_path_command:
                argv = [*_argv(CHECK_PATH_COMMAND, options.check_path_command, path), path]
                environment = {"FSRVPD_SHARE": share.name}
                run(argv, path, timeout=options.command_timeout, environment=environment)
        except StorageError as error:
            return str(error)
        return None

    def create(self, request: SnapshotRequest, marker: SnapshotMarker, output: int) -> None:
        """What the command prints is written to the file open as `output`. Raises:
        StorageError."""
        directory, options = request.location.directory, request.location.share.settings
        writable = "yes" if request.writable else "no"
        run(
            [*_argv(CREATE_COMMAND, options.create_command, directory), directory],
            directory,
            timeout=options.command_timeout,
            environment={**_environment(marker), "FSRVPD_WRITABLE": writable},
            output=output,
        )

    def delete(self, marker: SnapshotMarker, directory: str, path: str, lock: int) -> None:
        """`directory` is the share's, `path` what the create command printed. The command
        keeps the file `lock` open for as long as it runs. Raises: StorageError."""
        options = ShareOptions.read(self._options_of(marker.share))
        run(
            [*_argv(DELETE_COMMAND, options.delete_command, path), directory, path],
            path,
            timeout=options.command_timeout,
            environment=_environment(marker),
            keep_open=[lock],
        )


def _argv(option: Option[List[str]], text: str, object: str) -> List[str]:
    """Split into words as a shell would, without running one. Raises: StorageError."""
    try:
        argv = command(text)
    except ValueError as error:
        raise StorageError(object, f"{option.name} = {text}: {error}") from error
    if not argv:
        raise StorageError(
            object,
            f"{option.name} is set neither for its share nor in [global], which is read when"
            " the share no longer exists",
        )
    return argv


def _environment(marker: SnapshotMarker) -> Dict[str, str]:
    return {
        "FSRVPD_SHARE": marker.share,
        "FSRVPD_NAME": str(marker.name),
        "FSRVPD_SHADOW_COPY": marker.shadow_copy_id,
    }
