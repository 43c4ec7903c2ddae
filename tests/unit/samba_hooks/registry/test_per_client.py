from __future__ import annotations

from pathlib import Path
from typing import Mapping, Optional, Sequence

import pytest

from samba_hooks.registry import per_client
from samba_hooks.registry.config_version import stamp
from samba_hooks.registry.per_client import PerClient


def read(
    directory: Path, text: str, registry: Optional[Mapping[str, Sequence[str]]] = None
) -> PerClient:
    smb_conf = directory / "smb.conf"
    smb_conf.write_text(text.replace("{}", str(directory)))
    includes = registry or {}
    return per_client.read(
        str(smb_conf),
        lambda section: [
            value.replace("{}", str(directory)) for value in includes.get(section, ())
        ],
        lambda value: value.replace("%h", "nas"),
    )


def test_nothing_depends_on_the_client(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("include = {}/b.conf\n".replace("{}", str(tmp_path)))
    (tmp_path / "nas.conf").write_text("[x]\n")
    found = read(tmp_path, "include={}/a.conf\ninclude = {}/%h.conf\n[s]\ninclude = {}/%S.conf")
    names = ("smb.conf", "a.conf", "b.conf", "nas.conf", "%S.conf")
    files = tuple(stamp(str(tmp_path / name)) for name in names)
    assert found == PerClient(files, "", {"x": "", "s": ""})


@pytest.mark.parametrize("macro", "UGDIJijLNMRTtadmV$")
def test_every_macro_of_a_client_is_known(tmp_path: Path, macro: str) -> None:
    found = read(tmp_path, f"[global]\n[fin]\ninclude = {{}}/inc-%{macro}.conf\n[pub]\n")
    assert f"{tmp_path}/smb.conf, line 3: `include = {tmp_path}/inc-%{macro}.conf`" in found.reason(
        "Fin"
    )
    assert bool(found.reason("pub")) == (macro in "T$"), "where its files are is not known"


def test_a_clients_own_file_in_global_concerns_all_shares(tmp_path: Path) -> None:
    text = "[global]\n include = {}/%m.conf\n[fin]\n"
    assert not read(tmp_path, text).everywhere
    (tmp_path / "pc.conf").write_text("[global]\nlog level = 9\nmax log size = 0\n")
    assert not read(tmp_path, text).everywhere
    for harm in ("valid users = x", "[fin]", "include = /x", "guest account = root", "a:b = c"):
        (tmp_path / "pc.conf").write_text(f"log level = 9\n{harm}\n")
        assert "line 2" in read(tmp_path, text).reason("fin"), harm


def test_another_section_in_a_shares_own_file_concerns_all_shares(tmp_path: Path) -> None:
    text = "[fin]\ninclude = {}/%m.conf\n[pub]\n"
    (tmp_path / "pc.conf").write_text("valid users = x\n")
    assert not read(tmp_path, text).reason("pub")
    (tmp_path / "pc.conf").write_text("valid users = x\n[pub]\nvalid users = x\n")
    assert read(tmp_path, text).reason("pub")


def test_a_file_and_a_directory_that_appear_later_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "pc.conf").write_text("log level = 9\n")
    found = read(tmp_path, "include = {}/%m.conf\n[fin]\ninclude = {}/none/%m.conf\n")
    names = ("smb.conf", "", "pc.conf", "none")
    assert [each.path for each in found.files] == [str(tmp_path / name) for name in names]


@pytest.mark.parametrize("value", ["inc.conf", "inc-%U.conf", '"{}/inc.conf"', "{}/%m/inc.conf"])
def test_where_the_files_are_may_not_be_known(tmp_path: Path, value: str) -> None:
    assert read(tmp_path, f"[fin]\ninclude = {value}\n").everywhere


def test_sections_go_on_behind_an_include(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("[fin]\n")
    found = read(tmp_path, "[global]\ninclude={}/a.conf\ninclude = {}/%U.conf\n[b]\n")
    assert [name for name in ("fin", "b") if found.reason(name)] == ["fin"]
    found = read(tmp_path, "[x]\ninclude={}/a.conf\n[y]\ninclude={}/a.conf\ninclude={}/%U.conf\n")
    assert [name for name in ("x", "y", "fin") if found.reason(name)] == ["fin"]


def test_what_is_copied_is_followed(tmp_path: Path) -> None:
    text = "[C]\ncopy = b\n[b]\ncopy = My Template\n[my template]\ninclude = {}/%U.conf\n[d]\n"
    found = read(tmp_path, text)
    assert [name for name in ("my template", "b", "c", "d") if not found.reason(name)] == ["d"]


def test_shares_of_users_depend_on_what_homes_depends_on(tmp_path: Path) -> None:
    found = read(tmp_path, "[global]\nauto services = joe\n[homes]\ninclude = {}/%U.conf\n[d]\n")
    assert found.reason("joe")
    assert not found.reason("d")


def test_includes_of_the_registry_are_followed(tmp_path: Path) -> None:
    registry = {"global": ["{}/a.conf"], "reg": ["{}/%U.conf"]}
    (tmp_path / "a.conf").write_text("[fin]\ninclude = /%I.conf\n")
    for text in ("include = registry\n", "config backend = registry\n"):
        assert "line 2" in read(tmp_path, text, registry).reason("fin")
    assert not read(tmp_path, "[x]\ninclude = Registry\n", registry).reason("x")
    share = per_client.of_registry_share("Reg", lambda section: registry["reg"], None)
    assert "[Reg] in Samba's registry" in share.reason("reg")


def test_a_file_that_includes_itself_ends(tmp_path: Path) -> None:
    assert len(read(tmp_path, "include = {}/smb.conf\n[a]\ninclude = {}/smb.conf\n").files) == 1


def test_without_a_way_to_expand_them_macros_of_the_server_count_as_the_clients() -> None:
    found = per_client.of_registry_share("fin", lambda section: ["/%h.conf"], None)
    assert found.reason("fin")


def test_config_file_may_be_another_one_for_each_client(tmp_path: Path) -> None:
    assert per_client.of_config_file("/etc/%m.conf")
    assert not per_client.of_config_file("/etc/%h.conf")
    found = per_client.read(f"{tmp_path}/%m.conf", lambda section: [], lambda value: value)
    assert not found.everywhere
    (tmp_path / "pc.conf").write_text("[fin]\n")
    found = per_client.read(f"{tmp_path}/%m.conf", lambda section: [], lambda value: value)
    assert found.everywhere
