"""Ticks appended in parts: the same bytes as importing them at once, whoever else is at work."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.test_ticks import BTC, MIDNIGHT, Row, frame, trade
from tests.lakes import hashes

from aperiodic.engine.build import build
from aperiodic.engine.merging import merge_frames
from aperiodic.engine.parts import append_ticks, compact_day, compact_ticks, read_day
from aperiodic.engine.ticks import merge_ticks
from aperiodic.lake import Lake, LakeError, ObjectKind, Scope, Settings
from aperiodic.lake.writing import parquet_bytes
from aperiodic.market import Exchange, Source, Stream

if TYPE_CHECKING:
    from pathlib import Path

VENUE = Exchange.BINANCE_FUTURES
DAY = date(2023, 4, 5)
PARTS = Scope(VENUE, str(BTC), "parts")
TICKS = Scope(VENUE, str(BTC), "ticks")


def append(lake: Lake, rows: list[Row], stream: Stream = Stream.TRADES) -> int:
    batch = lake.batch()
    added = append_ticks(lake, batch, stream, VENUE, BTC, frame(stream, rows), Source.RECORDING)
    batch.commit()
    return len(added)


def parts(lake: Lake) -> list[str]:
    return [record.key.period for record in lake.current(ObjectKind.TICK_PARTS)]


def test_parts_are_numbered_read_as_one_and_added_once(lake: Lake) -> None:
    assert append(lake, [trade(1), trade(2)]) == 1
    assert append(lake, [trade(3)]) == 1
    assert append(lake, [trade(3)]) == 0
    assert parts(lake) == ["2023-04-05-000001", "2023-04-05-000002"]
    ticks = read_day(lake, Stream.TRADES, VENUE, BTC, DAY)
    assert ticks is not None
    assert ticks["sequence"].to_list() == [1, 2, 3]
    assert read_day(lake, Stream.TRADES, VENUE, BTC, date(2023, 4, 6)) is None
    assert lake.current(ObjectKind.TICKS) == []


def test_a_compacted_day_has_the_bytes_of_an_import_at_once(lake: Lake, tmp_path: Path) -> None:
    rows = [trade(number, late=number % 3) for number in range(1, 20)]
    at_once = Lake.open(Settings(home=tmp_path / "at-once"))
    batch = at_once.batch()
    merge_ticks(at_once, batch, Stream.TRADES, VENUE, BTC, frame(Stream.TRADES, rows), Source.RECORDING)
    batch.commit()
    for part in (rows[:5], rows[5:6], rows[4:12], rows[12:]):
        append(lake, part)
    assert compact_ticks(lake) == 1
    assert hashes(lake, ObjectKind.TICKS) == hashes(at_once, ObjectKind.TICKS)
    assert parts(lake) == []
    assert lake.store.paths("tick_parts") == []
    assert compact_ticks(lake) == 0
    at_once.close()


def test_parts_that_come_after_a_day_was_compacted_are_taken_in_too(lake: Lake) -> None:
    append(lake, [trade(1)])
    compact_ticks(lake)
    assert append(lake, [trade(1)]) == 0, "it is in the day already"
    append(lake, [trade(2)])
    assert parts(lake) == ["2023-04-05-000002"]
    compact_ticks(lake)
    (record,) = lake.current(ObjectKind.TICKS)
    assert (record.rows, record.revision) == (2, 2)


def test_a_part_that_is_appended_during_a_compaction_stays(lake: Lake) -> None:
    append(lake, [trade(1)])
    with lake.writing(PARTS, TICKS):
        batch = lake.batch()
        assert compact_day(lake, batch, Stream.TRADES, VENUE, BTC, DAY) == 1
        append(lake, [trade(2)])
        batch.commit()
    assert parts(lake) == ["2023-04-05-000002"]
    ticks = read_day(lake, Stream.TRADES, VENUE, BTC, DAY)
    assert ticks is not None
    assert ticks["sequence"].to_list() == [1, 2]


def test_who_appends_needs_the_lease_of_parts_and_who_compacts_that_of_ticks(lake: Lake) -> None:
    with lake.writing(TICKS), pytest.raises(ValueError, match="No lease is held on the parts"):
        append(lake, [trade(1)])
    with lake.writing(PARTS):
        append(lake, [trade(1)])
        assert compact_ticks(lake) == 1, "others compact while one appends"
    with lake.writing(PARTS), pytest.raises(LakeError), lake.writing(PARTS):
        pass


def test_a_build_takes_in_what_was_appended(lake: Lake) -> None:
    append(lake, [trade(1), trade(2)])
    assert build(lake).days == 1
    append(lake, [trade(3)])
    assert build(lake).days == 1
    assert build(lake).days == 0
    assert [record.rows for record in lake.current(ObjectKind.TICKS)] == [3]


quotes = st.tuples(
    st.integers(1, 3).map(lambda n: MIDNIGHT + n),
    st.integers(1, 9).map(lambda n: MIDNIGHT + n),
    *(st.sampled_from([1.0, 2.0]) for _ in range(4)),
    st.none(),
)
marks = st.tuples(
    st.integers(1, 3).map(lambda n: MIDNIGHT + n),
    st.integers(1, 9).map(lambda n: MIDNIGHT + n),
    st.sampled_from([1.0, 2.0]),
    st.none(),
)
numbered = st.builds(trade, st.integers(1, 20), late=st.integers(0, 3))


@given(st.data(), st.sampled_from([(Stream.TRADES, numbered), (Stream.QUOTES, quotes), (Stream.MARK_PRICE, marks)]))
def test_wherever_a_recording_is_cut_its_parts_join_to_the_same_bytes(
    data: st.DataObject, kind: tuple[Stream, st.SearchStrategy[Row]]
) -> None:
    stream, rows = kind
    recorded = sorted(data.draw(st.lists(rows, min_size=1, max_size=25)), key=lambda row: row[1])
    # What arrived in the same microsecond belongs into one part.
    edges = data.draw(st.lists(st.integers(1, 40).map(lambda n: MIDNIGHT + n), max_size=4).map(sorted))
    whole = frame(stream, recorded)
    arrival = whole["local_timestamp"].to_physical()
    bounds = [0, *edges, 1 << 60]
    cut = [
        merge_frames(stream, [part])
        for begin, end in pairwise(bounds)
        if (part := whole.filter(arrival.is_between(begin, end, closed="left"))).height
    ]
    assert parquet_bytes(merge_frames(stream, cut)) == parquet_bytes(merge_frames(stream, [whole]))
