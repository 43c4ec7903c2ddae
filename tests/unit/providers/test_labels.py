from __future__ import annotations

from typing import Set

from fsrvpd.providers.labels import Labels


def nothing_taken(second: int) -> bool:
    return False


def test_one_second_is_given_once() -> None:
    labels = Labels()
    assert [labels.reserve("v", 100, nothing_taken) for _ in range(4)] == [100, 101, 102, 103]


def test_volumes_do_not_share_labels() -> None:
    labels = Labels()
    assert labels.reserve("v", 100, nothing_taken) == 100
    assert labels.reserve("w", 100, nothing_taken) == 100


def test_what_is_taken_on_the_disk_is_skipped() -> None:
    taken: Set[int] = {100, 101, 103}
    labels = Labels()
    assert labels.reserve("v", 100, taken.__contains__) == 102
    assert labels.reserve("v", 100, taken.__contains__) == 104


def test_time_goes_on() -> None:
    labels = Labels()
    assert [labels.reserve("v", second, nothing_taken) for second in (100, 101, 105, 105)] == [
        100,
        101,
        105,
        106,
    ]


def test_a_clock_that_was_put_back_gives_what_is_free() -> None:
    taken = {100}
    labels = Labels()
    labels.reserve("v", 100, taken.__contains__)
    assert labels.reserve("v", 99, taken.__contains__) == 99
    assert labels.reserve("v", 99, taken.__contains__) == 101


def test_a_busy_volume_asks_the_disk_once_a_label() -> None:
    questions = []

    def asked(second: int) -> bool:
        questions.append(second)
        return False

    labels = Labels()
    for _ in range(1000):
        labels.reserve("v", 100, asked)
    assert len(questions) == 1000
