"""fsrvpd/requestor/shell/shadows.py"""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import pytest

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.shell.lines import WrongWord
from fsrvpd.requestor.shell.settings import Aliases, Settings
from fsrvpd.requestor.shell.shadows import Shadows
from fsrvpd.requestor.shell.statements import AddVolume, Selection
from fsrvpd.requestor.shell.texts import PROVIDER_ID
from tests.unit.requestor.shell.copies import Copies, new_id

DATA, VM = r"\\nas\data", r"\\nas\vm"
PERSISTENT = Settings(persistent=True)


class Shown(Shadows):
    """With what it prints."""

    def __init__(self) -> None:
        self.copies = Copies()
        self.printed: list[str] = []
        self.aliases = Aliases({})
        super().__init__(self.copies, self.printed.append, self.aliases, "host")

    def make(self, *shares: str, settings: Settings = PERSISTENT) -> str:
        """A set; its ID."""
        for share in shares:
            self.add(AddVolume(share))
        self.create(settings, {}, [])
        self.printed.clear()
        return self.last[0].set_id

    @property
    def text(self) -> str:
        return "\n".join(self.printed)


@pytest.fixture
def shadows() -> Shown:
    return Shown()


def test_a_set_is_created_named_and_listed(shadows: Shown) -> None:
    shadows.add(AddVolume(DATA))
    shadows.add(AddVolume(VM + r"\vm1", alias="Vm"))
    shadows.create(PERSISTENT, {}, [])
    first, second = shadows.last
    assert [copy.volume for copy in shadows.last] == [DATA, VM]
    assert shadows.aliases.named() == {
        "VSS_SHADOW_1": first.copy_id,
        "Vm": second.copy_id,
        "VSS_SHADOW_SET": first.set_id,
    }
    assert shadows.printed[:3] == [
        f"Alias VSS_SHADOW_1 for shadow ID {first.copy_id} set as environment variable.",
        f"Alias Vm for shadow ID {second.copy_id} set as environment variable.",
        f"Alias VSS_SHADOW_SET for shadow set ID {first.set_id} set as environment variable.",
    ]
    assert "Original count of shadow copies = 2" in shadows.text
    assert f"{second.copy_id}\t\t%Vm%" in shadows.text
    assert shadows.copies.contexts == [0x400009]


def test_the_next_set_begins_without_shares(shadows: Shown) -> None:
    shadows.make(DATA)
    with pytest.raises(WrongWord, match="CREATE: no share was added; type ADD VOLUME"):
        shadows.create(PERSISTENT, {}, [])


def test_of_two_sets_the_aliases_are_those_of_the_last(shadows: Shown) -> None:
    first, second = shadows.make(DATA), shadows.make(VM)
    shadows.show(Selection("all"))
    assert f"Shadow copy set: {first}\t<No Alias>" in shadows.text
    assert f"Shadow copy set: {second}\t%VSS_SHADOW_SET%" in shadows.text
    assert shadows.printed[0] == "\nQuerying all shadow copies on the computer ..."


def test_a_share_is_added_once(shadows: Shown) -> None:
    shadows.add(AddVolume(VM))
    with pytest.raises(WrongWord, match="its share was added before"):
        shadows.add(AddVolume(r"\\NAS\Vm\below"))
    assert len(shadows.volumes) == 1


def test_an_alias_is_of_one_share(shadows: Shown) -> None:
    shadows.add(AddVolume(VM, alias="x"))
    with pytest.raises(WrongWord, match="another share has this alias"):
        shadows.add(AddVolume(DATA, alias="X"))
    with pytest.raises(WrongWord, match="this cannot be the name of an alias"):
        shadows.add(AddVolume(DATA, alias="a=b"))


def test_there_is_one_provider(shadows: Shown) -> None:
    shadows.add(AddVolume(VM, provider=PROVIDER_ID.upper()))
    for other in (new_id(), "x"):
        with pytest.raises(WrongWord, match="no provider here has this ID"):
            shadows.add(AddVolume(DATA, provider=other))


