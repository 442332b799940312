"""What a type checker says of calls: it is run over this file, and no comment here may be superfluous."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aperiodic

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import polars as pl

KEY = "key"
DAYS = ("2025-01-01", "2025-01-31")


def test_this_file_is_checked_by_its_types() -> None:
    assert set(globals()) >= {"calls_that_are_right", "calls_that_lack_something"}


def takes_polars(frame: pl.DataFrame) -> None: ...


def takes_pandas(frame: pd.DataFrame) -> None: ...


def takes_paths(paths: list[Path]) -> None: ...


async def calls_that_are_right() -> None:
    by_name = aperiodic.get_ohlcv(interval="1h", exchange="binance", symbol="s", start_date="d", end_date="d")
    takes_polars(by_name)
    by_place = aperiodic.get_ohlcv(KEY, "true", "1h", "binance", "s", *DAYS, output="pandas")
    takes_pandas(by_place)
    mixed = aperiodic.get_metrics(
        KEY, "flow", interval="1h", exchange="binance", symbol="s", start_date="d", end_date="d"
    )
    takes_polars(mixed)
    only_there = aperiodic.get_metrics(
        metric="sweep", interval="2h", exchange="kraken", symbol="s", start_date="d", end_date="d", output="pandas"
    )
    takes_pandas(only_there)
    awaited = await aperiodic.get_l1_metrics_async(
        metric="l1_price", interval="1h", exchange="binance", symbol="s", start_date="d", end_date="d"
    )
    takes_polars(awaited)
    kept = aperiodic.download_raw(
        KEY, dataset="trades", exchange="binance", symbol="s", start_date="d", end_date="d", output_dir="raw"
    )
    takes_paths(kept)


async def calls_that_lack_something() -> None:
    aperiodic.get_ohlcv()  # type: ignore[call-overload]
    aperiodic.get_vwap(KEY, "true")  # type: ignore[call-overload]
    aperiodic.get_metrics(KEY, "flow", "true", "1h", "binance", "s")  # type: ignore[call-overload]
    aperiodic.get_symbols(KEY)  # type: ignore[call-overload]
    aperiodic.get_raw(KEY)  # type: ignore[call-overload]
    aperiodic.download_raw(KEY)  # type: ignore[call-overload]
    await aperiodic.get_twap_async()  # type: ignore[call-overload]
    aperiodic.get_l2_metrics(
        metric="flow",  # type: ignore[arg-type]
        interval="1h",
        exchange="binance",
        symbol="s",
        start_date="d",
        end_date="d",
    )
    takes_pandas(  # a frame of the other library
        aperiodic.get_vwap(  # type: ignore[arg-type]
            interval="1h", exchange="binance", symbol="s", start_date="d", end_date="d"
        )
    )
