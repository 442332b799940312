from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from aperiodic.market import Exchange, Stream, book_columns
from aperiodic.venues import has_modelled_time

if TYPE_CHECKING:
    from tests.simulate.conftest import Simulated

EXCHANGE_TIMED = [exchange for exchange in Exchange if not has_modelled_time(exchange, Stream.QUOTES)]


def trades_with_quote_before(market: Simulated) -> pl.DataFrame:
    trades = market.frames[Stream.TRADES].drop("local_timestamp", "sequence")
    quotes = market.frames[Stream.QUOTES].drop("local_timestamp", "sequence")
    return trades.join_asof(quotes, on="exchange_timestamp", strategy="backward", allow_exact_matches=False)


def test_takers_pay_the_best_quote_in_force_or_worse(perpetual: Simulated) -> None:
    joined = trades_with_quote_before(perpetual)
    assert joined["bid_price"].null_count() == 0
    buys = joined.filter(side="buy")
    sells = joined.filter(side="sell")
    assert (buys["price"] >= buys["ask_price"]).to_numpy().mean() > 0.99
    assert (sells["price"] <= sells["bid_price"]).to_numpy().mean() > 0.99
    at_best = (pl.col("price") == pl.when(side="buy").then("ask_price").otherwise("bid_price")).mean()
    assert 0.6 < joined.select(at_best).item() < 0.99


def test_a_lone_trade_takes_exactly_its_amount_from_the_quote(perpetual: Simulated) -> None:
    lone = (
        trades_with_quote_before(perpetual)
        .filter(pl.len().over("exchange_timestamp") == 1, side="buy")
        .filter(pl.col("price") == pl.col("ask_price"))
    )
    caused = (
        perpetual.frames[Stream.QUOTES]
        .group_by("exchange_timestamp", maintain_order=True)
        .first()
        .select(
            "exchange_timestamp", pl.col("ask_price", "ask_amount", "bid_price", "bid_amount").name.suffix("_after")
        )
    )
    both = lone.join(caused, on="exchange_timestamp", how="left", maintain_order="left")
    assert both["ask_price_after"].null_count() == 0
    assert (both["amount"] <= both["ask_amount"]).all()
    assert (both["bid_price"] == both["bid_price_after"]).all()
    assert (both["bid_amount"] == both["bid_amount_after"]).all()
    left = both.filter(pl.col("ask_price_after") == pl.col("ask_price"))
    gone = both.filter(pl.col("ask_price_after") != pl.col("ask_price"))
    assert (left["ask_amount"] - left["amount"] - left["ask_amount_after"]).abs().to_numpy().max() < 1e-6
    assert (gone["ask_price_after"] > gone["ask_price"]).all()
    assert (gone["amount"] == gone["ask_amount"]).all()
    assert min(left.height, gone.height) > 100


def test_quotes_are_never_crossed_or_empty(venue: Simulated) -> None:
    quotes = venue.frames[Stream.QUOTES]
    assert (quotes["bid_price"] < quotes["ask_price"]).all()
    assert quotes.select(pl.min_horizontal(pl.col("bid_price", "bid_amount", "ask_amount").min())).item() > 0


def test_the_best_level_of_the_book_is_the_quote_in_force(perpetual: Simulated) -> None:
    book = perpetual.frames[Stream.BOOK]
    joined = book.join_asof(perpetual.frames[Stream.QUOTES], on="exchange_timestamp", strategy="backward")
    assert book.height > 10_000
    for side in ("bid", "ask"):
        assert (joined[f"{side}_price_01"] == joined[f"{side}_price"]).all()
        assert (joined[f"{side}_amount_01"] == joined[f"{side}_amount"]).all()


def test_book_levels_are_distinct_ordered_and_positive(venue: Simulated) -> None:
    book = venue.frames[Stream.BOOK]
    for side, deeper in (("bid", pl.Expr.lt), ("ask", pl.Expr.gt)):
        prices = book_columns(side, "price")
        ordered = [deeper(pl.col(next_), pl.col(price)).all() for price, next_ in pairwise(prices)]
        assert book.select(pl.all_horizontal(ordered)).item()
        amounts = book.select(pl.min_horizontal(pl.col(book_columns(side, "amount")).min())).item()
        assert amounts > 0


def test_book_ticks_keep_their_distance_in_time(venue: Simulated) -> None:
    slice_ = "500ms" if venue.spec.exchange is Exchange.HYPERLIQUID_PERPS else "100ms"
    assert venue.frames[Stream.BOOK]["exchange_timestamp"].dt.truncate(slice_).is_unique().all()


@pytest.mark.parametrize("stream", [Stream.MARK_PRICE, Stream.INDEX_PRICE])
def test_mark_and_index_stay_close_to_the_last_trade(perpetual: Simulated, stream: Stream) -> None:
    joined = perpetual.frames[stream].join_asof(
        perpetual.frames[Stream.TRADES].select("exchange_timestamp", "price"), on="exchange_timestamp"
    )
    distance = (joined[stream] / joined["price"] - 1).abs().drop_nulls()
    assert np.median(distance) < 1e-3
    assert joined[stream].to_numpy().min() > 0


def test_spot_quotes_stand_at_their_arrival(venue: Simulated) -> None:
    quotes = venue.frames[Stream.QUOTES]
    stand_in = (quotes["exchange_timestamp"] == quotes["local_timestamp"]).all()
    assert stand_in is (venue.spec.exchange not in EXCHANGE_TIMED)
