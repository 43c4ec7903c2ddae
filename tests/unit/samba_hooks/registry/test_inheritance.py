from __future__ import annotations

from typing import Mapping, Optional

import pytest

from fsrvpd.errors import RegistryError
from fsrvpd.protocol.ports import ShadowShare
from samba_hooks.registry.inheritance import ALWAYS_WRITTEN, parameters_of
from samba_hooks.registry.parameters import (
    MODULES,
    NOT_COPIED,
    OPTIONS,
    PARAMETERS,
    REFUSED,
    SWITCHED_OFF,
)
from samba_hooks.registry.share_definition import SEALED_ADMINS, Defaults, Definition

SHADOW = ShadowShare(
    name="data@{C}",
    base="data",
    directory="/vol/data",
    path="/vol/.snapshots/x",
    comment="as of now",
    read_only=True,
    shadow_copy_set_id="{S}",
    shadow_copy_id="{C}",
)


def clone(
    section: Mapping[str, str],
    defaults: Optional[Mapping[str, str]] = None,
    *,
    read_only: bool = True,
    name: str = "data",
) -> dict[str, str]:
    base = Definition(
        name, {"path": "/vol/data", **section}, Defaults(defaults or {}), from_registry=False
    )
    parameters = parameters_of(base, SHADOW._replace(read_only=read_only, base=name))
    assert len(dict(parameters)) == len(parameters), "a parameter twice"
    return dict(parameters)


