from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.providers.os_errors import as_storage_error


def test_an_os_error_names_object_action_cause_and_file(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(StorageError) as caught, as_storage_error("open the directory", "/srv"):
        os.open(missing, os.O_RDONLY)
    assert str(caught.value) == (
        f"/srv: cannot open the directory: No such file or directory ({missing})"
    )
    assert caught.value.error_number == errno.ENOENT


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "btrfs filesystem usage"),
        (errno.EDQUOT, "raise the quota"),
        (errno.EROFS, "dmesg"),
        (errno.EIO, "dmesg"),
        (errno.ESHUTDOWN, "evicted this client: .* mount it anew"),
        (errno.ENOTCONN, "mount it anew"),
        (errno.ESTALE, "mount it anew"),
    ],
)
def test_an_os_error_with_a_plain_cause_gives_advice(number: int, advice: str) -> None:
    with pytest.raises(StorageError, match=advice) as caught, as_storage_error("write", "/srv"):
        raise OSError(number, os.strerror(number))
    assert caught.value.error_number == number


def test_an_os_error_of_a_descriptor_names_no_file() -> None:
    with pytest.raises(StorageError) as caught, as_storage_error("list", "/srv"):
        raise OSError(errno.EBADF, os.strerror(errno.EBADF), 7)
    assert str(caught.value) == "/srv: cannot list: Bad file descriptor"


def test_an_os_error_of_a_symbolic_link_names_the_link(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught, as_storage_error("record", "/srv"):
        os.symlink("a record", tmp_path / "none/link")
    assert str(caught.value).endswith(f": No such file or directory ({tmp_path}/none/link)")


def test_other_errors_pass() -> None:
    with pytest.raises(NotOurs, match=r"^/srv/x: why$"), as_storage_error("list", "/srv"):
        raise NotOurs("/srv/x", "why")
    with pytest.raises(ValueError, match=r"^other$"), as_storage_error("list", "/srv"):
        raise ValueError("other")
