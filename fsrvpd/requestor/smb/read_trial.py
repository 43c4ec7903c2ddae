"""What the account can read of a share: some directories are listed and some files opened, as a
backup program opens them, and closed again.

The right to have a share copied is not the right to read it: the agent asks for membership in
Backup Operators, files ask for their own permissions, also where they are opened with backup
intent and the server does not honour that.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, Iterator, List, Optional, Tuple

from smbprotocol.exceptions import SMBResponseException
from smbprotocol.file_info import (
    FileAttributes,
    FileFsFullSizeInformation,
    FileInformationClass,
    FileSystemInformationClass,
    InfoType,
)
from smbprotocol.header import NtStatus
from smbprotocol.open import (
    CreateDisposition,
    CreateOptions,
    DirectoryAccessMask,
    FilePipePrinterAccessMask,
    ImpersonationLevel,
    Open,
    ShareAccess,
    SMB2QueryInfoRequest,
    SMB2QueryInfoResponse,
)

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.smb import failures
from fsrvpd.requestor.smb.records import Space, Trial
from fsrvpd.requestor.smb.session import SMB_ERRORS, SmbSession

MOST_DIRECTORIES = 32
MOST_FILES = 128
TIMEOUT = 60.0  # seconds for all of it
_SIZE_OF_SPACE = 32  # bytes of FileFsFullSizeInformation
_FSCKS_OWN = "lost+found"  # root's alone, on every ext4
_SHARED = ShareAccess.FILE_SHARE_READ | ShareAccess.FILE_SHARE_WRITE | ShareAccess.FILE_SHARE_DELETE
_PATH = {
    **failures.SHARE,
    **dict.fromkeys(
        (NtStatus.STATUS_OBJECT_NAME_NOT_FOUND, NtStatus.STATUS_OBJECT_PATH_NOT_FOUND),
        failures.Meaning("it is not there", "type the path as the server has it", RequestorError),
    ),
}


def try_to_read(session: SmbSession, share: str, path: str = "") -> Trial:
    """Try what is at `path` of a share and below. Raises: AccessRefused if not even `path` can be
    listed, RequestorError if it is not there, Disconnected."""
    session.connection.limit(TIMEOUT)
    what = rf"\\{session.host}\{share}" + (f"\\{path}" if path else "")
    try:
        return _Reader(session.tree(share)).read(path)
    except SMB_ERRORS as error:
        raise failures.failure(what, error, _PATH) from error


class _Reader:
    def __init__(self, tree: Any) -> None:
        self._tree = tree
        # A share of DFS wants whole names.
        self._prefix = tree.share_name[2:] if tree.is_dfs_share else ""
        self._files = 0
        self._refused: List[str] = []

    def read(self, path: str) -> Trial:
        space, found = self._first(path)
        waiting: Deque[str] = deque()
        self._sort(found, waiting)
        directories = 1
        while waiting and directories < MOST_DIRECTORIES and self._files < MOST_FILES:
            name = waiting.popleft()
            directories += 1
            try:
                self._sort(self._entries(name), waiting)
            except SMBResponseException as error:
                self._note(name, error)
        complete = not waiting and self._files < MOST_FILES
        return Trial(directories, self._files, tuple(self._refused), space, complete)

    def _first(self, path: str) -> Tuple[Optional[Space], List[Tuple[str, bool]]]:
        with_space = self._directory(path)
        try:
            return _space(with_space), list(_list(with_space, path))
        finally:
            with_space.close()

    def _entries(self, path: str) -> List[Tuple[str, bool]]:
        opened = self._directory(path)
        try:
            return list(_list(opened, path))
        finally:
            opened.close()

    def _sort(self, entries: List[Tuple[str, bool]], directories: Deque[str]) -> None:
        for path, is_directory in entries:
            if is_directory:
                directories.append(path)
            elif self._files < MOST_FILES:
                self._files += 1
                try:
                    self._open(path, FilePipePrinterAccessMask.FILE_READ_DATA, 0).close()
                except SMBResponseException as error:
                    self._note(path, error)

    def _note(self, path: str, error: SMBResponseException) -> None:
        """Only a refusal counts: a file may be locked, or just have been deleted."""
        if error.status == NtStatus.STATUS_ACCESS_DENIED:
            self._refused.append(path)

    def _directory(self, path: str) -> Open:
        access = DirectoryAccessMask.FILE_LIST_DIRECTORY | DirectoryAccessMask.FILE_READ_ATTRIBUTES
        return self._open(path, access, CreateOptions.FILE_DIRECTORY_FILE)

    def _open(self, path: str, access: int, options: int) -> Open:
        opened = Open(self._tree, "\\".join(part for part in (self._prefix, path) if part))
        opened.create(
            ImpersonationLevel.Impersonation,
            access,
            FileAttributes.FILE_ATTRIBUTE_NORMAL,
            _SHARED,
            CreateDisposition.FILE_OPEN,
            options | CreateOptions.FILE_OPEN_FOR_BACKUP_INTENT,
        )
        return opened


def _list(directory: Open, path: str) -> Iterator[Tuple[str, bool]]:
    """The first names of a directory, with whether each is one; a large one is not read whole."""
    found = directory.query_directory("*", FileInformationClass.FILE_DIRECTORY_INFORMATION)
    for entry in found:
        name = entry["file_name"].get_value().decode("utf-16-le", errors="replace")
        attributes = entry["file_attributes"].get_value()
        is_link = attributes & FileAttributes.FILE_ATTRIBUTE_REPARSE_POINT
        if name in (".", "..") or is_link or name == _FSCKS_OWN:
            continue
        is_directory = bool(attributes & FileAttributes.FILE_ATTRIBUTE_DIRECTORY)
        yield (f"{path}\\{name}" if path else name), is_directory


def _space(directory: Open) -> Optional[Space]:
    request = SMB2QueryInfoRequest()
    request["info_type"] = InfoType.SMB2_0_INFO_FILESYSTEM
    request["file_info_class"] = FileSystemInformationClass.FILE_FS_FULL_SIZE_INFORMATION
    request["output_buffer_length"] = _SIZE_OF_SPACE
    request["file_id"] = directory.file_id
    tree = directory.tree_connect
    connection = tree.session.connection
    sent = connection.send(request, tree.session.session_id, tree.tree_connect_id)
    try:
        answer = connection.receive(sent)
    except SMBResponseException:
        return None
    response = SMB2QueryInfoResponse()
    response.unpack(answer["data"].get_value())
    size = response.parse_buffer(FileFsFullSizeInformation)
    unit = size["sectors_per_unit"].get_value() * size["bytes_per_sector"].get_value()
    total, free = size["total_allocation_units"], size["caller_available_units"]
    return Space(total.get_value() * unit, free.get_value() * unit)
