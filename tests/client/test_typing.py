"""What a type checker says of calls: it is run over this file, and no comment here may be superfluous."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import aperiodic

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import pandas as pd
    import polars as pl

KEY = "key"
DAYS = ("2025-01-01", "2025-01-31")


def test_this_file_is_checked_by_its_types() -> None:
    assert set(globals()) >= {"calls_that_are_right", "calls_that_lack_something", "streams", "streams_that_are_wrong"}


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


async def streams() -> None:
    listed: aperiodic.StreamChannel = {"dataset": "flow", "exchange": "binance", "interval": "1m", "symbols": ["s"]}
    with aperiodic.stream(
        KEY, "ohlcv", "binance", "1m", ["s"], channels=["a.b.1s", listed], since="2025-01-01"
    ) as live:
        for message in live:
            takes_message(message)
            break
        takes_polars(live.frame(5, channel="a.b.1s"))
        takes_polars(await live.frame_async(5))
        takes_gaps(live.gaps)
        if live.subscription is not None:
            takes_texts(live.subscription.channels)
            takes_texts(tuple(refusal.code for refusal in live.subscription.rejected))
    followed = aperiodic.follow(
        metric="flow", interval="1s", exchange="binance", symbol=["s", "t"], start=date(2025, 1, 1), timestamp="true"
    )
    async with followed as rows:
        async for message in rows:
            takes_message(message)
    await followed.close_async()
    try:
        next(iter(followed))
    except aperiodic.StreamClosedError as closed:
        takes_number(closed.code)
    except aperiodic.StreamSubscriptionError as refused:
        takes_texts(tuple(refusal.message for refusal in refused.rejected))


def takes_message(message: aperiodic.StreamMessage) -> None:
    takes_texts((message.channel, message.symbol or ""))
    takes_number(message.revision + (message.time_us or 0))
    takes_flag(message.complete)
    takes_flag(message.corrected)
    takes_moment(message.time)


def takes_gaps(gaps: list[tuple[datetime, datetime]]) -> None: ...


def takes_texts(texts: tuple[str, ...]) -> None: ...


def takes_number(number: int) -> None: ...


def takes_flag(flag: bool | None) -> None: ...


def takes_moment(moment: datetime | None) -> None: ...


async def streams_that_are_wrong() -> None:
    aperiodic.follow(metric="flow", interval="1m", exchange="binance")  # type: ignore[call-arg]
    aperiodic.follow(KEY, "flow", "1m", "binance", "s", "d")  # type: ignore[call-arg]
    aperiodic.stream(KEY, "ohlcv", "binance", "1m", ["s"], ["a.b.1s"])  # type: ignore[call-arg]
    aperiodic.stream(symbols=5)  # type: ignore[arg-type]
    aperiodic.stream(channels=[{"dataset": "flow"}])  # type: ignore[list-item]
    takes_polars(await aperiodic.stream(KEY).frame_async())  # type: ignore[call-arg]
    for message in aperiodic.stream(KEY):
        takes_number(message.time_us)  # type: ignore[arg-type]
        message.data = {}  # type: ignore[misc]


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