def test_what_the_server_refuses_leaves_no_set(shadows: Shown) -> None:
    shadows.add(AddVolume(r"\\nas\refused"))
    with pytest.raises(RequestorError, match="the server refused"):
        shadows.create(PERSISTENT, {}, [])
    assert (shadows.printed, shadows.last) == ([], ())


def test_a_set_that_cannot_be_described_is_deleted(shadows: Shown, tmp_path: Path) -> None:
    shadows.add(AddVolume(VM))
    with pytest.raises(RequestorError, match="No such file or directory"):
        shadows.create(Settings(persistent=True, metadata=str(tmp_path / "no" / "x")), {}, [])
    assert shadows.copies.there == []


@pytest.mark.parametrize(
    ("kind", "left"),
    [("all", 0), ("volume", 1), ("oldest", 3), ("set", 2), ("id", 3), ("exposed", 3)],
)
def test_what_is_deleted(shadows: Shown, kind: str, left: int) -> None:
    shadows.make(DATA, VM)
    shadows.make(DATA)
    shadows.make(DATA)
    copy = next(copy for copy in shadows.copies.there if copy.volume == DATA)
    values = {
        "all": "",
        "volume": "\\\\NAS\\Data\\",
        "oldest": DATA,
        "set": copy.set_id,
        "id": copy.copy_id,
        "exposed": copy.device + "\\",
    }
    shadows.delete(Selection(kind, values[kind]))
    assert len(shadows.copies.there) == left
    assert copy not in shadows.copies.there
    assert shadows.text.count("Deleting shadow copy {") == 4 - left
    assert shadows.text.endswith(f"\n\nNumber of shadow copies deleted: {4 - left}")


def test_a_volume_is_resolved_only_if_its_name_is_not_known(shadows: Shown) -> None:
    shadows.make(VM)
    shadows.copies.looked_up.clear()
    shadows.delete(Selection("volume", VM))
    assert shadows.copies.looked_up == []
    shadows.make(VM)
    shadows.delete(Selection("volume", VM + r"\vm1"))
    assert shadows.copies.there == []


def test_none_is_deleted(shadows: Shown) -> None:
    shadows.delete(Selection("all"))
    shadows.delete(Selection("volume", VM))
    assert shadows.printed == ["\nNumber of shadow copies deleted: 0"] * 2


@pytest.mark.parametrize("kind", ["set", "id", "exposed"])
def test_what_is_unknown_is_refused(shadows: Shown, kind: str) -> None:
    shadows.make(VM)
    with pytest.raises(WrongWord, match="type LIST SHADOWS ALL"):
        shadows.delete(Selection(kind, new_id()))
    assert shadows.printed == []


def test_a_set_and_a_copy_are_listed(shadows: Shown) -> None:
    set_id = shadows.make(DATA, VM)
    shadows.show(Selection("set", set_id))
    assert shadows.printed[0].endswith(f"with the shadow copy set ID {set_id}")
    assert shadows.text.endswith("listed: 2")
    shadows.show(Selection("id", shadows.last[0].copy_id))
    assert shadows.text.endswith("listed: 1")
    with pytest.raises(WrongWord, match="no shadow copy set with this ID"):
        shadows.show(Selection("set", new_id()))


def test_only_what_is_volatile_ends_with_the_session(shadows: Shown) -> None:
    kept = shadows.make(DATA)
    shadows.make(VM, settings=Settings())
    shadows.delete_volatile()
    assert [copy.set_id for copy in shadows.copies.there] == [kept]


@pytest.mark.parametrize("kept", [None, RequestorError("nas", "it is away", "")])
def test_what_stays_is_tried_again(shadows: Shown, kept: Optional[RequestorError]) -> None:
    shadows.make(DATA, VM, settings=Settings())
    shadows.copies.kept = kept
    if kept:
        with pytest.raises(RequestorError, match="it is away"):
            shadows.delete_volatile()
        shadows.copies.kept = None  # it is tried again
    shadows.delete_volatile()
    assert shadows.copies.there == []


def test_paths_for_the_completion(shadows: Shown) -> None:
    shadows.make(VM)
    shadows.make(VM)
    assert shadows.paths("volume") == [VM]
    assert shadows.paths("exposed") == [copy.device for copy in shadows.copies.there]
