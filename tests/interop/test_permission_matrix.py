"""Nobody can do more in a copy than in its share: every protection, every provider, every user.

What each user can do is measured in the share, then in its writable copy, then in the sealed one,
over SMB, as a local process, and through another share of the same volume. Nothing is assumed
about how a protection works; but each must make a difference, or its row would prove nothing.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Set, Tuple

import pytest
from impacket.smbconnection import SessionError

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.context import ATTR_AUTO_RECOVERY
from lab import FsrvpdProcess, Lab, Samba, Share, User
from tests.interop.access_rights import (
    NONE,
    Client,
    LocalUser,
    Rights,
    SmbSession,
    reading,
)
from tests.interop.nas import OPTIONS, SECOND_ADDRESS
from tests.interop.protected_shares import (
    FILES,
    GID,
    GROUP,
    OUTSIDE,
    PROTECTIONS,
    STORE,
    People,
    Storage,
    close_directory,
    make_closed_directory,
    set_descriptors,
    set_nt_acls,
    write_files,
)
from tests.interop.raw_agent import SOME_GUID, RawAgent, result_of, wide

PROVIDERS = ("btrfs", "reflink", "command")
LINKS = ("link.txt", "up.txt")
LINKED = ("links", "wide-links")
LISTED = ("none", "enumeration")
GUEST = User("nobody-we-know", "whatever")
GLOBAL = {
    **OPTIONS,
    "allow insecure wide links": "yes",
}
BACKUP_USERS = [
    (protection, user) for protection, each in PROTECTIONS.items() for user in each.backup_users
]
Measure = Dict[Tuple[str, str], Rights]  # (protection, user) -> what he can do


class Server(NamedTuple):
    lab: Lab
    samba: Samba
    daemon: FsrvpdProcess
    people: People
    storages: Mapping[str, Storage]

    @contextmanager
    def sessions(self) -> Iterator[Dict[str, SmbSession]]:
        """Connect as every client, by name."""
        clients = {name: Client(user, self.samba.address) for name, user in self.users().items()}
        clients["guest"] = Client(GUEST, self.samba.address)
        clients["mia-from-afar"] = Client(self.people.mia, SECOND_ADDRESS)
        with ExitStack() as stack:
            yield {
                name: stack.enter_context(SmbSession(self.lab, client))
                for name, client in clients.items()
            }

    def users(self) -> Dict[str, User]:
        return self.people._asdict()


class Observer:
    """Measures rights as everybody, over SMB and locally."""

    def __init__(self, server: Server, storage: Storage) -> None:
        self._server = server
        self._volume = storage.open
        self._volume_share = f"volume-{storage.provider}"
        self._local = {name: LocalUser(server.lab, user) for name, user in server.users().items()}

    def over_smb(
        self, sessions: Mapping[str, SmbSession], share: str, below: str = ""
    ) -> Dict[str, Rights]:
        names = (*FILES, *LINKS) if share.partition("@")[0].endswith("links") else tuple(FILES)
        with ThreadPoolExecutor(len(sessions)) as pool:
            each = pool.map(lambda session: session.rights(share, names, below), sessions.values())
            return dict(zip(sessions, each))

    def locally(self, directories: List[str]) -> Dict[str, Rights]:
        names = (*FILES, *LINKS)
        return {name: user.rights(directories, names) for name, user in self._local.items()}

    def close(self) -> None:
        for user in self._local.values():
            user.close()

    def through_volume(
        self, sessions: Mapping[str, SmbSession], directories: List[str]
    ) -> Dict[str, Rights]:
        """Measure through the share of the whole volume, where only the kernel restricts."""
        some = {name: sessions[name] for name in ("mia", "otto", "guest")}
        found = dict.fromkeys(some, NONE)
        for directory in map(Path, directories):
            if self._volume in directory.parents:
                below = str(directory.relative_to(self._volume)).replace("/", "\\")
                for name, rights in self.over_smb(some, self._volume_share, below).items():
                    found[name] |= rights
        return found


class Matrix:
    """Everything that is measured for one provider."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.copies: Dict[str, str] = {}  # protection -> the copy's share
        self.refused: Dict[str, str] = {}
        self.places: Set[str] = set()  # of all copies so far
        self.share: Measure = {}
        self.share_locally: Measure = {}
        self.share_through_volume: Measure = {}
        self.exposed: Measure = {}
        self.copy_locally: Measure = {}
        self.copy_through_volume: Measure = {}
        self.sealed: Measure = {}
        self.shown: Dict[str, Set[str]] = {}  # protection -> the clients that see its copy listed
        self.links: List[str] = []  # what a link of a copy did that it must not do


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Lab() as lab:
        lab.run(["ip", "address", "add", f"{SECOND_ADDRESS}/24", "dev", "lo"])
        samba = Samba(lab, options=GLOBAL)
        people = People(*(samba.add_user(name) for name in People._fields))
        samba.add_group(GROUP, GID, people.olga, people.mia)
        write_files(lab)
        make_closed_directory(lab)
        storages = {provider: Storage(lab, provider) for provider in PROVIDERS}
        close_directory(lab)
        for storage in storages.values():
            storage.make_shares(samba)
            samba.set_share(Share(f"volume-{storage.provider}", storage.open))
        samba.start()
        for storage in storages.values():
            set_descriptors(samba, people, storage)
            set_nt_acls(samba, people, storage)
        daemon = FsrvpdProcess(lab, samba)
        daemon.start()
        yield Server(lab, samba, daemon, people, storages)


