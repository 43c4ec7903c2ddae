from __future__ import annotations

from pathlib import Path

import pytest

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.mount import places
from fsrvpd.requestor.ports import ShareRoot


def root(host: str, share: str) -> ShareRoot:
    unc = f"\\\\{host}\\{share}"
    return ShareRoot(unc, unc, host, share, "")


def test_root_has_a_directory_of_its_own() -> None:
    assert places.mount_directory({"XDG_RUNTIME_DIR": "/x"}, 0) == Path("/run/fsrvpshadow/mnt")


def test_others_have_one_in_their_runtime_directory(tmp_path: Path) -> None:
    found = places.mount_directory({"XDG_RUNTIME_DIR": str(tmp_path)}, 1234567)
    assert found == tmp_path / "fsrvpshadow" / "mnt"
    with pytest.raises(RequestorError, match="XDG_RUNTIME_DIR"):
        places.mount_directory({}, 1234567)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("data", "data"),
        ("Jürgen's files$", "Jürgen's files$"),
        ("..", "%2E."),
        (".hidden", "%2Ehidden"),
        ("a/b", "a%2Fb"),
        ("50%", "50%25"),
        ("line\nend", "line%0Aend"),
        ("\ud800", "%ED%A0%80"),
    ],
)
def test_a_name_is_one_component(name: str, made: str) -> None:
    assert places.component(name) == made


@pytest.mark.parametrize("name", ["", "x" * 256, "ü" * 128])
def test_a_name_that_cannot_be_one_is_refused(name: str) -> None:
    with pytest.raises(RequestorError):
        places.component(name)


def test_a_mount_point_is_named_for_the_share() -> None:
    found = places.points(Path("/m"), "nightly", [root("nas", "data"), root("fs2", "home")])
    assert found == [Path("/m/nightly/data"), Path("/m/nightly/home")]


def test_shares_of_one_name_are_named_with_their_servers() -> None:
    roots = [root("nas", "data"), root("fs2", "DATA"), root("nas", "home")]
    found = places.points(Path("/m"), "nightly", roots)
    assert [point.name for point in found] == ["nas_data", "fs2_DATA", "home"]
    roots = [root("a", "b_c"), root("x", "B_C"), root("a_b", "c"), root("y", "c")]
    with pytest.raises(RequestorError, match="the same name"):
        places.points(Path("/m"), "nightly", roots)


def test_mount_points_are_made_for_nobody_else_and_removed(tmp_path: Path) -> None:
    above = tmp_path / "run" / "mnt"
    point = above / "job" / "share"
    places.make(point, above)
    places.make(point, above)
    assert [path.stat().st_mode & 0o777 for path in (above.parent, point.parent, point)] == [
        0o700
    ] * 3
    places.remove(point)
    assert list(above.iterdir()) == []


def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    above = tmp_path / "run" / "mnt"
    above.mkdir(parents=True)
    above.chmod(0o777)
    with pytest.raises(RequestorError, match="only you may write"):
        places.make(above / "job" / "share", above)
    above.rmdir()
    above.symlink_to(tmp_path)
    with pytest.raises(RequestorError, match="only you may write"):
        places.make(above / "job" / "share", above)


def test_a_link_in_the_runtime_directory_is_resolved(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "run")
    found = places.mount_directory({"XDG_RUNTIME_DIR": f"{tmp_path}/link/"}, 1000)
    assert found == tmp_path.resolve() / "run" / "fsrvpshadow" / "mnt"
