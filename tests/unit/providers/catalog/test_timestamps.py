from __future__ import annotations

from typing import Set

from fsrvpd.providers.catalog.timestamps import UniqueTimestamps, format_timestamp


def nothing_taken(second: int) -> bool:
    return False


def test_one_second_is_given_once() -> None:
    timestamps = UniqueTimestamps()
    assert [timestamps.reserve("v", 100, nothing_taken) for _ in range(4)] == [100, 101, 102, 103]


def test_volumes_do_not_share_timestamps() -> None:
    timestamps = UniqueTimestamps()
    assert timestamps.reserve("v", 100, nothing_taken) == 100
    assert timestamps.reserve("w", 100, nothing_taken) == 100


def test_what_is_taken_on_the_disk_is_skipped() -> None:
    taken: Set[int] = {100, 101, 103}
    timestamps = UniqueTimestamps()
    assert timestamps.reserve("v", 100, taken.__contains__) == 102
    assert timestamps.reserve("v", 100, taken.__contains__) == 104


def test_time_goes_on() -> None:
    timestamps = UniqueTimestamps()
    assert [timestamps.reserve("v", second, nothing_taken) for second in (100, 101, 105, 105)] == [
        100,
        101,
        105,
        106,
    ]


def test_a_clock_that_was_put_back_gives_what_is_free() -> None:
    taken = {100}
    timestamps = UniqueTimestamps()
    timestamps.reserve("v", 100, taken.__contains__)
    assert timestamps.reserve("v", 99, taken.__contains__) == 99
    assert timestamps.reserve("v", 99, taken.__contains__) == 101


def test_a_busy_volume_asks_the_disk_once_a_timestamp() -> None:
    questions = []

    def asked(second: int) -> bool:
        questions.append(second)
        return False

    timestamps = UniqueTimestamps()
    for _ in range(1000):
        timestamps.reserve("v", 100, asked)
    assert len(questions) == 1000


def test_a_timestamp_is_in_utc_and_as_samba_reads_it() -> None:
    assert format_timestamp(1795000000) == "2026.11.18-11.06.40"
