"""`get_trade_metrics` and its async twin. Made by `make docs` (client/function_writer.py) from the catalog: change it there."""

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

    from aperiodic.client.known import Exchange, Interval, TimestampType, TradeMetric
    from aperiodic.client.types import Day, Fill, OnIncomplete, OutputFormat, Shape

__all__ = ["get_trade_metrics", "get_trade_metrics_async"]


@overload
def get_trade_metrics(
    api_key: str | None = None,
    *,
    metric: TradeMetric | Sequence[TradeMetric],
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
def get_trade_metrics(
    api_key: str | None = None,
    *,
    metric: TradeMetric | Sequence[TradeMetric],
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
def get_trade_metrics(
    api_key: str | None,
    metric: TradeMetric | Sequence[TradeMetric],
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
def get_trade_metrics(
    api_key: str | None,
    metric: TradeMetric | Sequence[TradeMetric],
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
def get_trade_metrics(
    api_key: str | None,
    metric: TradeMetric | Sequence[TradeMetric],
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
def get_trade_metrics(
    api_key: str | None,
    metric: TradeMetric | Sequence[TradeMetric],
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


def get_trade_metrics(
    api_key: str | None = None,
    metric: TradeMetric | Sequence[TradeMetric] = REQUIRED,
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
    """Fetch a dataset made from trades.

    Args:
        api_key: Your key; by default APERIODIC_API_KEY, or the public demo key with preview=True.
        metric: One of
            flow: Taker buying and selling: volumes, counts, imbalance, toxicity and the split by trade size.
                Columns: taker_buy_volume (base units), taker_sell_volume (base units), taker_buy_count (count),
                taker_sell_count (count), volume_delta (base units), volume_delta_notional (quote units), flow_entropy
                (nats), flow_toxicity_score (score; null: first bar of the month, or either standard deviation is 0),
                taker_buy_sell_ratio (ratio; null: no taker sells in the interval), taker_buy_sell_count_ratio (ratio;
                null: no taker sells in the interval), taker_buy_sell_percentage (fraction of 1),
                taker_buy_sell_count_percentage (fraction of 1), taker_buy_small_order_volume (quote units),
                taker_buy_small_order_count (count), taker_buy_medium_order_volume (quote units),
                taker_buy_medium_order_count (count), taker_buy_large_order_volume (quote units),
                taker_buy_large_order_count (count), taker_sell_small_order_volume (quote units),
                taker_sell_small_order_count (count), taker_sell_medium_order_volume (quote units),
                taker_sell_medium_order_count (count), taker_sell_large_order_volume (quote units),
                taker_sell_large_order_count (count), taker_buy_small_order_percentage (quote units ÷ base units; null:
                no taker buys in the interval), taker_buy_medium_order_percentage (quote units ÷ base units; null: no
                taker buys in the interval), taker_buy_large_order_percentage (quote units ÷ base units; null: no taker
                buys in the interval), taker_buy_small_order_count_percentage (fraction of 1; null: no taker buys in the
                interval), taker_buy_medium_order_count_percentage (fraction of 1; null: no taker buys in the interval),
                taker_buy_large_order_count_percentage (fraction of 1; null: no taker buys in the interval),
                taker_sell_small_order_percentage (quote units ÷ base units; null: no taker sells in the interval),
                taker_sell_medium_order_percentage (quote units ÷ base units; null: no taker sells in the interval),
                taker_sell_large_order_percentage (quote units ÷ base units; null: no taker sells in the interval),
                taker_sell_small_order_count_percentage (fraction of 1; null: no taker sells in the interval),
                taker_sell_medium_order_count_percentage (fraction of 1; null: no taker sells in the interval),
                taker_sell_large_order_count_percentage (fraction of 1; null: no taker sells in the interval).
            trade_size: How large trades were: volume and number by size bucket, and the distribution of amounts.
                Columns: small_order_volume (quote units), small_order_count (count), medium_order_volume (quote units),
                medium_order_count (count), large_order_volume (quote units), large_order_count (count), volume (base
                units), n_trades (count), small_order_percentage (quote units ÷ base units), medium_order_percentage
                (quote units ÷ base units), large_order_percentage (quote units ÷ base units),
                small_order_count_percentage (fraction of 1), medium_order_count_percentage (fraction of 1),
                large_order_count_percentage (fraction of 1), trade_amount_mean (base units), trade_amount_median (base
                units), trade_amount_std (base units; null: fewer than two trades), trade_amount_variance (base units²;
                null: fewer than two trades), trade_amount_skewness (ratio; null: fewer than three trades, or all of the
                same amount), trade_amount_kurtosis (ratio; null: fewer than four trades, or all of the same amount),
                trade_amount_min (base units), trade_amount_max (base units), trade_amount_range_ratio (ratio),
                trade_amount_cv (ratio; null: fewer than two trades).
            range: How far prices ranged and how they were distributed, every trade counting once whatever its size.
                Columns: range (quote units per base unit), range_bps (basis points), price_mean (quote units per base
                unit), price_median (quote units per base unit), price_std (quote units per base unit; null: fewer than
                two trades), price_variance ((quote units per base unit)²; null: fewer than two trades), price_skewness
                (ratio; null: fewer than three trades, or all at one price), price_kurtosis (ratio; null: fewer than
                four trades, or all at one price), price_range_ratio (ratio), price_cv (ratio; null: fewer than two
                trades).
            impact: How much the price moved for what was traded, and whether it came back after large trades.
                Columns: amihud_like (simple return per quote unit), kyle_like_lambda (simple return per base unit;
                null: fewer than three trades, or all of one side and amount), impact_per_notional (simple return per
                quote unit; null: taker buys and sells of equal notional), large_trade_reversal (simple return; null: no
                large trade with five successors in the interval), directional_impact_asymmetry (simple return; null: no
                taker buy or no taker sell after the interval's first trade).
            updownticks: How many trades, and how much volume, printed above, below and at the price of the trade
                before.
                Columns: uptick_count (count), downtick_count (count), unchanged_count (count), uptick_volume (base
                units), downtick_volume (base units), unchanged_volume (base units), uptick_downtick_volume_ratio
                (ratio; null: no downticks in the interval), uptick_downtick_count_ratio (ratio; null: no downticks in
                the interval), uptick_count_percentage (fraction of 1; null: a single trade), downtick_count_percentage
                (fraction of 1; null: a single trade), unchanged_count_percentage (fraction of 1; null: a single trade),
                unchanged_volume_percentage (fraction of 1; null: a single trade), downtick_volume_percentage (fraction
                of 1; null: a single trade), uptick_volume_percentage (fraction of 1; null: a single trade).
            run_structure: Runs: longest sequences of consecutive trades of the same side within the interval, and their
                ends.
                Columns: buy_run_max_len (count), sell_run_max_len (count), buy_run_mean_len (count), sell_run_mean_len
                (count), run_imbalance (ratio), flip_rate (fraction of 1), price_change_on_flip (simple return; null: no
                flip in the interval).
            returns: Log returns from trade to trade within the interval: variation, jumps, autocorrelation and trend.
                Columns: logret_var (log return²; null: fewer than three trades), realized_vol (log return),
                bipower_variation (log return²), jump_ratio (ratio; null: the price never changed), ret_autocorr_lag1
                (ratio; null: fewer than four trades, or constant returns), trendiness (ratio; null: the price never
                changed).
            slippage: How far trades printed from the best quote just before them: what taking liquidity really cost.
                Columns: slippage_mean (quote units per base unit), slippage_bps_mean (basis points), slippage_bps_std
                (basis points; null: fewer than two matched trades in the interval), slippage_bps_median (basis points),
                slippage_bps_p95 (basis points), slippage_bps_vwap (basis points), slippage_bps_buy_mean (basis points;
                null: no matched buys in the interval), slippage_bps_sell_mean (basis points; null: no matched sells in
                the interval), slippage_bps_buy_sell_ratio (ratio; null: no matched buys or no matched sells in the
                interval, or slippage_bps_sell_mean is 0), slippage_bps_sell_buy_ratio (ratio; null: no matched buys or
                no matched sells in the interval, or slippage_bps_buy_mean is 0).
            ohlcv: Open, high, low and close of the trades in the interval, with volume in base and in quote units.
                Columns: open (quote units per base unit), high (quote units per base unit), low (quote units per base
                unit), close (quote units per base unit), volume (base units), volume_notional (quote units).
            vtwap: Average trade price of the interval, weighted by amount and unweighted.
                Columns: vwap (quote units per base unit), twap (quote units per base unit).
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
        family=("trades",),
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
async def get_trade_metrics_async(
    api_key: str | None = None,
    *,
    metric: TradeMetric | Sequence[TradeMetric],
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
async def get_trade_metrics_async(
    api_key: str | None = None,
    *,
    metric: TradeMetric | Sequence[TradeMetric],
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
async def get_trade_metrics_async(
    api_key: str | None,
    metric: TradeMetric | Sequence[TradeMetric],
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
async def get_trade_metrics_async(
    api_key: str | None,
    metric: TradeMetric | Sequence[TradeMetric],
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
async def get_trade_metrics_async(
    api_key: str | None,
    metric: TradeMetric | Sequence[TradeMetric],
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
async def get_trade_metrics_async(
    api_key: str | None,
    metric: TradeMetric | Sequence[TradeMetric],
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


async def get_trade_metrics_async(
    api_key: str | None = None,
    metric: TradeMetric | Sequence[TradeMetric] = REQUIRED,
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
    """Fetch a dataset made from trades.

    `await` it; it returns what `get_trade_metrics` returns, whose documentation names the columns.

    Args:
        api_key: Your key; by default APERIODIC_API_KEY, or the public demo key with preview=True.
        metric: flow, trade_size, range, impact, updownticks, run_structure, returns, slippage, ohlcv, vtwap.
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
        family=("trades",),
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
