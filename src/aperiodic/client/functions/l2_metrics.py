"""`get_l2_metrics` and its async twin. Made by `make docs` (client/function_writer.py) from the catalog: change it there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

from aperiodic.client.bars_request import BarsRequest
from aperiodic.client.cache import Cache
from aperiodic.client.fetch import fetch_once
from aperiodic.client.request import REQUIRED
from aperiodic.client.sync import run_blocking

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]  # need not be installed
    import polars as pl

    from aperiodic.client.known import Exchange, Interval, L2Metric, TimestampType
    from aperiodic.client.types import Day, Fill, OnIncomplete, OutputFormat, Shape

__all__ = ["get_l2_metrics", "get_l2_metrics_async"]


@overload
def get_l2_metrics(
    api_key: str | None = None,
    *,
    metric: L2Metric | Sequence[L2Metric],
    timestamp: TimestampType = "exchange",
    interval: Interval | str,
    exchange: Exchange | str | Sequence[Exchange | str],
    symbol: str | Sequence[str],
    start_date: Day,
    end_date: Day,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    output: Literal["polars"] = "polars",
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
    columns: Sequence[str] | None = None,
    shape: Shape = "long",
    fill: Fill = "none",
    cache: bool | str | PathLike[str] | None = None,
) -> pl.DataFrame: ...


@overload
def get_l2_metrics(
    api_key: str | None = None,
    *,
    metric: L2Metric | Sequence[L2Metric],
    timestamp: TimestampType = "exchange",
    interval: Interval | str,
    exchange: Exchange | str | Sequence[Exchange | str],
    symbol: str | Sequence[str],
    start_date: Day,
    end_date: Day,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    output: Literal["pandas"],
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
    columns: Sequence[str] | None = None,
    shape: Shape = "long",
    fill: Fill = "none",
    cache: bool | str | PathLike[str] | None = None,
) -> pd.DataFrame: ...


@overload
def get_l2_metrics(
    api_key: str | None,
    metric: L2Metric | Sequence[L2Metric],
    timestamp: TimestampType = "exchange",
    *,
    interval: Interval | str,
    exchange: Exchange | str | Sequence[Exchange | str],
    symbol: str | Sequence[str],
    start_date: Day,
    end_date: Day,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    output: Literal["polars"] = "polars",
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
    columns: Sequence[str] | None = None,
    shape: Shape = "long",
    fill: Fill = "none",
    cache: bool | str | PathLike[str] | None = None,
) -> pl.DataFrame: ...


@overload
def get_l2_metrics(
    api_key: str | None,
    metric: L2Metric | Sequence[L2Metric],
    timestamp: TimestampType = "exchange",
    *,
    interval: Interval | str,
    exchange: Exchange | str | Sequence[Exchange | str],
    symbol: str | Sequence[str],
    start_date: Day,
    end_date: Day,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    output: Literal["pandas"],
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
    columns: Sequence[str] | None = None,
    shape: Shape = "long",
    fill: Fill = "none",
    cache: bool | str | PathLike[str] | None = None,
) -> pd.DataFrame: ...


@overload
def get_l2_metrics(
    api_key: str | None,
    metric: L2Metric | Sequence[L2Metric],
    timestamp: TimestampType,
    interval: Interval | str,
    exchange: Exchange | str | Sequence[Exchange | str],
    symbol: str | Sequence[str],
    start_date: Day,
    end_date: Day,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    *,
    output: Literal["polars"] = "polars",
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
    columns: Sequence[str] | None = None,
    shape: Shape = "long",
    fill: Fill = "none",
    cache: bool | str | PathLike[str] | None = None,
) -> pl.DataFrame: ...


@overload
def get_l2_metrics(
    api_key: str | None,
    metric: L2Metric | Sequence[L2Metric],
    timestamp: TimestampType,
    interval: Interval | str,
    exchange: Exchange | str | Sequence[Exchange | str],
    symbol: str | Sequence[str],
    start_date: Day,
    end_date: Day,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    *,
    output: Literal["pandas"],
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
    columns: Sequence[str] | None = None,
    shape: Shape = "long",
    fill: Fill = "none",
    cache: bool | str | PathLike[str] | None = None,
) -> pd.DataFrame: ...


def get_l2_metrics(
    api_key: str | None = None,
    metric: L2Metric | Sequence[L2Metric] = REQUIRED,
    timestamp: TimestampType = "exchange",
    interval: Interval | str = REQUIRED,
    exchange: Exchange | str | Sequence[Exchange | str] = REQUIRED,
    symbol: str | Sequence[str] = REQUIRED,
    start_date: Day = REQUIRED,
    end_date: Day = REQUIRED,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    *,
    output: OutputFormat = "polars",
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
    columns: Sequence[str] | None = None,
    shape: Shape = "long",
    fill: Fill = "none",
    cache: bool | str | PathLike[str] | None = None,
) -> pl.DataFrame | pd.DataFrame:
    """Fetch a dataset made from order book snapshots.

    Args:
        api_key: Your key; by default APERIODIC_API_KEY, or the public demo key with preview=True.
        metric: One of
            l2_imbalance: Amounts on the best 5, 10, 20 and 25 bid and ask levels against each other, at the last
                snapshot and on average.
                Columns: imbalance_5 (base units; null: a side of the book is empty at the last snapshot),
                imbalance_ratio_5 (ratio; null: a side of the book is empty at the last snapshot), bid_ask_ratio_5
                (ratio; null: a side of the book is empty at the last snapshot), imbalance_5_avg (base units; null: a
                side of the book is empty at every snapshot of the interval), imbalance_ratio_5_avg (ratio; null: a side
                of the book is empty at every snapshot of the interval), bid_ask_ratio_5_avg (ratio; null: a side of the
                book is empty at every snapshot of the interval), imbalance_10 (base units; null: a side of the book is
                empty at the last snapshot), imbalance_ratio_10 (ratio; null: a side of the book is empty at the last
                snapshot), bid_ask_ratio_10 (ratio; null: a side of the book is empty at the last snapshot),
                imbalance_10_avg (base units; null: a side of the book is empty at every snapshot of the interval),
                imbalance_ratio_10_avg (ratio; null: a side of the book is empty at every snapshot of the interval),
                bid_ask_ratio_10_avg (ratio; null: a side of the book is empty at every snapshot of the interval),
                imbalance_20 (base units; null: a side of the book is empty at the last snapshot), imbalance_ratio_20
                (ratio; null: a side of the book is empty at the last snapshot), bid_ask_ratio_20 (ratio; null: a side
                of the book is empty at the last snapshot), imbalance_20_avg (base units; null: a side of the book is
                empty at every snapshot of the interval), imbalance_ratio_20_avg (ratio; null: a side of the book is
                empty at every snapshot of the interval), bid_ask_ratio_20_avg (ratio; null: a side of the book is empty
                at every snapshot of the interval), imbalance_25 (base units; null: a side of the book is empty at the
                last snapshot), imbalance_ratio_25 (ratio; null: a side of the book is empty at the last snapshot),
                bid_ask_ratio_25 (ratio; null: a side of the book is empty at the last snapshot), imbalance_25_avg (base
                units; null: a side of the book is empty at every snapshot of the interval), imbalance_ratio_25_avg
                (ratio; null: a side of the book is empty at every snapshot of the interval), bid_ask_ratio_25_avg
                (ratio; null: a side of the book is empty at every snapshot of the interval).
            l2_liquidity: Amounts on the best 5, 10, 20 and 25 bid and ask levels, at the last snapshot and on average.
                Columns: ask_agg_5 (base units; null: no asks in the book at the last snapshot), ask_agg_10 (base units;
                null: no asks in the book at the last snapshot), ask_agg_20 (base units; null: no asks in the book at
                the last snapshot), ask_agg_25 (base units; null: no asks in the book at the last snapshot), bid_agg_5
                (base units; null: no bids in the book at the last snapshot), bid_agg_10 (base units; null: no bids in
                the book at the last snapshot), bid_agg_20 (base units; null: no bids in the book at the last snapshot),
                bid_agg_25 (base units; null: no bids in the book at the last snapshot), ask_agg_5_avg (base units;
                null: no asks in the book at every snapshot of the interval), ask_agg_10_avg (base units; null: no asks
                in the book at every snapshot of the interval), ask_agg_20_avg (base units; null: no asks in the book at
                every snapshot of the interval), ask_agg_25_avg (base units; null: no asks in the book at every snapshot
                of the interval), bid_agg_5_avg (base units; null: no bids in the book at every snapshot of the
                interval), bid_agg_10_avg (base units; null: no bids in the book at every snapshot of the interval),
                bid_agg_20_avg (base units; null: no bids in the book at every snapshot of the interval), bid_agg_25_avg
                (base units; null: no bids in the book at every snapshot of the interval).
        timestamp: Clock: "exchange" for the venue's event time, "true" for the arrival time at the capture host.
        interval: Bar length, "1s" to "1d". Those below a minute need the Prime plan and timestamp="true".
        exchange: Venue, for example "binance-futures", or several.
        symbol: Instrument in the Atlas symbology, for example "perpetual-BTC-USDT:USDT", or several.
        start_date: First day, in UTC: a date, a datetime (an aware one is converted to UTC) or an ISO 8601 string.
        end_date: Last day, included.
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else
            https://aperiodic.io/api/v1.
        show_progress: Draw a progress bar.
        max_concurrent: Downloads at the same time, 1 to 100.
        output: Library of the returned frame, "polars" or "pandas".
        preview: Ask for the free sample.
        on_incomplete: What to do when part of the data does not exist: "warn" (IncompleteDataWarning), "raise"
            (IncompleteDataError, before any download) or "ignore".
        columns: Names of the columns to fetch beside the time; by default all. Only their bytes are transferred, where
            the server allows it. `flow.volume` is that of one dataset.
        shape: How several series become one frame: "long", below each other with the columns `exchange` and `symbol`
            for what was given as a list, or "wide", beside each other with names like `close|perpetual-BTC-USDT:USDT`.
        fill: Rows of intervals without data: "none", "null" (every interval of the range has a row) or "forward" (in
            those rows, prices and other states of the last event hold for 24 hours; sums, counts and changes are null).
        cache: Folder in which files are kept once they were fetched; by default APERIODIC_CACHE_DIR, else the user's
            cache folder. False: none.

    Returns:
        A frame with one row per interval in which something happened: `time` (start of the interval, timezone-naive
        UTC, ascending, unique) and the dataset's columns, then those that only the server knows.

    Raises:
        InvalidInputError: A value is missing or not valid; no data was asked for. For a name that this version does not
            know, the server's catalog decides.
        APIError: The server answered with an error.
        DownloadError: A file could not be fetched, or is not what the server said it was.
        IncompleteDataError: Data is missing and on_incomplete is "raise".
        AperiodicDataError: The server could not be reached (`server_unreachable`). Base of all the above.
    """
    request = BarsRequest.parse(
        metric,
        family=("book",),
        api_key=api_key,
        timestamp=timestamp,
        interval=interval,
        exchange=exchange,
        symbol=symbol,
        start_date=start_date,
        end_date=end_date,
        base_url=base_url,
        show_progress=show_progress,
        max_concurrent=max_concurrent,
        output=output,
        preview=preview,
        on_incomplete=on_incomplete,
        columns=columns,
        shape=shape,
        fill=fill,
    )
    return run_blocking(fetch_once(request, Cache.parse(cache))).hand_over(stacklevel=2)


@overload
async def get_l2_metrics_async(
    api_key: str | None = None,
    *,
    metric: L2Metric | Sequence[L2Metric],
    timestamp: TimestampType = "exchange",
    interval: Interval | str,
    exchange: Exchange | str | Sequence[Exchange | str],
    symbol: str | Sequence[str],
    start_date: Day,
    end_date: Day,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    output: Literal["polars"] = "polars",
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
    columns: Sequence[str] | None = None,
    shape: Shape = "long",
    fill: Fill = "none",
    cache: bool | str | PathLike[str] | None = None,
) -> pl.DataFrame: ...


@overload
async def get_l2_metrics_async(
    api_key: str | None = None,
    *,
    metric: L2Metric | Sequence[L2Metric],
    timestamp: TimestampType = "exchange",
    interval: Interval | str,
    exchange: Exchange | str | Sequence[Exchange | str],
    symbol: str | Sequence[str],
    start_date: Day,
    end_date: Day,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    output: Literal["pandas"],
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
    columns: Sequence[str] | None = None,
    shape: Shape = "long",
    fill: Fill = "none",
    cache: bool | str | PathLike[str] | None = None,
) -> pd.DataFrame: ...


@overload
async def get_l2_metrics_async(
    api_key: str | None,
    metric: L2Metric | Sequence[L2Metric],
    timestamp: TimestampType = "exchange",
    *,
    interval: Interval | str,
    exchange: Exchange | str | Sequence[Exchange | str],
    symbol: str | Sequence[str],
    start_date: Day,
    end_date: Day,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    output: Literal["polars"] = "polars",
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
    columns: Sequence[str] | None = None,
    shape: Shape = "long",
    fill: Fill = "none",
    cache: bool | str | PathLike[str] | None = None,
) -> pl.DataFrame: ...


@overload
async def get_l2_metrics_async(
    api_key: str | None,
    metric: L2Metric | Sequence[L2Metric],
    timestamp: TimestampType = "exchange",
    *,
    interval: Interval | str,
    exchange: Exchange | str | Sequence[Exchange | str],
    symbol: str | Sequence[str],
    start_date: Day,
    end_date: Day,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    output: Literal["pandas"],
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
    columns: Sequence[str] | None = None,
    shape: Shape = "long",
    fill: Fill = "none",
    cache: bool | str | PathLike[str] | None = None,
) -> pd.DataFrame: ...


@overload
async def get_l2_metrics_async(
    api_key: str | None,
    metric: L2Metric | Sequence[L2Metric],
    timestamp: TimestampType,
    interval: Interval | str,
    exchange: Exchange | str | Sequence[Exchange | str],
    symbol: str | Sequence[str],
    start_date: Day,
    end_date: Day,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    *,
    output: Literal["polars"] = "polars",
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
    columns: Sequence[str] | None = None,
    shape: Shape = "long",
    fill: Fill = "none",
    cache: bool | str | PathLike[str] | None = None,
) -> pl.DataFrame: ...


@overload
async def get_l2_metrics_async(
    api_key: str | None,
    metric: L2Metric | Sequence[L2Metric],
    timestamp: TimestampType,
    interval: Interval | str,
    exchange: Exchange | str | Sequence[Exchange | str],
    symbol: str | Sequence[str],
    start_date: Day,
    end_date: Day,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    *,
    output: Literal["pandas"],
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
    columns: Sequence[str] | None = None,
    shape: Shape = "long",
    fill: Fill = "none",
    cache: bool | str | PathLike[str] | None = None,
) -> pd.DataFrame: ...


async def get_l2_metrics_async(
    api_key: str | None = None,
    metric: L2Metric | Sequence[L2Metric] = REQUIRED,
    timestamp: TimestampType = "exchange",
    interval: Interval | str = REQUIRED,
    exchange: Exchange | str | Sequence[Exchange | str] = REQUIRED,
    symbol: str | Sequence[str] = REQUIRED,
    start_date: Day = REQUIRED,
    end_date: Day = REQUIRED,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    *,
    output: OutputFormat = "polars",
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
    columns: Sequence[str] | None = None,
    shape: Shape = "long",
    fill: Fill = "none",
    cache: bool | str | PathLike[str] | None = None,
) -> pl.DataFrame | pd.DataFrame:
    """Fetch a dataset made from order book snapshots.

    `await` it; it returns what `get_l2_metrics` returns, whose documentation names the columns.

    Args:
        api_key: Your key; by default APERIODIC_API_KEY, or the public demo key with preview=True.
        metric: l2_imbalance, l2_liquidity.
        timestamp: Clock: "exchange" for the venue's event time, "true" for the arrival time at the capture host.
        interval: Bar length, "1s" to "1d". Those below a minute need the Prime plan and timestamp="true".
        exchange: Venue, for example "binance-futures", or several.
        symbol: Instrument in the Atlas symbology, for example "perpetual-BTC-USDT:USDT", or several.
        start_date: First day, in UTC: a date, a datetime (an aware one is converted to UTC) or an ISO 8601 string.
        end_date: Last day, included.
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else
            https://aperiodic.io/api/v1.
        show_progress: Draw a progress bar.
        max_concurrent: Downloads at the same time, 1 to 100.
        output: Library of the returned frame, "polars" or "pandas".
        preview: Ask for the free sample.
        on_incomplete: What to do when part of the data does not exist: "warn" (IncompleteDataWarning), "raise"
            (IncompleteDataError, before any download) or "ignore".
        columns: Names of the columns to fetch beside the time; by default all. Only their bytes are transferred, where
            the server allows it. `flow.volume` is that of one dataset.
        shape: How several series become one frame: "long", below each other with the columns `exchange` and `symbol`
            for what was given as a list, or "wide", beside each other with names like `close|perpetual-BTC-USDT:USDT`.
        fill: Rows of intervals without data: "none", "null" (every interval of the range has a row) or "forward" (in
            those rows, prices and other states of the last event hold for 24 hours; sums, counts and changes are null).
        cache: Folder in which files are kept once they were fetched; by default APERIODIC_CACHE_DIR, else the user's
            cache folder. False: none.

    Returns:
        A frame with one row per interval in which something happened: `time` (start of the interval, timezone-naive
        UTC, ascending, unique) and the dataset's columns, then those that only the server knows.

    Raises:
        InvalidInputError: A value is missing or not valid; no data was asked for. For a name that this version does not
            know, the server's catalog decides.
        APIError: The server answered with an error.
        DownloadError: A file could not be fetched, or is not what the server said it was.
        IncompleteDataError: Data is missing and on_incomplete is "raise".
        AperiodicDataError: The server could not be reached (`server_unreachable`). Base of all the above.
    """
    request = BarsRequest.parse(
        metric,
        family=("book",),
        api_key=api_key,
        timestamp=timestamp,
        interval=interval,
        exchange=exchange,
        symbol=symbol,
        start_date=start_date,
        end_date=end_date,
        base_url=base_url,
        show_progress=show_progress,
        max_concurrent=max_concurrent,
        output=output,
        preview=preview,
        on_incomplete=on_incomplete,
        columns=columns,
        shape=shape,
        fill=fill,
    )
    delivery = await fetch_once(request, Cache.parse(cache))
    return delivery.hand_over(stacklevel=2)
