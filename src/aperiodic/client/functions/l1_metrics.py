"""`get_l1_metrics` and its async twin. Made by `make docs` (client/function_writer.py) from the catalog: change it there."""

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

    from aperiodic.client.known import Exchange, Interval, L1Metric, TimestampType
    from aperiodic.client.types import Day, Fill, OnIncomplete, OutputFormat, Shape

__all__ = ["get_l1_metrics", "get_l1_metrics_async"]


@overload
def get_l1_metrics(
    api_key: str | None = None,
    *,
    metric: L1Metric | Sequence[L1Metric],
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
def get_l1_metrics(
    api_key: str | None = None,
    *,
    metric: L1Metric | Sequence[L1Metric],
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
def get_l1_metrics(
    api_key: str | None,
    metric: L1Metric | Sequence[L1Metric],
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
def get_l1_metrics(
    api_key: str | None,
    metric: L1Metric | Sequence[L1Metric],
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
def get_l1_metrics(
    api_key: str | None,
    metric: L1Metric | Sequence[L1Metric],
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
def get_l1_metrics(
    api_key: str | None,
    metric: L1Metric | Sequence[L1Metric],
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


def get_l1_metrics(
    api_key: str | None = None,
    metric: L1Metric | Sequence[L1Metric] = REQUIRED,
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
    """Fetch a dataset made from best quotes.

    Args:
        api_key: Your key; by default APERIODIC_API_KEY, or the public demo key with preview=True.
        metric: One of
            l1_price: Best bid and ask: last prices and amounts, mid prices, weighted averages and the pace of quoting.
                Columns: ask_price (quote units per base unit), bid_price (quote units per base unit), ask_amount (base
                units), bid_amount (base units), midprice (quote units per base unit), weighted_midprice (quote units
                per base unit), ask_price_twap (quote units per base unit), bid_price_twap (quote units per base unit),
                ask_price_vwap (quote units per base unit), bid_price_vwap (quote units per base unit),
                quote_update_frequency (count), avg_update_interval (seconds; null: fewer than two quotes).
            l1_imbalance: Amounts at the best bid and ask against each other, at the last quote and on average.
                Columns: imbalance (base units), imbalance_ratio (ratio), bid_ask_ratio (ratio), bid_percentage
                (fraction of 1), ask_percentage (fraction of 1), imbalance_avg (base units), imbalance_ratio_avg
                (ratio), bid_ask_ratio_avg (ratio), bid_percentage_avg (fraction of 1), ask_percentage_avg (fraction of
                1).
            l1_liquidity: Spread and depth of the best bid and ask, at the last quote and on average.
                Columns: spread (quote units per base unit), spread_bps (basis points), spread_depth_ratio (quote units
                ÷ base units²), total_depth (base units), dollar_depth_bid (quote units), dollar_depth_ask (quote
                units), total_dollar_depth (quote units), spread_avg (quote units per base unit), spread_bps_avg (basis
                points), spread_depth_ratio_avg (quote units ÷ base units²), total_depth_avg (base units),
                dollar_depth_bid_avg (quote units), dollar_depth_ask_avg (quote units), total_dollar_depth_avg (quote
                units).
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
        family=("quotes",),
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
async def get_l1_metrics_async(
    api_key: str | None = None,
    *,
    metric: L1Metric | Sequence[L1Metric],
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
async def get_l1_metrics_async(
    api_key: str | None = None,
    *,
    metric: L1Metric | Sequence[L1Metric],
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
async def get_l1_metrics_async(
    api_key: str | None,
    metric: L1Metric | Sequence[L1Metric],
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
async def get_l1_metrics_async(
    api_key: str | None,
    metric: L1Metric | Sequence[L1Metric],
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
async def get_l1_metrics_async(
    api_key: str | None,
    metric: L1Metric | Sequence[L1Metric],
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
async def get_l1_metrics_async(
    api_key: str | None,
    metric: L1Metric | Sequence[L1Metric],
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


async def get_l1_metrics_async(
    api_key: str | None = None,
    metric: L1Metric | Sequence[L1Metric] = REQUIRED,
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
    """Fetch a dataset made from best quotes.

    `await` it; it returns what `get_l1_metrics` returns, whose documentation names the columns.

    Args:
        api_key: Your key; by default APERIODIC_API_KEY, or the public demo key with preview=True.
        metric: l1_price, l1_imbalance, l1_liquidity.
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
        family=("quotes",),
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
