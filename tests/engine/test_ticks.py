from __future__ import annotations

from collections import Counter
from itertools import permutations
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aperiodic.engine.errors import ImportSourceError
from aperiodic.engine.merging import merge_frames
from aperiodic.engine.ticks import merge_ticks
from aperiodic.lake import ObjectKind
from aperiodic.lake.writing import parquet_bytes
from aperiodic.market import Exchange, Source, Stream, Symbol, tick_schema

if TYPE_CHECKING:
    from random import Random

    from aperiodic.lake import Lake

MIDNIGHT = 1_680_652_800_000_000
BTC = Symbol.parse("perpetual-BTC-USDT:USDT")

Row = tuple[Any, ...]


def frame(stream: Stream, rows: list[Row]) -> pl.DataFrame:
    schema = tick_schema(stream)
    if not rows:
        return pl.DataFrame(schema=schema)
    plain = [
        pl.Series(name, values, dtype=pl.Int64).cast(dtype)
        if isinstance(dtype, pl.Datetime)
        else pl.Series(name, values, dtype=dtype)
        for (name, dtype), values in zip(schema.items(), zip(*rows, strict=True), strict=True)
    ]
    return pl.DataFrame(plain)


def trade(number: int, *, late: int = 0, at: int = MIDNIGHT, name: str | None = None) -> Row:
    return (at + number, at + number + 5 + late, name or str(number), "buy", 100.0 + number, 1.0, number)


numbered = st.lists(st.builds(trade, st.integers(1, 30), late=st.integers(0, 3)), min_size=1, max_size=30)
marks = st.lists(
    st.tuples(
        st.integers(1, 5).map(lambda n: MIDNIGHT + n),
        st.integers(1, 9).map(lambda n: MIDNIGHT + n),
        st.sampled_from([1.0, 2.0]),
        st.none(),
    ),
    min_size=1,
    max_size=20,
)


@given(numbered, numbered, numbered)
def test_numbered_ticks_merge_to_the_same_bytes_in_any_order(a: list[Row], b: list[Row], c: list[Row]) -> None:
    one, two, three = (frame(Stream.TRADES, rows) for rows in (a, b, c))
    left = merge_frames(Stream.TRADES, [merge_frames(Stream.TRADES, [merge_frames(Stream.TRADES, [one]), two]), three])
    right = merge_frames(Stream.TRADES, [merge_frames(Stream.TRADES, [merge_frames(Stream.TRADES, [three]), two]), one])
    assert parquet_bytes(left) == parquet_bytes(right)
    assert parquet_bytes(merge_frames(Stream.TRADES, [left, two])) == parquet_bytes(left)
    assert left["sequence"].to_list() == sorted({row[-1] for row in a + b + c})
    earliest = {number: min(row[1] for row in a + b + c if row[-1] == number) for number in left["sequence"]}
    assert left["local_timestamp"].to_physical().to_list() == list(earliest.values())


@given(marks, marks)
def test_a_message_seen_by_two_recorders_is_one_event(a: list[Row], b: list[Row]) -> None:
    one, two = frame(Stream.MARK_PRICE, a), frame(Stream.MARK_PRICE, b)
    both = [[(MIDNIGHT, MIDNIGHT + 10)]] * 2
    merged = merge_frames(Stream.MARK_PRICE, [merge_frames(Stream.MARK_PRICE, [one]), two], both)
    assert merged.equals(merge_frames(Stream.MARK_PRICE, [merge_frames(Stream.MARK_PRICE, [two]), one], both))
    counts = [Counter((row[0], row[2]) for row in rows) for rows in (a, b)]
    assert merged.height == (counts[0] | counts[1]).total()
    assert merged["local_timestamp"].is_sorted()


def test_a_state_may_return_to_a_value_within_one_time() -> None:
    rows = [(MIDNIGHT, MIDNIGHT + late, value, None) for late, value in ((1, 51.0), (2, 52.0), (3, 51.0))]
    for order in permutations(rows):  # a file each
        merged = frame(Stream.MARK_PRICE, [])
        for row in order:
            merged = merge_frames(Stream.MARK_PRICE, [merged, frame(Stream.MARK_PRICE, [row])])
        assert merged["mark_price"].to_list() == [51.0, 52.0, 51.0]
    assert merge_frames(Stream.MARK_PRICE, [frame(Stream.MARK_PRICE, rows)])["mark_price"].to_list() == [51, 52, 51]


restarted = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 8)), min_size=1, max_size=24, unique=True
)  # which count, and the number in it


