"""Shares that cannot have a shadow copy: the client's result, and the reason for admins."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator, Mapping, NamedTuple

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult, describe
from lab import Share
from tests.interop.nas import TORTURE_SHARE, Nas, make_directory
from tests.interop.raw_agent import SOME_GUID, RawAgent, result_of, wide

LATIN = os.fsdecode("Größe".encode("latin-1"))
SUFFIX = len("@{00000000-0000-0000-0000-000000000000}")
LONGEST = "n" * (80 - SUFFIX)
NOT_FOUND, NOT_SUPPORTED = HResult.FSRVP_E_OBJECT_NOT_FOUND, HResult.FSRVP_E_NOT_SUPPORTED


class Refused(NamedTuple):
    """`path` is relative to the volume `data`, absolute, or empty if the share needs none."""

    share: str
    result: HResult
    reason: str
    path: str = "plainly"
    options: Mapping[str, str] = {}


REFUSED = [
    Refused("missing", NOT_FOUND, "there is no share 'missing'", ""),
    Refused("IPC$", NOT_FOUND, "there is no share 'IPC$'", ""),
    Refused("global", NOT_FOUND, "there is no share 'global'", ""),
    Refused("homes", NOT_SUPPORTED, "no directory of its own", "%S", {"browseable": "no"}),
    Refused("somebody", NOT_FOUND, "there is no share 'somebody'", ""),  # through [homes]
    Refused("printers", NOT_SUPPORTED, "no directory of its own", "spool", {"printable": "yes"}),
    Refused("laser", NOT_SUPPORTED, "it is a printer", "spool", {"printable": "yes"}),
    Refused("by-user", NOT_SUPPORTED, "depends on the user", "users/%U"),
    Refused("by-machine", NOT_SUPPORTED, "depends on the user", "machines/%m"),
    Refused("dfs", NOT_SUPPORTED, "DFS root", "dfs", {"msdfs root": "yes"}),
    Refused(
        "depot", NOT_SUPPORTED, "use streams_xattr", "plainly", {"vfs objects": "streams_depot"}
    ),
    Refused("50%", NOT_SUPPORTED, "its name contains a %"),
    Refused("latin", NOT_SUPPORTED, "its `path` is not in Samba's `unix charset` (UTF-8)", LATIN),
    Refused(
        *("latin-users", NOT_SUPPORTED, "its `valid users` is not in Samba's `unix charset`"),
        options={"valid users": f"root {LATIN}"},
    ),
    Refused("closed", NOT_FOUND, "available = no", "plainly", {"available": "no"}),
    Refused("off", NOT_SUPPORTED, "fsrvp:enabled = no", "plainly", {"fsrvp:enabled": "no"}),
    Refused(LONGEST + "n", NOT_SUPPORTED, "exceeds 80 characters"),
    Refused(LONGEST[1:] + "n$", NOT_SUPPORTED, "exceeds 80 characters"),
    Refused("nowhere", NOT_FOUND, "cannot be reached: No such file or directory", "no-such"),
    Refused("a-file", NOT_FOUND, "is not a directory", "a-file"),
    Refused("ext4", NOT_SUPPORTED, "is not on btrfs but on ext4", "{plain}/ext4"),
    Refused("pseudo", NOT_SUPPORTED, "is not on btrfs but on proc", "/proc"),
    Refused("machine", NOT_SUPPORTED, "btrfs: ", ""),  # `/`, with all its mounts
    Refused("above-mount", NOT_SUPPORTED, "{data}/above-mount/inner", "above-mount"),
    Refused(
        "above-subvolume", NOT_SUPPORTED, "{data}/above-subvolume/deep/inner", "above-subvolume"
    ),
    Refused("above-mount-xfs", NOT_SUPPORTED, "{vault}/above/inner", "{vault}/above"),
    Refused("merged", NOT_SUPPORTED, "{vault}/one/deep and {vault}/two/deep", "pool/deep"),
    Refused("bound", NOT_SUPPORTED, "in {vault}/one/deep", "bound/deep"),
]
BY_NAME = pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.share)


@pytest.fixture(scope="module")
def refusing(nas: Nas) -> Nas:
    """A NAS with all these shares, and with the obstacles that make them unsupported."""
    _mount_in_user_space(nas)
    for each in REFUSED:
        if each.path:
            path = nas.volumes["data"] / each.path.format(**nas.volumes)
            nas.samba.set_share(Share(each.share, path, each.options))
            if "%" not in each.path and each.path not in ("no-such", "a-file", "/proc"):
                make_directory(nas.lab, path)
    data, vault = nas.volumes["data"], nas.volumes["vault"]
    nas.lab.run(["touch", data / "a-file"])
    make_directory(nas.lab, data / "above-subvolume" / "deep")
    inner = data / "above-subvolume" / "deep" / "inner"
    nas.lab.run(["btrfs", "subvolume", "create", inner])
    for place in (data / "above-mount" / "inner", vault / "above" / "inner"):
        make_directory(nas.lab, place)
        nas.lab.run(["mount", "-t", "tmpfs", "tmpfs", place])
    nas.samba.add_user("somebody")
    nas.samba.reload()
    return nas


def _mount_in_user_space(nas: Nas) -> None:
    """A share of each is asked for before the others, so none may keep anybody waiting."""
    data, vault = nas.volumes["data"], nas.volumes["vault"]
    for branch in ("one", "two"):
        make_directory(nas.lab, vault / branch / "deep")
    options = "allow_other,minfreespace=0"
    nas.lab.run(["mkdir", "-p", data / "pool", data / "bound"])
    nas.lab.run(["mergerfs", "-o", options, f"{vault}/one:{vault}/two", data / "pool"])
    nas.lab.run(["bindfs", vault / "one", data / "bound"])


@pytest.fixture(scope="module")
def agent(refusing: Nas) -> Iterator[RawAgent]:
    with RawAgent(refusing) as opened:
        yield opened


def name_of(result: int) -> str:
    return describe(result).partition(" ")[0]


@pytest.mark.spec("3.1.4.4-1")
@pytest.mark.spec("3.1.4.4-2")
@pytest.mark.spec("3.1.4.9-1")
@pytest.mark.spec("3.1.4.9-2")
@BY_NAME
def test_a_client_gets_the_result_and_no_id(agent: RawAgent, refused: Refused) -> None:
    unc = wide(agent.unc(refused.share))
    assert name_of(agent.result(Opnum.IsPathSupported, unc)) == refused.result.name
    set_id = agent.start()
    answer = agent.call(Opnum.AddToShadowCopySet, SOME_GUID + set_id + unc)
    assert name_of(result_of(answer)) == refused.result.name
    assert not any(answer[:16]), "the id of a copy that does not exist"
    agent.must(Opnum.AbortShadowCopySet, set_id)


@pytest.mark.spec("3.1.4.10-1")
@pytest.mark.spec("3.1.4.10-4")
@BY_NAME
def test_no_copy_is_present(agent: RawAgent, refused: Refused) -> None:
    answer = agent.call(Opnum.IsPathShadowCopied, wide(agent.unc(refused.share)))
    expected = NOT_FOUND if refused.result is NOT_FOUND else HResult.ZERO
    assert result_of(answer) == expected
    assert not any(answer[:-4])


@BY_NAME
def test_log_and_check_path_say_why(refusing: Nas, agent: RawAgent, refused: Refused) -> None:
    reason = refused.reason.format(**refusing.volumes)
    agent.result(Opnum.IsPathSupported, wide(agent.unc(refused.share)))
    said = refusing.daemon.ctl("check-path", refused.share, check=False)
    assert said.returncode != 0
    # The line breaks depend on the length of the lab's path.
    assert " ".join(reason.split()) in " ".join((said.stdout + said.stderr).split())
    logged = refusing.daemon.tail(1)  # the call, which was logged before that answer
    assert refused.share in logged
    assert reason in logged


def test_the_longest_name_has_a_copy(refusing: Nas, agent: RawAgent) -> None:
    """80 characters including the suffix; Samba and its registry accept that."""
    names = [LONGEST, LONGEST[2:] + "$"]
    for name in names:
        path = make_directory(refusing.lab, refusing.volumes["data"] / "longest")
        refusing.samba.set_share(Share(name, path))
    refusing.samba.reload()
    for name in names:
        refusing.samba.write(name, "a.txt", "reached\n")
        set_id = agent.start()
        copy_id = agent.add(set_id, name)
        agent.expose(set_id)
        share = agent.mapping(set_id, copy_id, name).share
        assert refusing.samba.read(share, "a.txt") == "reached\n"
        agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
        agent.delete(set_id, copy_id, name)
    refusing.assert_nothing_is_left()


def test_a_shadow_copy_has_no_shadow_copy(refusing: Nas, agent: RawAgent) -> None:
    set_id = agent.start()
    copy_id = agent.add(set_id, TORTURE_SHARE)
    agent.expose(set_id)
    share = agent.mapping(set_id, copy_id, TORTURE_SHARE).share
    agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    assert agent.result(Opnum.IsPathSupported, wide(agent.unc(share))) == NOT_SUPPORTED
    assert "it is a shadow copy itself" in refusing.daemon.tail(1)
    assert (
        "it is a shadow copy itself" in refusing.daemon.ctl("check-path", share, check=False).stdout
    )
    agent.delete(set_id, copy_id, TORTURE_SHARE)


def test_what_has_been_mended_works_at_once(refusing: Nas, agent: RawAgent) -> None:
    unc = wide(agent.unc("above-mount"))
    inner: Path = refusing.volumes["data"] / "above-mount" / "inner"
    assert agent.result(Opnum.IsPathSupported, unc) == NOT_SUPPORTED
    refusing.lab.unmount(inner)
    assert agent.result(Opnum.IsPathSupported, unc) == 0
    refusing.lab.run(["mount", "-t", "tmpfs", "tmpfs", inner])
    assert agent.result(Opnum.IsPathSupported, unc) == NOT_SUPPORTED
