"""Bars of mark prices, funding rates and open interest in plain Python."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from tests.oracle.contract import INTERVAL_SECONDS
from tests.oracle.others.exact import (
    LOOK_BACK_US,
    Value,
    by_interval,
    in_order,
    known,
    mean,
    ratio,
    sample_std,
    to_frames,
)

if TYPE_CHECKING:
    import polars as pl


class Prices(NamedTuple):
    """A mark price update and the other prices as of it."""

    time: int
    mark_price: float
    index_price: float | None
    last_price: float | None


class AsOf:
    """Values of a stream as of any time: the latest of the 24 hours to it, the file's last among equal times."""

    def __init__(self, ticks: pl.DataFrame, clock: str, column: str) -> None:
        rows = in_order(ticks, clock, column)
        self._times = [time for time, _ in rows]
        self._values: list[float] = [value for _, value in rows]

    def __call__(self, time: int) -> float | None:
        seen = bisect_right(self._times, time)
        return self._values[seen - 1] if seen and time - self._times[seen - 1] <= LOOK_BACK_US else None


def derivative_bars(
    mark: pl.DataFrame, index: pl.DataFrame, trades: pl.DataFrame, clock: str, interval: str
) -> dict[str, pl.DataFrame]:
    """Compute basis and derivative_price.

    Args:
        mark: Mark price ticks in file order, of any number of days.
        index: Index price ticks in file order.
        trades: Trade ticks in file order.
        clock: "exchange" or "true".
        interval: An interval's name, "1s" to "1d".

    Returns:
        One frame a dataset, columns and types as `other_bar_schema` says.
    """
    index_at, last_at = AsOf(index, clock, "index_price"), AsOf(trades, clock, "price")
    rows = (Prices(time, price, index_at(time), last_at(time)) for time, price in in_order(mark, clock, "mark_price"))
    bars = [(start, _basis(bar) | _derivative_price(bar)) for start, bar in by_interval(rows, interval)]
    return to_frames(bars, "basis", "derivative_price")


def _basis(bar: list[Prices]) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    for name, mean_name, others in (
        ("basis", "basis_mean", [row.index_price for row in bar]),
        ("mark_price_spread", "mark_price_spread_mean", [row.last_price for row in bar]),
    ):
        gaps = [None if other is None else row.mark_price - other for row, other in zip(bar, others, strict=True)]
        bps = [
            None if share is None else share * 10_000
            for share in (ratio(gap, other) for gap, other in zip(gaps, others, strict=True))
        ]
        fields |= {
            name: gaps[-1],
            f"{name}_bps": bps[-1],
            mean_name: mean(known(gaps)),
            f"{name}_bps_std": sample_std(known(bps)),
        }
    return fields


def _derivative_price(bar: list[Prices]) -> dict[str, Value]:
    mark = _pct_change([row.mark_price for row in bar])
    index = _pct_change(known(row.index_price for row in bar))
    last = _pct_change(known(row.last_price for row in bar))
    return {
        "last_price": bar[-1].last_price,
        "index_price": bar[-1].index_price,
        "mark_price": bar[-1].mark_price,
        "last_price_pct_change": last,
        "index_price_pct_change": index,
        "mark_price_pct_change": mark,
        "mark_index_pct_change_ratio": ratio(mark, index),
        "mark_last_pct_change_ratio": ratio(mark, last),
        "index_last_pct_change_ratio": ratio(index, last),
    }


def _pct_change(values: list[float]) -> float | None:
    """From the first value to the last: 0 of one value, null of none."""
    change = ratio(values[-1] - values[0], values[0]) if values else None
    return None if change is None else change * 100


def funding_bars(funding: pl.DataFrame, clock: str, interval: str) -> dict[str, pl.DataFrame]:
    """Compute funding; arguments and result as for `derivative_bars`. The first rate of the ticks is a change."""
    updates: list[tuple[int, float, bool]] = []
    previous = None
    for time, rate in in_order(funding, clock, "funding_rate"):
        updates.append((time, rate, rate != previous))
        previous = rate
    seconds = INTERVAL_SECONDS[interval]
    bars: list[tuple[int, dict[str, Value]]] = []
    for start, bar in by_interval(updates, interval):
        changes = sum(changed for _, _, changed in bar)
        fields: dict[str, Value] = {
            "funding_rate": bar[-1][1],
            "funding_rate_update_frequency": changes / seconds,
            "funding_rate_avg_update_interval": ratio(seconds, changes),
        }
        bars.append((start, fields))
    return to_frames(bars, "funding")


def open_interest_bars(
    open_interest: pl.DataFrame, mark: pl.DataFrame, clock: str, interval: str
) -> dict[str, pl.DataFrame]:
    """Compute open_interest; arguments and result as for `derivative_bars`.

    An update of zero is treated as missing altogether: an interval of nothing else has no bar.
    """
    mark_at = AsOf(mark, clock, "mark_price")
    updates = [row for row in in_order(open_interest, clock, "open_interest") if row[1] != 0]
    bars: list[tuple[int, dict[str, Value]]] = []
    for start, bar in by_interval(updates, interval):
        values = [value for _, value in bar]
        pct_changes = [(after - before) / before * 100 for before, after in pairwise(values) if after != before]
        marks = [mark_at(bar[0][0]), mark_at(bar[-1][0])]
        change = _pct_change(values)
        price_change = None if None in marks else _pct_change(known(marks))
        fields: dict[str, Value] = {
            "open_interest": values[-1],
            "open_interest_pct_change": change,
            "open_interest_volatility": sample_std(pct_changes),
            "oi_price_change_ratio": ratio(change, price_change),
        }
        bars.append((start, fields))
    return to_frames(bars, "open_interest")
