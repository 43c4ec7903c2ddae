"""`.fsrvpd` where providers keep their marks in it: nobody else's, and closed to users."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fsrvpd.errors import StorageError
from tests.contract.providers.bed import Bed
from tests.contract.providers.conftest import HOMES, chosen
from tests.contract.providers.private_mounts import run


@pytest.fixture(params=chosen(HOMES))
def bed(request: pytest.FixtureRequest) -> Bed:
    made: Bed = request.getfixturevalue(f"{request.param}_bed")
    return made


def test_users_pass_through_but_do_not_list(bed: Bed) -> None:
    bed.take()
    home = bed.volume / ".fsrvpd"
    assert home.stat().st_mode & 0o777 == 0o711
    assert (home / ".marks").stat().st_mode & 0o777 == 0o700


def test_previous_versions_can_be_listed_by_users(bed: Bed) -> None:
    bed.take()
    request = bed.request(options={"previous versions": "Yes"})
    snapshot = bed.take(request)
    where = bed.provider.previous_versions(request.place)
    assert Path(snapshot.root).parent == Path(where.snapdir)
    assert os.stat(where.snapdir).st_mode & 0o777 == 0o755
    bed.take()
    assert os.stat(where.snapdir).st_mode & 0o777 == 0o755


def test_a_home_that_users_could_have_made_is_refused(bed: Bed) -> None:
    (bed.volume / ".fsrvpd").mkdir()
    os.chown(bed.volume / ".fsrvpd", 1000, 1000)
    with pytest.raises(StorageError, match="move it out of the way"):
        bed.take()


def test_a_link_in_place_of_the_home_is_refused(bed: Bed) -> None:
    (bed.volume / "target").mkdir()
    (bed.volume / ".fsrvpd").symlink_to("target")
    with pytest.raises(StorageError, match="no directory"):
        bed.take()
    assert not list((bed.volume / "target").iterdir())


def test_acls_that_the_home_would_inherit_are_dropped(bed: Bed) -> None:
    run("setfacl", "-d", "-m", "u:1002:rwx", bed.volume)
    bed.take()
    assert not [name for name in os.listxattr(bed.volume / ".fsrvpd") if "posix_acl" in name]


def test_a_failed_one_leaves_nothing(bed: Bed) -> None:
    request = bed.request()
    planned = bed.provider.plan(request)
    taken = bed.request(created=request.created)
    other = planned._replace(
        root=planned.root.replace(request.shadow_copy_id, taken.shadow_copy_id)
    )
    bed.provider.create(taken, other)
    with pytest.raises(StorageError) as caught:
        bed.provider.create(request, planned)
    assert caught.value.error_number == errno.EEXIST
    assert [found.snapshot.root for found in bed.found()] == [other.root]
    assert os.path.isdir(other.root)