@pytest.fixture(scope="module", params=PROVIDERS)
def matrix(server: Server, request: pytest.FixtureRequest) -> Iterator[Matrix]:
    storage = server.storages[request.param]
    matrix, observer = Matrix(storage), Observer(server, storage)
    made: Dict[str, Tuple[bytes, bytes]] = {}
    with RawAgent(server) as agent, closing(observer):
        with server.sessions() as sessions:
            for name in PROTECTIONS:
                measure_share(matrix, observer, sessions, name)
                ids = expose(agent, matrix, name)
                if ids is not None:
                    made[name] = ids
                    measure_copy(matrix, server, observer, sessions, name)
                    agent.advance(Opnum.RecoveryCompleteShadowCopySet, ids[0])
        with server.sessions() as sessions:  # the end of recovery closes a copy's connections
            for name, copy in matrix.copies.items():
                fill(matrix.sealed, name, observer.over_smb(sessions, copy))
        for name, ids in made.items():
            agent.delete(*ids, storage.share_name(name))
    return matrix


def fill(measure: Measure, protection: str, rights: Mapping[str, Rights]) -> None:
    measure.update({(protection, user): each for user, each in rights.items()})


def measure_share(
    matrix: Matrix, observer: Observer, sessions: Mapping[str, SmbSession], name: str
) -> None:
    directory = [str(matrix.storage.directory(name) / "in/share")]
    fill(matrix.share, name, observer.over_smb(sessions, matrix.storage.share_name(name)))
    fill(matrix.share_locally, name, observer.locally(directory))
    fill(matrix.share_through_volume, name, observer.through_volume(sessions, directory))


def measure_copy(
    matrix: Matrix,
    server: Server,
    observer: Observer,
    sessions: Mapping[str, SmbSession],
    name: str,
) -> None:
    copy = matrix.copies[name]
    places = new_places(server, matrix, name)
    fill(matrix.exposed, name, observer.over_smb(sessions, copy))
    fill(matrix.copy_locally, name, observer.locally(places))
    fill(matrix.copy_through_volume, name, observer.through_volume(sessions, places))
    if name in LISTED:
        matrix.shown[name] = {
            client for client, session in sessions.items() if copy in session.share_names()
        }
    if name in LINKED:
        live = server.lab.seen(matrix.storage.directory(name) / OUTSIDE)
        matrix.links += followed_links(sessions["olga"], copy, live)


def expose(agent: RawAgent, matrix: Matrix, name: str) -> Optional[Tuple[bytes, bytes]]:
    """Make a set of one writable copy, or note that the share is refused. Returns its ids."""
    share = matrix.storage.share_name(name)
    set_id = agent.start(ATTR_AUTO_RECOVERY)
    answer = agent.call(Opnum.AddToShadowCopySet, SOME_GUID + set_id + wide(agent.unc(share)))
    if result_of(answer):
        matrix.refused[name] = hex(result_of(answer))
        agent.must(Opnum.AbortShadowCopySet, set_id)
        return None
    copy_id = answer[:16]
    agent.expose(set_id)
    matrix.copies[name] = agent.mapping(set_id, copy_id, share).share
    return set_id, copy_id


