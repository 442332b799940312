from __future__ import annotations

import polars as pl
import pytest

from aperiodic.market import BOOK_DEPTH, SIDE, Clock, Stream, book_columns, tick_schema

TIME = pl.Datetime("us", "UTC")
VALUES: dict[Stream, dict[str, pl.DataType]] = {
    Stream.TRADES: {"id": pl.String(), "side": pl.Enum(["buy", "sell"]), "price": pl.Float64(), "amount": pl.Float64()},
    Stream.QUOTES: {name: pl.Float64() for name in ("bid_price", "bid_amount", "ask_price", "ask_amount")},
    Stream.MARK_PRICE: {"mark_price": pl.Float64()},
    Stream.INDEX_PRICE: {"index_price": pl.Float64()},
    Stream.FUNDING_RATE: {"funding_rate": pl.Float64(), "next_funding_time": TIME},
    Stream.OPEN_INTEREST: {"open_interest": pl.Float64()},
}


@pytest.mark.parametrize("stream", VALUES)
def test_a_tick_file_holds_two_times_the_values_and_the_sequence(stream: Stream) -> None:
    expected = {"exchange_timestamp": TIME, "local_timestamp": TIME, **VALUES[stream], "sequence": pl.Int64()}
    assert list(tick_schema(stream).items()) == list(expected.items())


def test_a_book_tick_holds_25_levels_a_side_best_first_price_before_amount() -> None:
    names = list(tick_schema(Stream.BOOK))
    assert names[:5] == ["exchange_timestamp", "local_timestamp", "bid_price_01", "bid_amount_01", "bid_price_02"]
    assert names[50:54] == ["bid_price_25", "bid_amount_25", "ask_price_01", "ask_amount_01"]
    assert names[-4:] == ["ask_price_25", "ask_amount_25", "depth", "sequence"]
    assert len(names) == 2 + 4 * BOOK_DEPTH + 2 == 104
    assert set(tick_schema(Stream.BOOK).dtypes()[2:-2]) == {pl.Float64()}


def test_book_columns_are_those_of_the_schema() -> None:
    assert book_columns("ask", "amount")[::24] == ["ask_amount_01", "ask_amount_25"]
    every = [name for side in ("bid", "ask") for what in ("price", "amount") for name in book_columns(side, what)]
    assert sorted(every) == sorted(list(tick_schema(Stream.BOOK))[2:-2])


def test_every_stream_has_the_columns_of_both_clocks() -> None:
    for stream in Stream:
        assert [clock.column for clock in Clock] == list(tick_schema(stream))[:2]


def test_a_side_other_than_buy_and_sell_is_refused() -> None:
    with pytest.raises(pl.exceptions.InvalidOperationError):
        pl.Series(["buy", "Sell"]).cast(SIDE)
