from __future__ import annotations

from datetime import date

import pytest

from aperiodic import simulate
from aperiodic.market import Exchange, InvalidInputError, Stream, Symbol
from aperiodic.simulate import MAX_TRADES_PER_DAY, MarketSpec, simulate_day, streams_of
from aperiodic.venues import venue_of

BTC = Symbol.parse("perpetual-BTC-USDT:USDT")


def test_exported_names() -> None:
    assert set(simulate.__all__) == {
        "DEFAULT_TRADES_PER_DAY",
        "MAX_TRADES_PER_DAY",
        "MarketSpec",
        "simulate_day",
        "simulate_into",
        "streams_of",
    }


def test_spot_has_three_streams_and_perpetuals_all() -> None:
    assert streams_of(Exchange.BINANCE) == (Stream.TRADES, Stream.QUOTES, Stream.BOOK)
    assert {streams_of(exchange) for exchange in Exchange if exchange is not Exchange.BINANCE} == {tuple(Stream)}


@pytest.mark.parametrize("trades", [0, -1, MAX_TRADES_PER_DAY + 1])
def test_trades_per_day_are_bounded(trades: int) -> None:
    with pytest.raises(InvalidInputError, match="20,000,000") as caught:
        MarketSpec(Exchange.BINANCE_FUTURES, BTC, seed=1, trades_per_day=trades)
    assert caught.value.code == "trades_per_day_out_of_range"


def test_a_symbol_of_another_venue_is_refused() -> None:
    with pytest.raises(InvalidInputError) as caught:
        MarketSpec(Exchange.BINANCE, BTC, seed=1)
    assert caught.value.code == "symbol_not_on_exchange"


def test_a_dated_future_is_refused() -> None:
    with pytest.raises(InvalidInputError) as caught:
        MarketSpec(Exchange.BINANCE_FUTURES, Symbol.parse("future-BTC-USDT:USDT-20260327"), seed=1)
    assert caught.value.code == "symbol_not_simulated"


def test_a_stream_that_the_venue_lacks_is_refused() -> None:
    spec = MarketSpec(Exchange.BINANCE, Symbol.parse("spot-BTC-USDT"), seed=1)
    with pytest.raises(InvalidInputError, match="trades, quotes, book") as caught:
        simulate_day(spec, date(2025, 5, 1), [Stream.TRADES, Stream.MARK_PRICE])
    assert caught.value.code == "stream_not_on_exchange"


def test_a_day_before_ids_begin_is_refused() -> None:
    with pytest.raises(InvalidInputError) as caught:
        simulate_day(MarketSpec(Exchange.BINANCE_FUTURES, BTC, seed=1), date(1969, 12, 31), [Stream.TRADES])
    assert caught.value.code == "day_out_of_range"


@pytest.mark.parametrize("exchange", Exchange)
def test_a_day_may_have_a_single_trade(exchange: Exchange) -> None:
    native = {Exchange.OKX_PERPS: "BTC-USDT-SWAP", Exchange.HYPERLIQUID_PERPS: "BTC"}.get(exchange, "BTCUSDT")
    spec = MarketSpec(exchange, venue_of(exchange).symbol(native), seed=1, trades_per_day=1)
    frames = simulate_day(spec, date(2025, 5, 1), streams_of(exchange))
    assert frames[Stream.TRADES].height == 1
    assert frames[Stream.QUOTES].height > 1_000
