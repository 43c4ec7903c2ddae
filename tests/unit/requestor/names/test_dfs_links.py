"""From a path of DFS to the share behind it."""

from __future__ import annotations

from typing import List, Mapping, Optional, Tuple

import pytest

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.names.dfs_links import MOST_LINKS, OtherHost, follow
from fsrvpd.requestor.names.owner import other_host
from fsrvpd.requestor.names.spelling import read_unc
from fsrvpd.requestor.smb.records import Proof, Referral


def rule(*listed: str) -> OtherHost:
    return lambda name, server, what: other_host(name, server, frozenset(listed), what)


LISTED = rule("fs2", "fs3")


class Namespaces:
    r"""Servers with links: the longest name of a link that a path begins with is its own."""

    def __init__(
        self,
        links: Mapping[str, Tuple[str, ...]],
        *,
        kerberos: bool = False,
        roots: Tuple[str, ...] = (),
    ) -> None:
        self._links = links
        self._roots = roots
        self._kerberos = kerberos
        self.asked: List[str] = []

    def ask(self, host: str, path: str) -> Optional[Referral]:
        self.asked.append(host)
        for link in sorted(self._links, key=len, reverse=True):
            if path == link or path.startswith(link + "\\"):
                proof = Proof(host, frozenset({host}), uses_kerberos=self._kerberos)
                rest = path[len(link) + 1 :]
                return Referral(self._links[link], rest, link in self._roots, proof)
        return None


def test_an_ordinary_share_is_itself() -> None:
    written = read_unc(r"\\nas\data\vm")
    assert follow(written, Namespaces({}), LISTED) == (written, 1, ())


def test_a_link_with_one_target() -> None:
    servers = Namespaces({r"\\dfs\root\vm": (r"\fs2\guests",)})
    followed = follow(read_unc(r"\\dfs\root\vm\web\disk"), servers, LISTED)
    assert followed.path.unc == r"\\fs2\guests\web\disk"
    assert followed.below == 2
    assert [str(step) for step in followed.steps] == [
        r"\\dfs\root\vm\web\disk → \\fs2\guests\web\disk (DFS)"
    ]
    assert servers.asked == ["dfs", "fs2"]


def test_a_target_below_a_share() -> None:
    servers = Namespaces({r"\\dfs\root\vm": (r"\fs2\guests\of\dfs\\",)})
    assert follow(read_unc(r"\\dfs\root\vm"), servers, LISTED).path.unc == r"\\fs2\guests\of\dfs"


def test_the_root_of_a_namespace_is_its_own_target() -> None:
    servers = Namespaces({r"\\dfs\root": (r"\dfs\root",)})
    written = read_unc(r"\\dfs\root\directory")
    assert follow(written, servers, rule()).path == written


def test_links_behind_one_another() -> None:
    servers = Namespaces(
        {r"\\dfs\root\a": (r"\fs2\links",), r"\\fs2\links\b": (r"\\fs3\data\dir",)}
    )
    followed = follow(read_unc(r"\\dfs\root\a\b\c"), servers, LISTED)
    assert followed.path.unc == r"\\fs3\data\dir\c"
    assert followed.below == 1
    assert len(followed.steps) == 2


def test_several_targets_are_refused_by_their_names() -> None:
    targets = (r"\fs2\a", r"\fs3\a", "\\fs4\\\x1b[2J", r"\fs5\a")
    with pytest.raises(RequestorError) as refused:
        follow(read_unc(r"\\dfs\root\vm"), Namespaces({r"\\dfs\root\vm": targets}), LISTED)
    error = refused.value
    assert error.object == r"\\dfs\root\vm"
    assert "4 targets" in error.cause
    assert r"\fs3\a" in error.cause
    assert "and 1 more" in error.cause
    assert "\x1b" not in str(error)
    assert "name the share" in error.next_step


def test_any_root_of_a_namespace_knows_its_links() -> None:
    root = r"\\example.org\dfs"
    links = {
        root: (r"\dc1.example.com\dfs", r"\fs2\dfs", r"\fs3\dfs"),
        r"\\fs2\dfs\vm": (r"\fs3\guests",),
    }
    servers = Namespaces(links, roots=(root,))
    assert follow(read_unc(root + r"\vm\a"), servers, LISTED).path.unc == r"\\fs3\guests\a"
    assert servers.asked == ["example.org", "fs2", "fs3"]
    with pytest.raises(RequestorError, match="3 targets"):
        follow(read_unc(root), servers, LISTED)
    with pytest.raises(RequestorError, match="'fs3', which did not prove"):
        follow(read_unc(root + r"\vm"), servers, rule())


def test_a_circle_is_refused() -> None:
    servers = Namespaces({r"\\fs2\a": (r"\fs3\b",), r"\\fs3\b": (r"\fs2\a",)})
    with pytest.raises(RequestorError, match=f"more than {MOST_LINKS} links"):
        follow(read_unc(r"\\fs2\a"), servers, LISTED)
    assert len(servers.asked) == MOST_LINKS


def test_a_target_that_did_not_prove_itself_is_not_asked() -> None:
    servers = Namespaces({r"\\dfs\root\vm": (r"\evil\share",)})
    with pytest.raises(RequestorError, match="'evil', which did not prove"):
        follow(read_unc(r"\\dfs\root\vm"), servers, LISTED)
    assert servers.asked == ["dfs"]


def test_a_target_of_the_same_domain_is_followed_with_kerberos() -> None:
    servers = Namespaces(
        {r"\\dfs.example.org\root\vm": (r"\fs7.example.org\guests",)}, kerberos=True
    )
    followed = follow(read_unc(r"\\dfs.example.org\root\vm"), servers, rule())
    assert followed.path.host == "fs7.example.org"


@pytest.mark.parametrize(
    "target", ["", "\\", r"\fs2", r"\fs2\..\x", r"\fe80::1\x", "\x00", r"C:\x"]
)
def test_a_target_that_is_no_share_is_refused(target: str) -> None:
    servers = Namespaces({r"\\dfs\root\vm": (target,)})
    with pytest.raises(RequestorError, match="which is no share; have the link corrected"):
        follow(read_unc(r"\\dfs\root\vm"), servers, LISTED)


def test_no_target_at_all_is_refused() -> None:
    with pytest.raises(RequestorError, match="no target"):
        follow(read_unc(r"\\dfs\a"), Namespaces({r"\\dfs\a": ()}), LISTED)
    servers = Namespaces({r"\\dfs\a": ()}, roots=(r"\\dfs\a",))
    with pytest.raises(RequestorError, match="no target"):
        follow(read_unc(r"\\dfs\a\b"), servers, LISTED)
