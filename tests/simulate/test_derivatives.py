from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from aperiodic.market import Exchange, Stream

if TYPE_CHECKING:
    from tests.simulate.conftest import Simulated


@pytest.mark.parametrize("stream", [Stream.MARK_PRICE, Stream.INDEX_PRICE])
def test_mark_and_index_come_at_the_venue_rhythm(perpetual: Simulated, stream: Stream) -> None:
    every = 3 if perpetual.spec.exchange is Exchange.HYPERLIQUID_PERPS else 1
    time = perpetual.frames[stream]["exchange_timestamp"]
    assert len(time) == 86_400 // every
    assert time.dt.truncate(f"{every}s").is_unique().all()


def test_one_message_carries_mark_index_and_funding_except_on_okx(perpetual: Simulated) -> None:
    arrivals = [
        perpetual.frames[stream]["local_timestamp"]
        for stream in (Stream.MARK_PRICE, Stream.INDEX_PRICE, Stream.FUNDING_RATE)
    ]
    together = arrivals[0].equals(arrivals[1]) and arrivals[0].equals(arrivals[2])
    assert together is (perpetual.spec.exchange is not Exchange.OKX_PERPS)


def test_funding_is_paid_at_whole_periods_still_to_come(perpetual: Simulated) -> None:
    hours = 1 if perpetual.spec.exchange is Exchange.HYPERLIQUID_PERPS else 8
    ahead = perpetual.frames[Stream.FUNDING_RATE].select(
        wait=pl.col("next_funding_time") - pl.col("exchange_timestamp"), due="next_funding_time"
    )
    assert (
        ahead.select((pl.col("wait") > pl.duration()) & (pl.col("wait") <= pl.duration(hours=hours))).to_series().all()
    )
    assert sorted(ahead["due"].unique().dt.hour()) == sorted((hour + hours) % 24 for hour in range(0, 24, hours))
    assert (ahead["due"].dt.truncate("1h") == ahead["due"]).all()


def test_the_funding_rate_is_small_and_changes_slowly(perpetual: Simulated) -> None:
    rate = perpetual.frames[Stream.FUNDING_RATE]["funding_rate"]
    changes = (rate.diff().drop_nulls() != 0).sum()
    assert 100 < changes < 1_440
    assert rate.abs().to_numpy().max() < 1e-3


def test_mark_and_index_differ_by_some_basis_points(perpetual: Simulated) -> None:
    mark = perpetual.frames[Stream.MARK_PRICE]["mark_price"]
    index = perpetual.frames[Stream.INDEX_PRICE]["index_price"]
    basis = (mark / index - 1).abs()
    assert 0 < np.median(basis) < 1e-3
    assert basis.to_numpy().max() < 3e-3


def test_open_interest_comes_each_minute_and_moves(perpetual: Simulated) -> None:
    frame = perpetual.frames[Stream.OPEN_INTEREST]
    assert frame.height == 1_440
    assert frame["open_interest"].to_numpy().min() > 0
    assert frame["open_interest"].n_unique() > 1_000
