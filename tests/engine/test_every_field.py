"""All fields of all datasets, on all intervals and both clocks, through a lake, against the oracles."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING

import pytest
from tests import oracle
from tests.checked import compare
from tests.lakes import published, put_ticks

from aperiodic.catalog import DATASETS
from aperiodic.engine.build import build
from aperiodic.lake import Lake, Settings
from aperiodic.market import Clock, Interval, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl
    from tests.oracle import Market

TRADES = 3_000


@pytest.fixture(scope="module")
def market() -> Market:
    """Two days over the edge of a month; arrivals disagree with events on bar, day and month."""
    return oracle.random_market(seed=17, n=TRADES, start=date(2025, 4, 30), days=2)


@pytest.fixture(scope="module")
def lake(market: Market, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with closing(Lake.open(Settings(home=tmp_path_factory.mktemp("home")))) as opened:
        for stream in Stream:
            put_ticks(opened, stream, getattr(market, stream.value))
        build(opened)
        yield opened


def expected(market: Market, clock: Clock, interval: Interval) -> dict[str, pl.DataFrame]:
    at = (clock.value, interval.value)
    return {
        **oracle.bars_python(market.trades, *at),
        **oracle.trade_bars_python(market.trades, *at),
        **oracle.slippage_bars(market.trades, market.quotes, *at),
        **oracle.quote_bars(market.quotes, *at),
        **oracle.book_bars(market.book, *at),
        **oracle.derivative_bars(market.mark_price, market.index_price, market.trades, *at),
        **oracle.funding_bars(market.funding_rate, *at),
        **oracle.open_interest_bars(market.open_interest, market.mark_price, *at),
    }


@pytest.mark.parametrize(("clock", "interval"), [(clock, interval) for clock in Clock for interval in clock.intervals])
def test_every_field_agrees_with_the_oracle(lake: Lake, market: Market, clock: Clock, interval: Interval) -> None:
    frames = expected(market, clock, interval)
    assert frames.keys() == DATASETS.keys()
    for dataset, frame in frames.items():
        compare(published(lake, dataset, clock, interval), frame, dataset, clock, interval)