def new_places(server: Server, matrix: Matrix, name: str) -> List[str]:
    """Find every directory in which the newest copy can be seen, wherever it is.

    The command provider's own store belongs to the admin, who keeps others out.
    """
    roots = [matrix.storage.open, matrix.storage.closed, Path("/run/fsrvpd")]
    there = [root for root in roots if server.lab.seen(root).exists()]
    wanted = ["-name", f"{matrix.storage.share_name(name)}.name", "-printf", "%h\n"]
    argv = ["find", *there, "-name", STORE, "-prune", "-o", *wanted]
    found = set(server.lab.run(argv).stdout.splitlines())
    found.remove(str(matrix.storage.directory(name) / "in/share"))
    shown = server.samba.net("conf", "getparm", matrix.copies[name], "path").stdout.strip()
    places = sorted({shown, *found} - matrix.places)
    matrix.places.update(found)
    return places


def followed_links(session: SmbSession, copy: str, live: Path) -> List[str]:
    """Read and write a live file through the links of a copy. Returns what succeeded."""
    succeeded = []
    for link in LINKS:
        live.write_text("live")
        with suppress(SessionError):
            if session.read(copy, link) == "live":
                succeeded.append(f"{copy}: {link} shows the live file")
        with suppress(SessionError):
            session.overwrite(copy, link, "copy")
        if live.read_text() != "live":
            succeeded.append(f"{copy}: {link} overwrites the live file")
    return succeeded


def more(there: Measure, than: Measure) -> List[str]:
    """Say what somebody can do in one place and not in the other."""
    return [
        f"{protection}: {user} may {', '.join(sorted(rights - than[protection, user]))}"
        for (protection, user), rights in there.items()
        if rights - than[protection, user]
    ]


def only_reading(measure: Measure) -> Measure:
    return {key: reading(rights) for key, rights in measure.items()}


def assert_none(found: List[str]) -> None:
    assert not found, "\n" + "\n".join(found)


def test_nobody_does_more_over_smb(matrix: Matrix) -> None:
    """Backup users are the exception, in sealed copies."""
    assert_none(more(matrix.exposed, matrix.share))
    others = {key: rights for key, rights in matrix.sealed.items() if key not in BACKUP_USERS}
    assert_none(more(others, matrix.share))


def test_backup_users_read_everything_in_a_sealed_copy(matrix: Matrix) -> None:
    everything = frozenset({"list", *(f"read {name}" for name in FILES)})
    assert {key: matrix.sealed[key] for key in BACKUP_USERS} == dict.fromkeys(
        BACKUP_USERS, everything
    )


def test_nobody_does_more_as_a_local_process(matrix: Matrix) -> None:
    assert_none(more(matrix.copy_locally, matrix.share_locally))


def test_nobody_does_more_through_another_share_of_the_volume(matrix: Matrix) -> None:
    assert_none(more(matrix.copy_through_volume, matrix.share_through_volume))


def test_nobody_writes_into_a_sealed_copy(matrix: Matrix) -> None:
    assert_none(more(matrix.sealed, only_reading(matrix.sealed)))


def test_no_link_leads_to_live_files(matrix: Matrix) -> None:
    assert_none(matrix.links)


def test_only_who_sees_the_share_listed_is_shown_its_copy(matrix: Matrix) -> None:
    everybody = {client for _, client in matrix.share}
    assert matrix.shown == {"none": everybody, "enumeration": {"olga"}}


def test_who_may_read_the_share_can_read_the_copy(matrix: Matrix) -> None:
    """Guests are kept out of copies, and links need not resolve in them."""
    expected = {
        (protection, client): frozenset(right for right in rights if right[5:] not in LINKS)
        for (protection, client), rights in only_reading(matrix.share).items()
        if client != "guest" and protection not in matrix.refused
    }
    assert_none(more(expected, matrix.sealed))


def test_nothing_is_refused_without_need(matrix: Matrix) -> None:
    refusable = {name for name, each in PROTECTIONS.items() if each.may_be_refused}
    assert {n: result for n, result in matrix.refused.items() if n not in refusable} == {}


def test_every_protection_makes_a_difference(matrix: Matrix) -> None:
    """A protection that changes nobody's rights would prove nothing here."""
    clients = {client for _, client in matrix.share}
    unprotected = {client: matrix.share["none", client] for client in clients}
    same = [
        protection
        for protection in PROTECTIONS
        if all(matrix.share[protection, client] == unprotected[client] for client in clients)
    ]
    assert same == ["none", "links"]
    files = {f"{right} {name}" for right in ("read", "write") for name in FILES}
    assert unprotected["olga"] == {"list", "create", *files}
    assert unprotected["guest"] == NONE
