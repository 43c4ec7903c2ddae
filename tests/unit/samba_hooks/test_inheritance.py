from __future__ import annotations

from typing import Mapping, Optional

import pytest

from fsrvpd.errors import RegistryError
from fsrvpd.protocol.ports import ShadowShare
from samba_hooks.inheritance import NOT_INHERITED_MODULES, parameters_of
from samba_hooks.share_definition import Definition

SHADOW = ShadowShare(
    name="data@{C}",
    base="data",
    path="/vol/.snapshots/x",
    comment="as of now",
    read_only=True,
    shadow_copy_set_id="{S}",
    shadow_copy_id="{C}",
)


def clone(
    own: Mapping[str, str],
    defaults: Optional[Mapping[str, str]] = None,
    *,
    read_only: bool = True,
    name: str = "data",
) -> dict[str, str]:
    base = Definition(name, {"path": "/vol/data", **own}, defaults or {}, from_registry=False)
    parameters = parameters_of(base, SHADOW._replace(read_only=read_only, base=name))
    assert len(dict(parameters)) == len(parameters), "a parameter twice"
    return dict(parameters)


def test_path_and_comment_are_replaced_and_marks_set() -> None:
    assert clone({"comment": "mine", "include": "/x", "copy": "y"}) == {
        "read only": "Yes",
        "path": "/vol/.snapshots/x",
        "comment": "as of now",
        "fsrvp:shadow copy set": "{S}",
        "fsrvp:shadow copy": "{C}",
        "fsrvp:base share": "data",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("valid users", "alice"),
        ("invalid users", "mallory"),
        ("read list", "bob"),
        ("admin users", "carol"),
        ("hosts allow", "10."),
        ("server smb encrypt", "required"),
        ("force user", "daemon"),
        ("veto files", "/secret/"),
        ("available", "No"),
        ("full_audit:prefix", "%u|%I"),
        ("acl_xattr:ignore system acls", "yes"),
    ],
)
def test_what_restricts_is_inherited(name: str, value: str) -> None:
    assert clone({name: value})[name] == value


def test_the_shares_own_name_goes_on_meaning_the_base_share() -> None:
    assert clone({"valid users": "%S, +%S"})["valid users"] == "data, +data"


@pytest.mark.parametrize("module", sorted(NOT_INHERITED_MODULES))
def test_modules_that_make_or_show_snapshots_stay_behind(module: str) -> None:
    parameters = clone({"vfs objects": f"catia {module} streams_xattr"})
    assert parameters["vfs objects"] == "catia streams_xattr"


def test_an_unchanged_list_of_modules_is_left_as_it_was_written() -> None:
    assert clone({"vfs objects": "fruit, streams_xattr"})["vfs objects"] == "fruit, streams_xattr"


def test_modules_of_global_are_filtered_in_the_copy() -> None:
    defaults = {"vfs objects": "acl_xattr shadow_copy2"}
    assert clone({}, defaults)["vfs objects"] == "acl_xattr"
    assert "vfs objects" not in clone({}, {"vfs objects": "acl_xattr"})


def test_instances_and_paths_of_modules_are_recognised() -> None:
    modules = "/opt/vfs/snapper recycle:first acl_tdb"
    assert clone({"vfs objects": modules})["vfs objects"] == "acl_tdb"


def test_options_of_those_modules_and_our_own_stay_behind() -> None:
    own = {"shadow:snapdir": "x", "recycle:keeptree": "yes", "fsrvp:keep": "yes"}
    own["fruit:time machine"] = "yes"
    assert not own.keys() & clone(own).keys()


@pytest.mark.parametrize("where", ["own", "defaults"])
def test_guest_access_is_off_wherever_it_was_on(where: str) -> None:
    on = {"guest ok": "Yes"}
    assert (
        clone(on if where == "own" else {}, on if where == "defaults" else {})["guest ok"] == "No"
    )


def test_who_was_made_the_guest_acts_as_the_guest() -> None:
    parameters = clone({"guest only": "Yes", "guest ok": "Yes"}, {"guest account": "nobody"})
    assert parameters["guest only"] == "No"
    assert parameters["force user"] == "nobody"
    assert clone({"guest only": "Yes", "force user": "ftp"})["force user"] == "ftp"


@pytest.mark.parametrize("script", ["preexec", "root preexec"])
def test_scripts_stay_behind_unless_they_decide_on_access(script: str) -> None:
    assert clone({script: "/bin/x"})[script] == ""
    assert clone({}, {script: "/bin/x"})[script] == ""
    gate = {script: "/bin/x", f"{script} close": "Yes"}
    assert clone(gate)[script] == "/bin/x"


@pytest.mark.parametrize("script", ["postexec", "root postexec", "magic script"])
def test_other_scripts_stay_behind(script: str) -> None:
    assert clone({script: "/bin/x"})[script] == ""


def test_read_only_copies_have_no_writers() -> None:
    parameters = clone({"read only": "No", "write list": "alice"}, {"write list": "bob"})
    assert parameters["read only"] == "Yes"
    assert parameters["write list"] == ""
    assert clone({}, {"write list": "bob"})["write list"] == ""


def test_writable_copies_have_the_writers_of_the_base_share() -> None:
    assert clone({"read only": "No"}, read_only=False)["read only"] == "No"
    parameters = clone({"write list": "alice"}, read_only=False)
    assert parameters["write list"] == "alice"
    assert "read only" not in parameters


def test_copies_of_hidden_shares_are_not_browseable() -> None:
    assert clone({}, name="data$")["browseable"] == "No"
    assert "browseable" not in clone({})


def test_a_path_that_samba_would_expand_is_refused() -> None:
    base = Definition("data", {}, {}, from_registry=False)
    with pytest.raises(RegistryError, match="expand"):
        parameters_of(base, SHADOW._replace(path="/vol/100%U"))
