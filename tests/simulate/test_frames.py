from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from aperiodic.market import Exchange, Stream, book_columns, tick_schema
from aperiodic.simulate import streams_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from tests.simulate.conftest import Simulated

CLOCKLESS = {
    Exchange.BINANCE: {Stream.QUOTES},
    Exchange.HYPERLIQUID_PERPS: {
        Stream.MARK_PRICE,
        Stream.INDEX_PRICE,
        Stream.FUNDING_RATE,
        Stream.OPEN_INTEREST,
    },
}


def test_frames_follow_the_tick_schema(venue: Simulated) -> None:
    assert tuple(venue.frames) == streams_of(venue.spec.exchange)
    for stream, frame in venue.frames.items():
        assert frame.schema == tick_schema(stream)


def test_times_are_of_the_day_and_in_file_order(venue: Simulated) -> None:
    for frame in venue.frames.values():
        time = frame["exchange_timestamp"]
        assert time.is_sorted()
        assert time.dt.date().unique().to_list() == [venue.day]


def delays_us(frame: pl.DataFrame) -> npt.NDArray[np.int64]:
    return (frame["local_timestamp"] - frame["exchange_timestamp"]).dt.total_microseconds().to_numpy()


def test_arrival_follows_sending_within_a_second(venue: Simulated) -> None:
    for stream, frame in venue.frames.items():
        delay = delays_us(frame)
        if stream in CLOCKLESS.get(venue.spec.exchange, set()):
            assert (delay == 0).all()
            continue
        assert (frame["exchange_timestamp"].dt.microsecond() % 1_000 == 0).all()
        assert delay.min() > 0
        assert delay.max() <= 1_000_000
        assert 1_000 < np.median(delay) < 100_000
        assert frame["local_timestamp"].is_sorted()


def test_some_trades_are_held_up(venue: Simulated) -> None:
    assert delays_us(venue.frames[Stream.TRADES]).max() > 200_000


@pytest.mark.parametrize("stream", [Stream.TRADES, Stream.QUOTES, Stream.BOOK])
def test_numbering_follows_the_venue(venue: Simulated, stream: Stream) -> None:
    sequence = venue.frames[stream]["sequence"]
    if venue.spec.exchange is Exchange.HYPERLIQUID_PERPS:
        assert sequence.null_count() == len(sequence)
    else:
        assert sequence.null_count() == 0
        assert (sequence.diff().drop_nulls() > 0).all()


def test_trade_ids_are_unique_and_sequential_only_where_the_venue_numbers_trades(venue: Simulated) -> None:
    trades = venue.frames[Stream.TRADES]
    ids = trades["id"].cast(pl.Int64)
    assert ids.is_unique().all()
    if venue.spec.exchange is Exchange.HYPERLIQUID_PERPS:
        assert 0.4 < (ids.diff().drop_nulls() > 0).to_numpy().mean() < 0.6
    else:
        assert (ids.diff().drop_nulls() == 1).all()
        assert trades["sequence"].equals(ids.alias("sequence"))


def test_values_are_the_floats_nearest_to_short_decimals(venue: Simulated) -> None:
    frames = {stream: frame.head(2_000) for stream, frame in venue.frames.items()}
    for stream, columns in (
        (Stream.TRADES, ["price", "amount"]),
        (Stream.QUOTES, ["bid_price", "ask_price", "bid_amount", "ask_amount"]),
        (Stream.BOOK, ["bid_price_07", "ask_amount_20"]),
    ):
        for column in columns:
            shortest = [Decimal(repr(value)).as_tuple().exponent for value in frames[stream][column]]
            assert min(int(exponent) for exponent in shortest) >= -8


def test_the_book_is_as_deep_as_the_venue_shows_it(venue: Simulated) -> None:
    book = venue.frames[Stream.BOOK]
    shown = 20 if venue.spec.exchange is Exchange.HYPERLIQUID_PERPS else 25
    for side in ("bid", "ask"):
        for what in ("price", "amount"):
            nulls = [book[name].null_count() for name in book_columns(side, what)]
            assert nulls == [0] * shown + [book.height] * (25 - shown)
