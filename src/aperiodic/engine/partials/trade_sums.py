"""Sums over trades: one pass fills 1-second bars, which merge into every longer interval.

A bar's state is exact under merging: counts are integers, sums are double-double pairs, and the first and last price
let a merge count the pair of trades that straddles the edge between two inner bars. Pairs that straddle the edge of
the final bar itself never count: bars are independent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aperiodic.catalog.partials import LARGE_FROM, MEDIUM_FROM, SIZE_BUCKETS
from aperiodic.engine.partials.bars import SECOND_US, start_of
from aperiodic.engine.partials.compensated import SUM, add_pair, add_to, collect, rounded, settled
from aperiodic.engine.partials.decimals import simple_return, simple_returns
from aperiodic.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TRADE_BAR", "amount_sums", "finish_trades", "fold_trades", "merge_trades", "price_sums"]

_BUCKETS: Final = len(SIZE_BUCKETS)
_SIDES: Final = ("buy", "sell")
_KINDS: Final = _BUCKETS * len(_SIDES)

TRADE_BAR: Final = np.dtype(
    [
        ("start", np.int64),
        ("counts", np.int64, (_KINDS,)),  # by side and size bucket
        ("notionals", SUM, (_KINDS,)),
        ("volumes", SUM, (len(_SIDES),)),
        ("price_sum", SUM),
        ("return_square_sum", SUM),
        ("open", np.float64),
        ("high", np.float64),
        ("low", np.float64),
        ("close", np.float64),
    ]
)
"""What is summed over the trades of a bar. Sums are collected, not settled, in 1-second bars."""


@kernel
def fold_trades(
    times: NDArray[np.int64],
    sides: NDArray[np.uint8],
    prices: NDArray[np.float64],
    amounts: NDArray[np.float64],
    bars: NDArray[Any],
    used: int,
) -> int:
    """Add trades, ascending in time, to 1-second bars, of which `used` are filled already.

    Args:
        times: µs since the epoch.
        sides: 0 where the taker bought, 1 where it sold.
        prices: Quote units per base unit, positive.
        amounts: Base units, positive.
        bars: Zeroed from row `used` on, with room for every second that occurs.
        used: Filled rows; the last of them is continued.

    Returns:
        The number of filled rows.
    """
    row, i, scale = used - 1, 0, 1.0
    while i < times.size:
        start = start_of(times[i], SECOND_US)
        if row < 0 or bars[row].start != start:
            row += 1
            bars[row].start = start
            bars[row].open = bars[row].high = bars[row].low = bars[row].close = prices[i]
        bar = bars[row]
        high, low, close = bar.high, bar.low, bar.close
        while i < times.size and times[i] - start < SECOND_US:
            price, amount, side = prices[i], amounts[i], sides[i]
            if price != close:
                change, _, scale = simple_return(close, price, scale)
                collect(bar.return_square_sum, change * change)
                high, low, close = max(high, price), min(low, price), price
            notional = price * amount
            kind = side * _BUCKETS + (notional >= MEDIUM_FROM) + (notional >= LARGE_FROM)
            bar.counts[kind] += 1
            collect(bar.notionals[kind], notional)
            collect(bar.volumes[side], amount)
            collect(bar.price_sum, price)
            i += 1
        bar.high, bar.low, bar.close = high, low, close
    return row + 1


@kernel
def merge_trades(shorter: NDArray[Any], length_us: int, bars: NDArray[Any], used: int) -> int:
    """Merge bars into bars of `length_us`, zeroed from row `used` on; return how many are filled then."""
    row, scale = used - 1, 1.0
    for i in range(shorter.size):
        other = shorter[i]
        start = start_of(other.start, length_us)
        if row < 0 or bars[row].start != start:
            row += 1
            bars[row].start = start
            bars[row].open, bars[row].high, bars[row].low = other.open, other.high, other.low
        else:
            change, _, scale = simple_return(bars[row].close, other.open, scale)
            add_to(bars[row].return_square_sum, change * change, 0.0)
            bars[row].high = max(bars[row].high, other.high)
            bars[row].low = min(bars[row].low, other.low)
        bar = bars[row]
        bar.close = other.close
        for kind in range(_KINDS):
            bar.counts[kind] += other.counts[kind]
            high, low = settled(other.notionals[kind])
            add_to(bar.notionals[kind], high, low)
        for side in range(2):
            high, low = settled(other.volumes[side])
            add_to(bar.volumes[side], high, low)
        high, low = settled(other.price_sum)
        add_to(bar.price_sum, high, low)
        high, low = settled(other.return_square_sum)
        add_to(bar.return_square_sum, high, low)
    return row + 1


@kernel
def price_sums(bars: NDArray[Any]) -> NDArray[Any]:
    """Settled sums of the prices, row by row."""
    sums = np.zeros(bars.size, SUM)
    for row in range(bars.size):
        sums[row].high, sums[row].low = settled(bars[row].price_sum)
    return sums


@kernel
def amount_sums(bars: NDArray[Any]) -> NDArray[Any]:
    """Settled sums of the amounts, row by row."""
    sums = np.zeros(bars.size, SUM)
    for row in range(bars.size):
        for side in range(2):
            high, low = settled(bars[row].volumes[side])
            add_to(sums[row], high, low)
    return sums


def finish_trades(bars: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return bars as the named partials of `catalog/partials.py`."""
    counts, notionals = bars["counts"], rounded(bars["notionals"])
    columns: dict[str, NDArray[Any]] = {
        "n_trades": counts.sum(axis=1),
        "open_price": bars["open"],
        "high_price": bars["high"],
        "low_price": bars["low"],
        "close_price": bars["close"],
        "price_sum": rounded(bars["price_sum"]),
        "volume": amount_sums(bars)["high"],
        "notional": _notionals(bars, 0, _BUCKETS, 1.0),
        "net_notional": _notionals(bars, 0, _BUCKETS, -1.0),
        "return_square_sum": rounded(bars["return_square_sum"]),
        "bar_return": simple_returns(bars["open"], bars["close"]),
    }
    for s, side in enumerate(_SIDES):
        first = s * _BUCKETS
        columns[f"{side}_volume"] = rounded(bars["volumes"][:, s])
        columns[f"{side}_notional"] = _notionals(bars, first, first, 1.0)
        columns[f"{side}_count"] = counts[:, first : first + _BUCKETS].sum(axis=1)
        for k, bucket in enumerate(SIZE_BUCKETS, first):
            columns[f"{side}_{bucket}_notional"] = notionals[:, k]
            columns[f"{side}_{bucket}_count"] = counts[:, k]
    return columns


@kernel
def _notionals(bars: NDArray[Any], first: int, second: int, sign: float) -> NDArray[np.float64]:
    """Return the notional of a side, and that of another one with a sign added.

    Args:
        bars: Of type `TRADE_BAR`.
        first: Where the side's buckets begin.
        second: Where the other's do; nothing is added if it is the same side.
        sign: 1 or -1.
    """
    totals = np.empty(bars.size)
    for row in range(bars.size):
        high, low = 0.0, 0.0
        for k in range(first, first + _BUCKETS):
            part, part_low = settled(bars[row].notionals[k])
            high, low = add_pair(high, low, part, part_low)
        if second != first:
            for k in range(second, second + _BUCKETS):
                part, part_low = settled(bars[row].notionals[k])
                high, low = add_pair(high, low, sign * part, sign * part_low)
        totals[row] = high
    return totals
