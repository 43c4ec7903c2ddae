"""A share whose definition depends on who connects has no copy; nor has one that was changed after
its snapshot was taken, unless the copy is as closed as the share is now."""

from __future__ import annotations

import json
from typing import Iterator, Mapping, NamedTuple

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from lab import Share, User
from tests.interop.nas import Nas, make_directory
from tests.interop.raw_agent import SOME_GUID, TIMEOUT, RawAgent, result_of, wide

SHUT = "valid users = root\n"


@pytest.fixture(scope="module")
def joe(nas: Nas) -> User:
    return nas.samba.add_user("joe")


@pytest.fixture
def agent(nas: Nas) -> Iterator[RawAgent]:
    with RawAgent(nas) as opened:
        yield opened


def share(nas: Nas, name: str, options: Mapping[str, str]) -> None:
    """Set a share with a file, and tell smbd."""
    path = make_directory(nas.lab, nas.volumes["projects"] / name)
    nas.lab.run(["sh", "-c", 'echo text > "$1/file"', "sh", path])
    nas.samba.set_share(Share(name, path, options))
    nas.samba.reload()


def refusal(nas: Nas, agent: RawAgent, name: str) -> str:
    """The reason why the share is refused, as the log and check-path give it; "" if it is not."""
    unc = wide(agent.unc(name))
    result = agent.result(Opnum.IsPathSupported, unc)
    set_id = agent.start()
    assert result_of(agent.call(Opnum.AddToShadowCopySet, SOME_GUID + set_id + unc)) == result
    agent.must(Opnum.AbortShadowCopySet, set_id)
    answer = json.loads(nas.daemon.ctl("check-path", name, "--json", check=False).stdout)
    assert answer["supported"] == (result == HResult.ZERO)
    if answer["supported"]:
        return ""
    assert result == HResult.FSRVP_E_NOT_SUPPORTED
    assert answer["reason"] in nas.daemon.read_log()
    return str(answer["reason"])


def may_read(nas: Nas, name: str, user: User) -> bool:
    done = nas.samba.smbclient(name, "get file /dev/null", user=user, check=False)
    return "NT_STATUS_" not in done.stdout + done.stderr


def test_a_file_for_each_user(nas: Nas, agent: RawAgent, joe: User) -> None:
    """Of the share itself, and of what a section copies; other shares are not concerned."""
    files = nas.lab.directory
    include = f"{files}/inc-%U.conf"
    (files / "inc-joe.conf").write_text(SHUT)
    share(nas, "fin", {"include": include})
    share(nas, "copied", {"copy": "fin"})
    share(nas, "beside", {})
    assert not may_read(nas, "fin", joe)
    for name in ("fin", "copied"):
        assert f"`include = {include}`" in refusal(nas, agent, name)
    assert refusal(nas, agent, "beside") == ""
    checked = nas.daemon.command("check-config").stdout
    why = refusal(nas, agent, "fin")
    assert f"shares fin and copied can have no shadow copies: {why}" in checked
    (files / "inc-joe.conf").write_text(f"[beside]\n{SHUT}")
    assert "inc-%U.conf" in refusal(nas, agent, "beside")
    (files / "inc-joe.conf").unlink()


class Case(NamedTuple):
    """A line of [global], and what is in a file of joe's own."""

    option: str
    value: str
    text: str
    refused: bool


