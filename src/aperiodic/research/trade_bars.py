"""Trades summed into bars, frame after frame.

Sums are exact until the bar is complete: amounts are added as whole numbers, of units and of 2⁻¹⁰⁰ of a unit, so that
neither the order of the addition nor the cuts between frames change a digit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from aperiodic.market import InvalidInputError
from aperiodic.research.frames import SERIES_KEYS, parse_frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from aperiodic.market import Clock
    from aperiodic.research.cutting import Cutter

__all__ = ["build"]

_PARTS: Final = 2**100
_FINE: Final = 2**40
_SAFE: Final = 2**60
_LARGEST: Final = 2.0**45
"""Of a price or an amount; sums of larger ones could run over 128 bits."""

_SUMMED: Final = ("buy", "sell", "notional")
_COLUMNS: Final = ("side", "price", "amount")


def build(
    trades: pl.DataFrame | pl.LazyFrame | Iterable[pl.DataFrame | pl.LazyFrame],
    cutter: Cutter,
    clock: Clock,
    *,
    keep_last: bool,
) -> pl.DataFrame:
    """Make the bars.

    Args:
        trades: What `aperiodic.bars` takes.
        cutter: Where bars begin and end.
        clock: Which time orders trades.
        keep_last: Whether to return the last bar although more trades could belong to it.

    Returns:
        The bars, ascending; columns as of `aperiodic.bars.time`.

    Raises:
        InvalidInputError: As of `aperiodic.bars.time`.
    """
    checks = _Checks(clock.column)
    done: list[pl.DataFrame] = []
    last = _parts(_nothing(clock.column), pl.Series(dtype=pl.Int64), clock.column)
    for frame in _frames(trades, [clock.column, *_COLUMNS]):
        checked = checks.of(frame)
        if checked.is_empty():
            continue
        merged = _merge(pl.concat([last, _parts(checked, cutter.numbers(checked), clock.column)]))
        done.append(_finish(merged[:-1], cutter.start))
        last = merged[-1:]
    is_over = cutter.following is not None and not last.is_empty() and last.item(0, "bar") < cutter.following
    done.append(_finish(last if keep_last or is_over else last.clear(), cutter.start))
    return pl.concat(done)


class _Checks:
    """What has to hold for trades, also from one frame to the next."""

    def __init__(self, column: str) -> None:
        self._column = column
        self._latest: datetime | None = None
        self._series: dict[str, Any] = {}

    def of(self, frame: object) -> pl.DataFrame:
        """Return the trades in the order of the clock.

        Raises:
            InvalidInputError: `bad_frame`, `null_time`, `bad_trades`, `several_series` or `trades_out_of_order`.
        """
        trades = parse_frame("trades", frame, self._column)
        lacking = [name for name in _COLUMNS if name not in trades.columns]
        if lacking:
            raise InvalidInputError(
                f"trades lack the column {lacking[0]!r}.",
                code="bad_frame",
                hint='Pass what get_raw(dataset="trades", …) returns.',
            )
        for key in SERIES_KEYS:
            self._one_series(trades, key)
        numbers = trades.select(
            *(
                pl.col(name).cast(pl.Float64).is_between(0, _LARGEST).fill_null(value=False).all()
                for name in ("price", "amount")
            ),
            pl.col("side").cast(pl.String).is_in(["buy", "sell"]).fill_null(value=False).all(),
        ).row(0)
        if not all(numbers):
            raise InvalidInputError(
                "There are trades without a price, an amount or a side, or with one that no trade has.",
                code="bad_trades",
                hint="Drop them, or give trades as get_raw returns them.",
            )
        times = trades.get_column(self._column)
        if not times.is_sorted():
            trades = trades.sort(self._column, maintain_order=True)
            times = trades.get_column(self._column)
        if trades.height:
            if self._latest is not None and times[0] < self._latest:
                raise InvalidInputError(
                    f"Trades of {times[0]} come after some of {self._latest}.",
                    code="trades_out_of_order",
                    hint="Pass the days in order, each once.",
                )
            self._latest = times[-1]
        return trades

    def _one_series(self, trades: pl.DataFrame, key: str) -> None:
        if key not in trades.columns:
            return
        values = {*trades.get_column(key).unique(), *self._series.get(key, ())}
        if len(values) > 1:
            raise InvalidInputError(
                f"There are trades of several: {', '.join(sorted(map(str, values)))[:200]}.",
                code="several_series",
                hint=f"Make the bars of each by itself: trades.partition_by({key!r}).",
            )
        self._series[key] = values


def _frames(
    trades: pl.DataFrame | pl.LazyFrame | Iterable[pl.DataFrame | pl.LazyFrame], columns: list[str]
) -> Iterator[object]:
    if isinstance(trades, pl.DataFrame):
        yield trades
    elif isinstance(trades, pl.LazyFrame):
        names = trades.collect_schema().names()
        wanted = [name for name in (*columns, *SERIES_KEYS) if name in names]
        yield from trades.select(wanted).collect_batches(maintain_order=True)
    elif hasattr(trades, "__iter__") and not hasattr(trades, "iloc"):  # a frame of pandas iterates over its columns
        for each in trades:
            yield from _frames(each, columns) if isinstance(each, pl.LazyFrame) else (each,)
    else:
        yield trades


def _nothing(column: str) -> pl.DataFrame:
    time = pl.Datetime("us", "UTC")
    return pl.DataFrame(schema={column: time, "side": pl.String, "price": pl.Float64, "amount": pl.Float64})


def _parts(trades: pl.DataFrame, numbers: pl.Series, column: str) -> pl.DataFrame:
    """Return what can be merged of each bar: its trades, or some of them."""
    price, amount, buys = pl.col("price"), pl.col("amount"), pl.col("buys")
    values = {
        "buy": pl.when(buys).then(amount).otherwise(0.0),
        "sell": pl.when(buys).then(0.0).otherwise(amount),
        "notional": price * amount,
    }
    rows = trades.select(
        numbers.alias("bar"),
        pl.col(column).to_physical().cast(pl.Datetime("us")).alias("when"),
        price.cast(pl.Float64),
        amount.cast(pl.Float64),
        (pl.col("side").cast(pl.String) == "buy").alias("buys"),
    )
    return rows.group_by("bar", maintain_order=True).agg(
        price.first().alias("open"),
        price.max().alias("high"),
        price.min().alias("low"),
        price.last().alias("close"),
        pl.len().cast(pl.Int64).alias("n_trades"),
        buys.sum().cast(pl.Int64).alias("buy_count"),
        pl.col("when").first().alias("first_time"),
        pl.col("when").last().alias("last_time"),
        *(value.floor().cast(pl.Int128).sum().alias(name) for name, value in values.items()),
        *(
            ((value - value.floor()) * float(_PARTS)).cast(pl.Int128).sum().alias(f"{name}_part")
            for name, value in values.items()
        ),
    )


def _merge(parts: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each bar, of which there may be several parts."""
    merged = parts.group_by("bar", maintain_order=True).agg(
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("n_trades", "buy_count").sum(),
        pl.col("first_time").first(),
        pl.col("last_time").last(),
        *(pl.col(name, f"{name}_part").sum() for name in _SUMMED),
    )
    return merged.with_columns(
        *(pl.col(name) + pl.col(f"{name}_part") // _PARTS for name in _SUMMED),
        *(pl.col(f"{name}_part") % _PARTS for name in _SUMMED),
    ).select(parts.columns)


def _finish(merged: pl.DataFrame, start: pl.Expr) -> pl.DataFrame:
    def total(*names: str) -> pl.Expr:
        part = pl.sum_horizontal(pl.col(f"{name}_part") for name in names)
        whole = pl.sum_horizontal(pl.col(name) for name in names) + part // _PARTS
        part %= _PARTS
        # One number of 128 bits is rounded once; its last bit tells whether bits below it were cut off.
        rest = (part % _FINE != 0).cast(pl.Int128)
        both = whole * (_PARTS // _FINE) + part // _FINE
        both += rest * (1 - both % 2)
        return (
            pl.when(whole == 0)
            .then(part.cast(pl.Float64) / float(_PARTS))
            .when(whole < _SAFE)
            .then(both.cast(pl.Float64) / float(_PARTS // _FINE))
            .otherwise(whole.cast(pl.Float64))
        )

    return merged.select(
        start.alias("time"),
        *("open", "high", "low", "close"),
        total("buy", "sell").alias("volume"),
        total("notional").alias("volume_notional"),
        "n_trades",
        total("buy").alias("taker_buy_volume"),
        total("sell").alias("taker_sell_volume"),
        pl.col("buy_count").alias("taker_buy_count"),
        (pl.col("n_trades") - pl.col("buy_count")).alias("taker_sell_count"),
        *("first_time", "last_time"),
    )