def test_path_and_comment_are_replaced_and_marks_set() -> None:
    assert clone({"comment": "mine", "include": "/x", "copy": "y"}) == {
        "read only": "Yes",
        "guest ok": "No",
        "wide links": "No",
        "path": "/vol/.snapshots/x",
        "comment": "as of now",
        "fsrvp:shadow copy set": "{S}",
        "fsrvp:shadow copy": "{C}",
        "fsrvp:base share": "data",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("valid users", "@staff"),
        ("of a later Samba", "whatever"),
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
    assert clone({"valid users": "%S +%S"})["valid users"] == "data +data"
    assert clone({"veto files": "/%S/%U/"})["veto files"] == "/data/%U/"


def test_a_name_with_blanks_stays_one_user() -> None:
    assert clone({"valid users": "%S root"}, name="two words")["valid users"] == '"two words" root'
    assert clone({"valid users": "+%S"}, name="a,b")["valid users"] == '"+a,b"'


def test_a_comma_inside_an_item_separates_nothing() -> None:
    """Samba prints an item that was quoted for its comma without quotes."""
    assert clone({"valid users": 'alice,bob "c d"'})["valid users"] == '"alice,bob" "c d"'


def test_defaults_that_name_the_share_mean_the_base_share() -> None:
    defaults = {"invalid users": "%S", "veto files": "/x/", "log file": "%S"}
    assert clone({}, defaults)["invalid users"] == "data"
    assert not {"veto files", "log file"} & clone({}, defaults).keys()
    assert clone({"invalid users": "bob"}, defaults)["invalid users"] == "bob"


def test_a_gate_gets_the_path_that_it_knows() -> None:
    gate = {"root preexec": "/bin/may %u %S %P", "root preexec close": "Yes"}
    assert clone(gate)["root preexec"] == "/bin/may %u data /vol/data"


def test_a_gate_of_global_that_the_share_switches_off_stays_off() -> None:
    gate = {"root preexec": "/bin/may", "root preexec close": "Yes"}
    assert clone({"root preexec": ""}, gate)["root preexec"] == ""


@pytest.mark.parametrize(
    "module", [name for name, each in MODULES.items() if each.kind == NOT_COPIED]
)
def test_modules_that_make_or_show_snapshots_stay_behind(module: str) -> None:
    parameters = clone({"vfs objects": f"catia {module} streams_xattr"})
    assert parameters["vfs objects"] == "catia streams_xattr"


def test_modules_of_global_are_filtered_in_the_copy() -> None:
    defaults = {"vfs objects": "acl_xattr shadow_copy2"}
    assert clone({}, defaults)["vfs objects"] == "acl_xattr"
    assert "vfs objects" not in clone({}, {"vfs objects": "acl_xattr"})


def test_instances_and_paths_of_modules_are_recognised() -> None:
    modules = "/opt/vfs/snapper.so recycle:first acl_xattr"
    assert clone({"vfs objects": modules})["vfs objects"] == "acl_xattr"


def test_options_of_those_modules_and_our_own_stay_behind() -> None:
    section = {"shadow:snapdir": "x", "recycle:keeptree": "yes", "fsrvp:keep": "yes"}
    section["fruit:time machine max size"] = "9G"
    assert not section.keys() & clone(section).keys()


OFF = {
    name: each.value
    for name, each in {**PARAMETERS, **OPTIONS}.items()
    if each.kind == SWITCHED_OFF
}


@pytest.mark.parametrize("name", OFF)
def test_what_is_switched_off_is_off_wherever_it_was_on(name: str) -> None:
    assert clone({name: "Yes"})[name] == OFF[name]
    assert clone({}, {name: "Yes"})[name] == OFF[name]
    assert (name in clone({})) == (name in ALWAYS_WRITTEN)


@pytest.mark.parametrize(
    "name", [name for name, each in PARAMETERS.items() if each.kind == NOT_COPIED]
)
def test_what_has_no_effect_in_a_copy_is_not_copied(name: str) -> None:
    assert name not in clone({name: "x"})


@pytest.mark.parametrize(
    "section",
    [
        *({name: "Yes"} for name, each in PARAMETERS.items() if each.kind == REFUSED),
        *({"vfs objects": name} for name, each in MODULES.items() if each.kind == REFUSED),
    ],
    ids=str,
)
def test_what_is_refused_after_all_is_not_exposed(section: Mapping[str, str]) -> None:
    with pytest.raises(RegistryError, match="share data can have no shadow copy: it"):
        clone(section)


def test_a_share_that_leads_elsewhere_by_now_is_not_exposed() -> None:
    with pytest.raises(RegistryError, match="now leads to /vol/other, but"):
        clone({"path": "/vol/other"})


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


def test_backup_users_are_admin_users_once_nobody_can_write() -> None:
    option = {"fsrvp:backup users": 'ada "+two words"'}
    assert clone(option)["admin users"] == 'ada "+two words"'
    assert clone({}, option)["admin users"] == 'ada "+two words"'
    joined = clone({**option, "admin users": "root"}, read_only=False)
    assert (joined["admin users"], joined[SEALED_ADMINS]) == ("root", 'root ada "+two words"')
    assert clone(option, {"admin users": "root"})["admin users"] == 'root ada "+two words"'
    assert "admin users" not in clone(option, {"admin users": "root"}, read_only=False)


@pytest.mark.parametrize("name", ["my share", "my,share"])
def test_admin_users_named_like_the_share_are_one_user_once_sealed(name: str) -> None:
    section = {"admin users": "%S", "fsrvp:backup users": "backup"}
    sealed = clone(section, name=name)["admin users"]
    assert clone(section, name=name, read_only=False)[SEALED_ADMINS] == sealed
    assert sealed == f'"{name}" backup'


def test_backup_users_that_could_be_anybody_are_nobody() -> None:
    assert "admin users" not in clone({"fsrvp:backup users": "%U"})


def test_clients_do_not_keep_files_of_a_copy() -> None:
    assert clone({"csc policy": "documents"})["csc policy"] == "disable"
    assert clone({}, {"csc policy": "programs"})["csc policy"] == "disable"
    assert "csc policy" not in clone({}, {"csc policy": "manual"})


def test_copies_of_hidden_shares_are_not_browseable() -> None:
    assert clone({}, name="data$")["browseable"] == "No"
    assert "browseable" not in clone({})


def test_a_path_that_samba_would_expand_is_refused() -> None:
    base = Definition("data", {}, Defaults(), from_registry=False)
    with pytest.raises(RegistryError, match="expand"):
        parameters_of(base, SHADOW._replace(path="/vol/100%U"))
