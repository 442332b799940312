"""Bars of raw trades: by time, by number of trades, by volume and by money traded.

All take trades as `get_raw` returns them: one frame, a lazy one (`pl.scan_parquet` of what `download_raw` wrote), or
the frames of days one after the other. The bar that is open at the end of a frame goes on with the next one, so how
trades are cut into frames changes nothing, and what is in memory is a frame and the bars.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import polars as pl

from aperiodic.market import Clock, InvalidInputError
from aperiodic.research.cutting import Counts, Intervals, Sums
from aperiodic.research.frames import parse_length
from aperiodic.research.trade_bars import build

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from aperiodic.client.types import Interval, TimestampType

__all__ = ["dollar", "tick", "time", "volume"]


def time(
    trades: pl.DataFrame | pl.LazyFrame | Iterable[pl.DataFrame | pl.LazyFrame],
    size: Interval | str | timedelta,
    *,
    timestamp: TimestampType = "exchange",
) -> pl.DataFrame:
    """Make a bar for every interval that holds a trade, of any length.

    Args:
        trades: Trades of one instrument, as `get_raw` returns them; days in order.
        size: Length of a bar: "1s" to "1d", or any timedelta. Bars begin at its multiples since 1970-01-01 in UTC.
        timestamp: Clock that decides the order of trades and the bar of each: "exchange" or "true".

    Returns:
        A row for each bar, ascending: `time` (start of the bar, timezone-naive UTC), `open`, `high`, `low`, `close`
        (quote units per base unit), `volume` (base units), `volume_notional` (quote units), `n_trades`,
        `taker_buy_volume`, `taker_sell_volume` (base units), `taker_buy_count`, `taker_sell_count`, `first_time` and
        `last_time` (of its trades, timezone-naive UTC). None is ever null. Sums are rounded once.

    Raises:
        InvalidInputError: `bad_frame` when trades lack a column; `null_time`, `bad_trades` for a null or an infinite
            price, amount or a null side; `several_series`; `trades_out_of_order` when a frame begins before the one
            before it ended; `unknown_interval`, `bad_size` or `unknown_timestamp`.

    Example:
        >>> from datetime import UTC, datetime, timedelta
        >>> import polars as pl
        >>> import aperiodic
        >>> times = [datetime(2025, 5, 1, tzinfo=UTC) + timedelta(seconds=30 * k) for k in range(4)]
        >>> trades = pl.DataFrame({"exchange_timestamp": times, "local_timestamp": times, "price": [10.0, 11.0, 12.0, 13.0],
        ...     "amount": [1.0, 1.0, 2.0, 1.0], "side": ["buy", "sell", "buy", "buy"]})
        >>> aperiodic.bars.time(trades, "1m").select("open", "close", "volume", "n_trades").rows()
        [(10.0, 11.0, 2.0, 2), (12.0, 13.0, 3.0, 2)]
    """
    clock = Clock.parse(timestamp)
    return build(trades, Intervals(parse_length("size", size), clock), clock, keep_last=True)


def tick(
    trades: pl.DataFrame | pl.LazyFrame | Iterable[pl.DataFrame | pl.LazyFrame],
    size: int,
    *,
    timestamp: TimestampType = "exchange",
    keep_last: bool = False,
) -> pl.DataFrame:
    """Make a bar of every so many trades.

    Args:
        trades: As of `time`.
        size: Trades of a bar.
        timestamp: Clock that decides the order of trades.
        keep_last: Return the last bar although it is not full.

    Returns:
        As `time`; `time` is that of the bar's first trade. A bar is known at its `last_time`.

    Raises:
        InvalidInputError: As `time`.

    Example:
        >>> from datetime import UTC, datetime, timedelta
        >>> import polars as pl
        >>> import aperiodic
        >>> times = [datetime(2025, 5, 1, tzinfo=UTC) + timedelta(seconds=30 * k) for k in range(4)]
        >>> trades = pl.DataFrame({"exchange_timestamp": times, "local_timestamp": times, "price": [10.0, 11.0, 12.0, 13.0],
        ...     "amount": [1.0, 1.0, 2.0, 1.0], "side": ["buy", "sell", "buy", "buy"]})
        >>> aperiodic.bars.tick(trades, 3).select("open", "close", "volume", "n_trades").rows()
        [(10.0, 12.0, 4.0, 3)]
    """
    return build(trades, Counts(_parse_count(size)), Clock.parse(timestamp), keep_last=keep_last)


def volume(
    trades: pl.DataFrame | pl.LazyFrame | Iterable[pl.DataFrame | pl.LazyFrame],
    size: float,
    *,
    timestamp: TimestampType = "exchange",
    keep_last: bool = False,
) -> pl.DataFrame:
    """Make a bar whenever so much was traded.

    The trade that reaches the size belongs to the bar as a whole, and the next bar begins at zero. A sum that lacks
    less than a billionth of the size has reached it, for ten times 0.1 is to be 1.

    Args:
        trades: As of `time`.
        size: Base units of a bar.
        timestamp: Clock that decides the order of trades.
        keep_last: Return the last bar although it is not full.

    Returns:
        As `tick`.

    Raises:
        InvalidInputError: As `time`.

    Example:
        >>> from datetime import UTC, datetime, timedelta
        >>> import polars as pl
        >>> import aperiodic
        >>> times = [datetime(2025, 5, 1, tzinfo=UTC) + timedelta(seconds=30 * k) for k in range(4)]
        >>> trades = pl.DataFrame({"exchange_timestamp": times, "local_timestamp": times, "price": [10.0, 11.0, 12.0, 13.0],
        ...     "amount": [1.0, 1.0, 2.0, 1.0], "side": ["buy", "sell", "buy", "buy"]})
        >>> aperiodic.bars.volume(trades, 2).select("open", "close", "volume", "n_trades").rows()
        [(10.0, 11.0, 2.0, 2), (12.0, 12.0, 2.0, 1)]
    """
    return build(trades, Sums(_parse_size(size), pl.col("amount")), Clock.parse(timestamp), keep_last=keep_last)


def dollar(
    trades: pl.DataFrame | pl.LazyFrame | Iterable[pl.DataFrame | pl.LazyFrame],
    size: float,
    *,
    timestamp: TimestampType = "exchange",
    keep_last: bool = False,
) -> pl.DataFrame:
    """Make a bar whenever so much money was traded: price times amount, in quote units.

    Args:
        trades: As of `time`.
        size: Quote units of a bar; reached as in `volume`.
        timestamp: Clock that decides the order of trades.
        keep_last: Return the last bar although it is not full.

    Returns:
        As `tick`.

    Raises:
        InvalidInputError: As `time`.

    Example:
        >>> from datetime import UTC, datetime, timedelta
        >>> import polars as pl
        >>> import aperiodic
        >>> times = [datetime(2025, 5, 1, tzinfo=UTC) + timedelta(seconds=30 * k) for k in range(4)]
        >>> trades = pl.DataFrame({"exchange_timestamp": times, "local_timestamp": times, "price": [10.0, 11.0, 12.0, 13.0],
        ...     "amount": [1.0, 1.0, 2.0, 1.0], "side": ["buy", "sell", "buy", "buy"]})
        >>> aperiodic.bars.dollar(trades, 20, keep_last=True).select("open", "close", "volume", "n_trades").rows()
        [(10.0, 11.0, 2.0, 2), (12.0, 12.0, 2.0, 1), (13.0, 13.0, 1.0, 1)]
    """
    money = pl.col("price") * pl.col("amount")
    return build(trades, Sums(_parse_size(size), money), Clock.parse(timestamp), keep_last=keep_last)


def _parse_count(size: object) -> int:
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise InvalidInputError(f"size is {size!r}.", code="bad_size", hint="Give a whole number of trades above 0.")
    return size


def _parse_size(size: object) -> float:
    if isinstance(size, bool) or not isinstance(size, int | float) or not math.isfinite(size) or size <= 0:
        raise InvalidInputError(f"size is {size!r}.", code="bad_size", hint="Give a number above 0.")
    return float(size)