@given(restarted, st.randoms(use_true_random=False))
def test_numbers_that_begin_anew_lose_nothing_in_any_order_of_files(
    events: list[tuple[int, int]], shuffle: Random
) -> None:
    hour = 3_600_000_000
    rows = [trade(number, at=MIDNIGHT + count * hour) for count, number in events]
    whole = merge_frames(Stream.TRADES, [frame(Stream.TRADES, rows)])
    assert whole.height == len(events)
    shuffle.shuffle(rows)
    merged = frame(Stream.TRADES, [])
    for start in range(0, len(rows), 3):
        merged = merge_frames(Stream.TRADES, [merged, frame(Stream.TRADES, rows[max(0, start - 1) : start + 3])])
    assert merged.equals(whole)


def test_ticks_are_ordered_by_count_and_number() -> None:
    hour = 3_600_000_000
    rows = [trade(number, at=MIDNIGHT + count * hour) for count in (0, 1) for number in (1, 2, 3)]
    merged = merge_frames(Stream.TRADES, [frame(Stream.TRADES, rows[::-1])])
    assert merged["sequence"].to_list() == [1, 2, 3, 1, 2, 3]
    assert merged["exchange_timestamp"].is_sorted()


unnumbered = st.lists(
    st.tuples(
        st.just(MIDNIGHT),
        st.integers(1, 6).map(lambda n: MIDNIGHT + n),
        *(st.sampled_from([1.0, 2.0]) for _ in range(4)),
        st.none(),
    ),
    min_size=2,
    max_size=30,
).map(lambda rows: sorted(rows, key=lambda row: row[1]))


@given(unnumbered, st.data())
def test_overlapping_parts_of_one_recording_give_the_recording_again(rows: list[Row], data: st.DataObject) -> None:
    arrivals = sorted({row[1] for row in rows})
    first_end = data.draw(st.sampled_from(arrivals))
    second_begin = data.draw(st.sampled_from([at for at in arrivals if at <= first_end]))
    first = frame(Stream.QUOTES, [row for row in rows if row[1] <= first_end])
    second = frame(Stream.QUOTES, [row for row in rows if row[1] >= second_begin])
    whole = frame(Stream.QUOTES, rows)
    for parts in ([first, second], [second, first]):
        merged = merge_frames(Stream.QUOTES, [merge_frames(Stream.QUOTES, [parts[0]]), parts[1]])
        assert merged.equals(whole)


def test_equal_rows_of_one_file_are_events_of_their_own() -> None:
    row = (MIDNIGHT, MIDNIGHT, 1.0, 1.0, 2.0, 1.0, None)
    once, twice = frame(Stream.QUOTES, [row]), frame(Stream.QUOTES, [row, row])
    assert merge_frames(Stream.QUOTES, [twice, once]).height == 2
    assert merge_frames(Stream.QUOTES, [once, once]).height == 1


def merge(lake: Lake, rows: list[Row], source: Source = Source.RECORDING) -> None:
    batch = lake.batch()
    merge_ticks(lake, batch, Stream.TRADES, Exchange.BINANCE_FUTURES, BTC, frame(Stream.TRADES, rows), source)
    batch.commit()


def test_ticks_go_to_the_utc_day_of_their_exchange_time(lake: Lake) -> None:
    merge(lake, [trade(1, at=MIDNIGHT - 2), trade(2, at=MIDNIGHT - 2)])
    before, after = lake.current(ObjectKind.TICKS)
    assert [before.key.period, after.key.period] == ["2023-04-04", "2023-04-05"]
    assert (before.first_exchange, before.last_local) == (MIDNIGHT - 1, MIDNIGHT + 4)
    assert lake.store.read_parquet(after.path).schema == tick_schema(Stream.TRADES)


def test_merging_the_same_ticks_again_makes_no_new_revision(lake: Lake) -> None:
    merge(lake, [trade(1), trade(2)])
    merge(lake, [trade(2)])
    assert [record.revision for record in lake.current(ObjectKind.TICKS)] == [1]
    merge(lake, [trade(3)])
    assert [(record.revision, record.rows) for record in lake.current(ObjectKind.TICKS)] == [(2, 3)]


@pytest.mark.parametrize(
    ("rows", "source"), [([trade(5)], Source.TARDIS), ([trade(5, name="3")], Source.RECORDING)], ids=str
)
def test_a_day_never_mixes_what_is_counted_differently(lake: Lake, rows: list[Row], source: Source) -> None:
    merge(lake, [trade(1)])
    with pytest.raises(ImportSourceError) as caught:
        merge(lake, rows, source)
    assert caught.value.code == "source_conflict"
    assert [record.rows for record in lake.current(ObjectKind.TICKS)] == [1]
