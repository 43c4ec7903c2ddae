"""What a snapshot would not hold, or would hold of another directory, fails its commit."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Iterator, NamedTuple

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from lab import Share
from lab.namespaces import wait_until
from tests.interop.nas import Nas, make_directory, open_nas
from tests.interop.raw_agent import RawAgent

TIMEOUT = (60_000).to_bytes(4, "little")


@pytest.fixture(scope="module")
def nas() -> Iterator[Nas]:
    with open_nas({"fsrvpd:shared volumes": "yes"}) as opened:
        links = opened.lab.directory / "links"
        links.mkdir()
        volumes = opened.volumes
        for name in ("first", "second"):
            make_directory(opened.lab, volumes["more"] / name)
        turn(opened, links / "linked", volumes["more"] / "first")
        opened.samba.set_share(Share("one", make_directory(opened.lab, volumes["more"] / "one")))
        opened.samba.set_share(Share("two", make_directory(opened.lab, volumes["more"] / "two")))
        opened.samba.set_share(Share("linked", links / "linked"))
        opened.samba.reload()
        yield opened


def turn(nas: Nas, link: Path, target: Path) -> None:
    nas.lab.run(["ln", "-sfn", target, link])


class Change(NamedTuple):
    """Something that happens between AddToShadowCopySet and CommitShadowCopySet."""

    shares: list[str]
    happen: Callable[[Nas], object]
    undo: Callable[[Nas], object]
    reason: str  # in the log


def subvolume(volume: str, name: str) -> tuple[Callable[[Nas], object], Callable[[Nas], object]]:
    return (
        lambda nas: nas.lab.run(["btrfs", "-q", "subvolume", "create", nas.volumes[volume] / name]),
        lambda nas: nas.lab.run(["btrfs", "-q", "subvolume", "delete", nas.volumes[volume] / name]),
    )


def mount(volume: str, name: str) -> tuple[Callable[[Nas], object], Callable[[Nas], object]]:
    def happen(nas: Nas) -> None:
        place = nas.volumes[volume] / name
        nas.lab.run(["mkdir", "-p", place])
        nas.lab.run(["mount", "-t", "tmpfs", "tmpfs", place])

    return happen, lambda nas: nas.lab.unmount(nas.volumes[volume] / name)


CHANGES = {
    "a subvolume": Change(["one"], *subvolume("more", "one/inner"), "/more/one/inner"),
    "deep down": Change(["one", "two"], *subvolume("more", "two/inner"), "/more/two/inner"),
    "a mount on btrfs": Change(["one"], *mount("more", "one/mounted"), "/more/one/mounted"),
    "a mount on XFS": Change(["vault"], *mount("vault", "vault/mounted"), "/vault/vault/mounted"),
    "a mount over it": Change(["vault"], *mount("vault", "vault"), "another directory"),
    "a turned link": Change(
        ["linked"],
        lambda nas: turn(nas, nas.lab.directory / "links/linked", nas.volumes["more"] / "second"),
        lambda nas: turn(nas, nas.lab.directory / "links/linked", nas.volumes["more"] / "first"),
        "another directory",
    ),
    "an exchange": Change(
        ["one"],
        lambda nas: exchange(nas.volumes["more"] / "one", nas),
        lambda nas: exchange(nas.volumes["more"] / "one", nas),
        "another directory",
    ),
}


def exchange(directory: Path, nas: Nas) -> None:
    """Exchange a directory and another one that is kept beside it."""
    aside, other = directory.with_name("aside"), directory.with_name("other")
    nas.lab.run(["mkdir", "-p", "-m", "0777", other])
    for source, target in ((directory, aside), (other, directory), (aside, other)):
        nas.lab.run(["mv", "-T", source, target])


@pytest.mark.spec("3.1.4.5-8")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_commit_fails_and_leaves_nothing(nas: Nas, change: Change) -> None:
    with RawAgent(nas) as agent:
        set_id = agent.start()
        copies = [agent.add(set_id, share) for share in change.shares]
        agent.advance(Opnum.PrepareShadowCopySet, set_id)
        before = len(nas.daemon.read_log())
        change.happen(nas)
        try:
            result = agent.result(Opnum.CommitShadowCopySet, set_id + TIMEOUT)
            assert result == HResult.FSRVP_E_NOT_SUPPORTED
            log = nas.daemon.read_log()[before:]
            assert change.reason in log.partition("method=CommitShadowCopySet")[2]
            wait_until("it is undone", lambda: "event=step-undone" in nas.daemon.read_log())
            assert nas.snapshots() == []
        finally:
            change.undo(nas)
        for method in (Opnum.CommitShadowCopySet, Opnum.ExposeShadowCopySet):
            agent.advance(method, set_id)
        agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
        for copy_id, share in zip(copies, change.shares):
            agent.delete(set_id, copy_id, share)
    nas.assert_nothing_is_left()
