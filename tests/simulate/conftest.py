from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

import pytest

from aperiodic.market import Exchange, Stream, Symbol
from aperiodic.simulate import MarketSpec, simulate_day, streams_of

if TYPE_CHECKING:
    import polars as pl

SYMBOLS = {
    Exchange.BINANCE_FUTURES: "perpetual-BTC-USDT:USDT",
    Exchange.OKX_PERPS: "perpetual-BTC-USD:BTC",
    Exchange.HYPERLIQUID_PERPS: "perpetual-kPEPE-USDC:USDC",
    Exchange.BINANCE: "spot-ETH-BTC",
}


@dataclass(frozen=True)
class Simulated:
    spec: MarketSpec
    day: date
    frames: dict[Stream, pl.DataFrame]


@cache
def _simulated(exchange: Exchange) -> Simulated:
    spec = MarketSpec(exchange, Symbol.parse(SYMBOLS[exchange]), seed=11)
    day = date(2025, 5, 1)
    return Simulated(spec, day, simulate_day(spec, day, streams_of(exchange)))


@pytest.fixture(params=list(Exchange))
def venue(request: pytest.FixtureRequest) -> Simulated:
    """A day of every stream, for each venue in turn."""
    return _simulated(request.param)


@pytest.fixture(params=[exchange for exchange in Exchange if exchange is not Exchange.BINANCE])
def perpetual(request: pytest.FixtureRequest) -> Simulated:
    """A day of every stream, for each venue with perpetuals in turn."""
    return _simulated(request.param)
