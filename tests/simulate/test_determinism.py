from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import polars as pl
from polars.testing import assert_frame_equal

from aperiodic.market import Exchange, Stream, Symbol
from aperiodic.simulate import MarketSpec, simulate_day
from aperiodic.simulate.book import book_frame
from aperiodic.simulate.session import Session

if TYPE_CHECKING:
    from tests.simulate.conftest import Simulated

DAY = date(2025, 5, 1)
SPEC = MarketSpec(Exchange.BINANCE_FUTURES, Symbol.parse("perpetual-BTC-USDT:USDT"), seed=11)


def test_each_stream_alone_is_the_same_as_all_together(venue: Simulated) -> None:
    simulate_day(venue.spec, date(2025, 5, 2), [Stream.TRADES])
    for stream, together in venue.frames.items():
        alone = simulate_day(venue.spec, venue.day, [stream])
        assert list(alone) == [stream]
        assert_frame_equal(alone[stream], together, check_exact=True)


def test_seed_day_venue_and_symbol_each_give_another_market() -> None:
    hyperliquid = Symbol.parse("perpetual-BTC-USDC:USDC")
    markets = [
        (SPEC, DAY),
        (SPEC, date(2025, 5, 2)),
        (MarketSpec(SPEC.exchange, SPEC.symbol, seed=12), DAY),
        (MarketSpec(Exchange.OKX_PERPS, SPEC.symbol, seed=11), DAY),
        (MarketSpec(Exchange.HYPERLIQUID_PERPS, hyperliquid, seed=11), DAY),
        (MarketSpec(SPEC.exchange, Symbol.parse("perpetual-ETH-USDT:USDT"), seed=11), DAY),
    ]
    amounts = [simulate_day(spec, day, [Stream.TRADES])[Stream.TRADES]["amount"].to_list() for spec, day in markets]
    for index, one in enumerate(amounts):
        for another in amounts[:index]:
            agreeing = sum(a == b for a, b in zip(one, another, strict=True)) / len(one)
            assert agreeing < 0.05


def test_a_seed_keeps_its_market_from_version_to_version() -> None:
    frames = simulate_day(SPEC, DAY, [Stream.TRADES, Stream.MARK_PRICE, Stream.FUNDING_RATE])
    trades = frames[Stream.TRADES]
    assert trades.select("id", "side", "price", "amount").row(0) == ("404180001", "sell", 84991.0, 0.0009)
    assert trades.select("id", "side", "price", "amount").row(-1) == ("404200000", "buy", 83712.0, 0.0007)
    assert frames[Stream.MARK_PRICE]["mark_price"][43_200] == 85197.833
    assert frames[Stream.FUNDING_RATE]["funding_rate"][43_200] == 0.00012834


def test_parts_of_a_book_are_those_of_the_whole() -> None:
    session = Session(MarketSpec(SPEC.exchange, SPEC.symbol, seed=3, trades_per_day=2_000), DAY)
    whole = book_frame(session)
    parts = [book_frame(session, slice(start, start + 700)) for start in range(0, whole.height, 700)]
    assert len(parts) > 2
    assert pl.concat(parts).equals(whole)
