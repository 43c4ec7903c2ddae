from __future__ import annotations

import pytest

from samba_hooks.registry.share_definition import Defaults, Definition, is_share_name


def test_own_values_stand_before_defaults() -> None:
    defaults = {"read only": "Yes", "vfs objects": "acl_xattr", "fsrvp:provider": "btrfs"}
    section = {"path": "/x", "read only": "No", "fsrvp:keep": "yes"}
    share = Definition("Data", section, Defaults(defaults), from_registry=True).share()
    assert not share.read_only
    assert share.vfs_objects == ("acl_xattr",)
    assert share.options == {"provider": "btrfs", "keep": "yes"}
    assert share.from_registry


def test_a_mark_in_global_makes_no_shadow_copy() -> None:
    share = Definition("x", {}, Defaults({"fsrvp:shadow copy": "{C}"}), from_registry=False).share()
    assert share.shadow_copy_id is None


@pytest.mark.parametrize(
    ("name", "section", "reason"),
    [
        ("x", {"printable": "Yes"}, "it is a printer"),
        ("x", {"msdfs root": "Yes"}, "it is a DFS root"),
        ("x", {"vfs objects": "acl_xattr xattr_tdb"}, "its vfs object xattr_tdb: it keeps perm"),
        ("x", {"root directory": "/jail"}, "smb.conf sets `root directory`"),
        ("50%U", {}, "its name contains a %"),
        ("x", {"vfs objects": "acl_xattr recycle"}, ""),
    ],
)
def test_what_is_refused(name: str, section: dict[str, str], reason: str) -> None:
    for definition in (
        Definition(name, section, Defaults(), from_registry=False),
        Definition(name, {}, Defaults(section), from_registry=False),
    ):
        assert definition.share().refusal.startswith(reason)
        assert bool(definition.refusal()) == bool(reason)


LATIN = "/srv/Gr\udcf6\udcdfe"  # as the bytes of ISO 8859-1 are read


@pytest.mark.parametrize(
    ("section", "charset", "refused"),
    [
        ({"path": "/srv/Größe"}, "UTF-8", ""),
        ({"path": LATIN}, "UTF-8", "path"),
        ({"path": LATIN}, "", "path"),
        ({"path": LATIN}, "ISO8859-1", ""),
        ({"path": LATIN}, "NO-SUCH", ""),
        ({"path": "/srv", "comment": LATIN}, "UTF-8", ""),
        ({"path": "/srv", "veto files": LATIN}, "UTF-8", "veto files"),
    ],
)
def test_what_sambas_registry_cannot_hold(
    section: dict[str, str], charset: str, refused: str
) -> None:
    definition = Definition("x", section, Defaults({"unix charset": charset}), from_registry=False)
    assert definition.refusal().startswith(f"its `{refused}` is not in") == bool(refused)


@pytest.mark.parametrize(
    ("section", "from_registry", "mistake"),
    [
        ({"path": "/x"}, False, ""),
        ({"path": "/x", "fsrvp:keep": "maybe"}, False, "want yes or no; correct it in [my data]"),
        ({"path": "/x", "fsrvp:depth": "1"}, False, ""),
        ({}, False, "smbd does not serve it; write `path = DIRECTORY` into [my data]"),
        ({"path": '""'}, True, "type `net conf setparm 'my data' path DIRECTORY`"),
        ({"printable": "Yes"}, False, ""),
    ],
)
def test_mistakes(section: dict[str, str], from_registry: bool, mistake: str) -> None:
    share = Definition("my data", section, Defaults(), from_registry).share()
    assert share.mistake.endswith(mistake)
    assert bool(share.mistake) == bool(mistake)


def test_a_mistake_in_global() -> None:
    defaults = Defaults({"fsrvp:depth": "deep"})
    share = Definition("data", {"path": "/x"}, defaults, False).share()
    assert share.mistake == (
        "smb.conf: fsrvp:depth = deep: want a whole number, zero or more; correct it in [global]"
    )
    assert (
        not Definition("data", {"path": "/x", "fsrvp:depth": "1"}, defaults, False).share().mistake
    )
    assert not Definition("homes", {}, Defaults(), False).share().mistake


def test_a_path_is_read_as_by_smbd() -> None:
    assert (
        Definition("Data", {"path": '"/srv/%S "'}, Defaults(), False).share().path == "/srv/Data "
    )


def test_what_depends_on_the_client_is_refused() -> None:
    assert Definition("x", {}, Defaults(), False, "another one for each").share().refusal


@pytest.mark.parametrize("name", ["data", "data$", "Größe & Höhe", "a@{B}", "homes", "50%"])
def test_names_of_shares(name: str) -> None:
    assert is_share_name(name)


@pytest.mark.parametrize(
    "name", ["", "  ", "global", "GLOBALS", "glo bal", "a\\b", "a/b", "a\0b", "a\nb", "[a]"]
)
def test_what_is_no_name_of_a_share(name: str) -> None:
    assert not is_share_name(name)