CASES = {
    "his own users": Case("include", "{}/%U-own.conf", SHUT, True),
    "his own section": Case("include", "{}/%U-own.conf", f"[open]\n{SHUT}", True),
    "only his own log": Case("include", "{}/%U-own.conf", "log level = 2\n", False),
    "another smb.conf": Case("config file", "{}/%U-own.conf", SHUT, True),
    "by a file for all": Case("include", "{}/for-all.conf", SHUT, True),
    "at a certain time": Case("include", "{}/%T-own.conf", "", True),
    "by the machine's name": Case("include", "{}/%h-none.conf", SHUT, False),
    "a relative name": Case("include", "own.conf", "", True),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_file_of_global(nas: Nas, agent: RawAgent, case: Case) -> None:
    files = nas.lab.directory / "global"
    nas.lab.run(["mkdir", "-p", files])
    (files / "for-all.conf").write_text(f"include = {files}/%U-own.conf\n")
    (files / "joe-own.conf").write_text(case.text)
    share(nas, "open", {})
    assert refusal(nas, agent, "open") == ""
    nas.samba.set_option(case.option, case.value.format(files))
    reason = refusal(nas, agent, "open")
    nas.samba.set_option(case.option, None)
    assert bool(reason) == case.refused
    assert (case.option in reason) == case.refused


def test_a_share_in_the_registry(nas: Nas, agent: RawAgent, joe: User) -> None:
    path = make_directory(nas.lab, nas.volumes["projects"] / "reg")
    nas.samba.net("conf", "addshare", "reg", str(path))
    assert refusal(nas, agent, "reg") == ""
    nas.samba.net("conf", "setincludes", "reg", f"{nas.lab.directory}/reg-%U.conf")
    assert "[reg] in Samba's registry" in refusal(nas, agent, "reg")
    nas.samba.net("conf", "delshare", "reg")


def test_an_include_that_the_registry_adds_to_a_share_in_a_file(nas: Nas, agent: RawAgent) -> None:
    share(nas, "both", {})
    nas.samba.net("conf", "addshare", "both", str(nas.volumes["projects"] / "both"))
    assert refusal(nas, agent, "both") == ""
    nas.samba.net("conf", "setincludes", "both", f"{nas.lab.directory}/both-%U.conf")
    assert "[both] in Samba's registry" in refusal(nas, agent, "both")
    nas.samba.net("conf", "delshare", "both")


def test_a_users_share_that_auto_services_makes(nas: Nas, agent: RawAgent, joe: User) -> None:
    include = f"{nas.lab.directory}/homes-%U.conf"
    nas.samba.set_share(Share("homes", nas.volumes["projects"], {"include": include}))
    nas.samba.set_option("auto services", "joe")
    reason = json.loads(nas.daemon.ctl("check-path", "joe", "--json", check=False).stdout)["reason"]
    nas.samba.set_option("auto services", None)
    assert f"`include = {include}`" in reason


@pytest.mark.parametrize("where", ["file", "registry"])
def test_the_definition_at_expose_counts(nas: Nas, agent: RawAgent, joe: User, where: str) -> None:
    """`valid users` is set after the snapshot was taken."""
    name = f"tightened-{where}"
    path = make_directory(nas.lab, nas.volumes["projects"] / name)
    nas.lab.run(["sh", "-c", 'echo text > "$1/file"', "sh", path])
    if where == "file":
        share(nas, name, {})
    else:
        nas.samba.net("conf", "addshare", name, str(path))
    set_id = agent.start()
    copy_id = agent.add(set_id, name)
    agent.advance(Opnum.PrepareShadowCopySet, set_id)
    agent.advance(Opnum.CommitShadowCopySet, set_id)
    assert may_read(nas, name, joe)
    if where == "file":
        share(nas, name, {"valid users": "root"})
    else:
        nas.samba.net("conf", "setparm", name, "valid users", "root")
    agent.advance(Opnum.ExposeShadowCopySet, set_id)
    copy = agent.mapping(set_id, copy_id, name).share
    assert not may_read(nas, copy, joe)
    assert may_read(nas, copy, nas.samba.root)
    agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    agent.delete(set_id, copy_id, name)
    nas.assert_nothing_is_left()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"include": "/etc/%U.conf"}, "may be another one for each client"),
        ({"msdfs root": "yes"}, "it is a DFS root"),
        ({"path": "/srv"}, "now leads to /srv"),
    ],
    ids=["per client", "refused by now", "leads elsewhere"],
)
def test_what_may_not_be_exposed_by_now(
    nas: Nas, agent: RawAgent, change: Mapping[str, str], reason: str
) -> None:
    """The share changes after its snapshot was taken, to one whose users are others."""
    share(nas, "changing", {})
    set_id = agent.start()
    agent.add(set_id, "changing")
    agent.advance(Opnum.PrepareShadowCopySet, set_id)
    agent.advance(Opnum.CommitShadowCopySet, set_id)
    share(nas, "changing", change)
    expose = set_id + TIMEOUT.to_bytes(4, "little")
    assert agent.result(Opnum.ExposeShadowCopySet, expose) != HResult.ZERO
    assert reason in nas.daemon.tail()
    assert nas.shadow_shares() == []
    agent.result(Opnum.AbortShadowCopySet, set_id)
    nas.assert_nothing_is_left()
