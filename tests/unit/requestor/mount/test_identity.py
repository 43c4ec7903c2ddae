from __future__ import annotations

from fsrvpd.requestor.mount.identity import BY_PATH, Identity, compare
from tests.unit.requestor.mount.trees import MOMENT, MemoryTree, entry


def tree(first_id: int, *, changed: int = MOMENT, number: int = 9) -> MemoryTree:
    made = MemoryTree()
    made.found[""] = made.found[""]._replace(file_id=first_id, changed=changed)
    for each in range(1, number):
        made.add(f"file{each}", b"x", file_id=first_id + each, changed=changed)
    return made


def test_a_copy_with_the_ids_and_times_of_the_share() -> None:
    assert compare(tree(256), tree(256)) == Identity(by_file_id=True, by_change_time=True)


def test_a_copy_that_was_made_of_new_files() -> None:
    assert compare(tree(256), tree(1000, changed=MOMENT + 7)) == BY_PATH


def test_a_copy_of_which_only_the_root_has_the_same_number() -> None:
    copy = tree(1000)
    copy.found[""] = copy.found[""]._replace(file_id=256)
    assert compare(tree(256), copy) == BY_PATH


def test_change_times_that_are_not_kept() -> None:
    found = compare(tree(256), tree(256, changed=MOMENT + 7))
    assert found == Identity(by_file_id=True, by_change_time=False)


def test_files_that_were_changed_or_replaced_in_between_do_not_decide() -> None:
    live, copy = tree(256), tree(256)
    live.add("file1", b"longer", file_id=257, changed=MOMENT + 9, modified=MOMENT + 9)
    live.add("file2", b"x", file_id=9999, changed=MOMENT + 9)
    del live.found["file3"]
    assert compare(live, copy) == Identity(by_file_id=True, by_change_time=True)


def test_a_server_without_ids() -> None:
    live, copy = tree(0, number=1), tree(0, number=1)
    assert compare(live, copy) == BY_PATH


def test_the_number_comes_from_the_server_or_from_the_path() -> None:
    stable = Identity(by_file_id=True, by_change_time=True)
    assert stable.inode("a\\b", entry("b", file_id=77)) == 77
    assert stable.inode("a\\b", entry("b")) == BY_PATH.inode("a\\b", entry("b", file_id=77))
    assert BY_PATH.inode("a\\b", entry("b")) != BY_PATH.inode("a\\c", entry("c"))
    assert 0 < BY_PATH.inode("\ud800", entry("x")) < 1 << 64


def test_ctime_is_the_change_time_or_mtime() -> None:
    found = entry("x")
    assert Identity(by_file_id=True, by_change_time=True).changed(found) == found.changed
    assert BY_PATH.changed(found) == found.modified
    none = found._replace(changed=0)
    assert Identity(by_file_id=True, by_change_time=True).changed(none) == found.modified
