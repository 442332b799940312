"""Partials of trades and their neighbours: ticks, returns, runs and flips within a bar.

All of them come from pairs of consecutive trades. A bar keeps what is at its edges (first and last price, first signed
amount, first and last log return, first and last run), so that a merge adds exactly the pairs that straddle the edge
between two inner bars. Pairs that straddle the edge of the final bar itself never count: bars are independent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aperiodic.engine.partials.bars import start_of
from aperiodic.engine.partials.compensated import SUM, add_to, collect, rounded, settled
from aperiodic.engine.partials.decimals import log_return, simple_return
from aperiodic.engine.partials.moments import PAIRS, join_pairs, mean_gap, put_pair, put_pairs, with_one_more
from aperiodic.jit import Record, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PAIR_BAR", "finish_pairs", "fold_pairs", "merge_pairs"]

_TICKS: Final = ("uptick", "downtick", "unchanged")
_SIDES: Final = ("buy", "sell")

PAIR_BAR: Final = np.dtype(
    [
        ("start", np.int64),
        ("tick_counts", np.int64, (len(_TICKS),)),
        ("tick_volumes", SUM, (len(_TICKS),)),
        # By the side of the later trade: simple returns, and runs.
        ("return_counts", np.int64, (len(_SIDES),)),
        ("return_sums", SUM, (len(_SIDES),)),
        ("run_counts", np.int64, (len(_SIDES),)),
        ("longest_runs", np.int64, (len(_SIDES),)),
        # At the edges.
        ("first_side", np.int64),
        ("last_side", np.int64),
        ("first_run", np.int64),
        ("last_run", np.int64),
        ("open", np.float64),
        ("close", np.float64),
        ("first_signed_amount", np.float64),
        ("first_log_return", SUM),
        ("last_log_return", SUM),
        # Sums of terms that are never negative.
        ("flip_return_size", np.float64),
        ("log_return_size", SUM),
        ("log_return_square", np.float64),
        ("bipower", np.float64),
        # Samples: (signed amount, simple return) from the second trade on, (log return, the one before) from the third.
        ("impacts", PAIRS),
        ("lags", PAIRS),
    ]
)
"""What is known of the neighbouring trades of a bar; the bar has a trade, and returns are zero while it has one only."""


@kernel
def fold_pairs(
    sides: NDArray[np.uint8],
    prices: NDArray[np.float64],
    amounts: NDArray[np.float64],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    bars: NDArray[Any],
    used: int,
) -> int:
    """Fill bars, from row `used` on, from trades in order of time; return how many rows are filled.

    Args:
        sides: 0 where the taker bought, 1 where it sold.
        prices: Quote units per base unit, positive.
        amounts: Base units, positive.
        starts: Start of each bar, µs.
        ends: Where each bar ends in the trades; no bar is empty, and each is whole: samples are centred on its means.
        bars: Room for them; what is there is written over.
        used: Rows to leave as they are.
    """
    begin, longest = 0, 0
    for end in ends:
        longest = max(longest, end - begin)
        begin = end
    signed_amounts, returns, log_returns = np.zeros(longest, SUM), np.zeros(longest, SUM), np.zeros(longest, SUM)
    empty = np.zeros(1, bars.dtype)
    begin = 0
    for row in range(ends.size):
        end, n = ends[row], ends[row] - begin
        bars[used + row] = empty[0]
        bar = bars[used + row]
        bar.start = starts[row]
        side, price, amount = sides[begin:end], prices[begin:end], amounts[begin:end]
        for i in range(n):
            signed_amounts[i].high = amount[i] if side[i] == 0 else -amount[i]
        bar.open, bar.close, bar.first_signed_amount = price[0], price[-1], signed_amounts[0].high
        _fold_returns(side, price, amount, returns, log_returns, bar)
        _fold_runs(side, returns, bar)
        if n > 1:
            _put_samples(signed_amounts[1:n], returns[1:n], log_returns[1:n], bar)
        begin = end
    return used + ends.size


@kernel
def merge_pairs(shorter: NDArray[Any], length_us: int, bars: NDArray[Any], used: int) -> int:
    """Merge bars into bars of `length_us`, of which `used` are filled; return how many then are."""
    sample = np.zeros(1, PAIRS)[0]
    row, scale = used - 1, 1.0
    for i in range(shorter.size):
        other = shorter[i]
        start = start_of(other.start, length_us)
        if row < 0 or bars[row].start != start:
            row += 1
            bars[row] = other
            bars[row].start = start
        else:
            scale = _straddle(bars[row], other, sample, scale)
            _append_runs(bars[row], other)
            _append_sums(bars[row], other)
    return row + 1


def finish_pairs(bars: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return bars as the named partials of `catalog/partials.py`."""
    columns: dict[str, NDArray[Any]] = {}
    for k, tick in enumerate(_TICKS):
        columns[f"{tick}_count"] = bars["tick_counts"][:, k]
        columns[f"{tick}_volume"] = rounded(bars["tick_volumes"][:, k])
    for k, side in enumerate(_SIDES):
        columns[f"{side}_run_count"] = bars["run_counts"][:, k]
        columns[f"{side}_longest_run"] = bars["longest_runs"][:, k]
    signed_amount_moments, log_return_moments, asymmetries = _moments(bars)
    return columns | {
        "return_asymmetry": asymmetries,
        "flip_return_size_sum": bars["flip_return_size"],
        "amount_return_moment": bars["impacts"]["xy"],
        "signed_amount_moment_2": signed_amount_moments,
        "log_return_square_sum": bars["log_return_square"],
        "bipower_sum": bars["bipower"],
        "log_return_size_sum": rounded(bars["log_return_size"]),
        "log_return_moment_2": log_return_moments,
        "lag_moment": bars["lags"]["xy"],
        "later_moment_2": bars["lags"]["xx"],
        "earlier_moment_2": bars["lags"]["yy"],
    }


@kernel
def _fold_returns(
    sides: NDArray[np.uint8],
    prices: NDArray[np.float64],
    amounts: NDArray[np.float64],
    returns: NDArray[Any],
    log_returns: NDArray[Any],
    bar: Record,
) -> None:
    """Sum the ticks and returns of a zeroed bar, and leave the returns in `returns` and `log_returns`.

    The sample of lags gets its sums, of every log return but the first and of every one but the last.
    """
    square, bipower, size_before, sells, scale, lags = 0.0, 0.0, 0.0, 0, 1.0, bar.lags
    for i in range(1, prices.size):
        before, price, side = prices[i - 1], prices[i], sides[i]
        tick = _tick(before, price)
        bar.tick_counts[tick] += 1
        collect(bar.tick_volumes[tick], amounts[i])
        sells += side
        high, low, log_high, log_low = 0.0, 0.0, 0.0, 0.0
        if price != before:
            high, low, scale = simple_return(before, price, scale)
            log_high, log_low = log_return(high, low, before, price)
            collect(bar.return_sums[side], high)
            bar.return_sums[side].low += low
            collect(bar.log_return_size, abs(log_high))
            if i > 1:
                collect(lags.x_sum, log_high)
                lags.x_sum.low += log_low
            if i < prices.size - 1:
                collect(lags.y_sum, log_high)
                lags.y_sum.low += log_low
            square += log_high * log_high
            bipower += abs(log_high) * size_before
        size_before = abs(log_high)
        returns[i].high, returns[i].low = high, low
        log_returns[i].high, log_returns[i].low = log_high, log_low
    bar.log_return_square, bar.bipower = square, bipower
    bar.return_counts[0], bar.return_counts[1] = prices.size - 1 - sells, sells
    for tick in range(3):
        bar.tick_volumes[tick].high, bar.tick_volumes[tick].low = settled(bar.tick_volumes[tick])
    for side in range(2):
        bar.return_sums[side].high, bar.return_sums[side].low = settled(bar.return_sums[side])
    bar.log_return_size.high, bar.log_return_size.low = settled(bar.log_return_size)


@kernel
def _fold_runs(sides: NDArray[np.uint8], returns: NDArray[Any], bar: Record) -> None:
    last, length, first_run, flips = np.int64(sides[0]), 0, 0, 0.0
    for i in range(sides.size):
        if sides[i] != last:
            _end_run(bar, last, length)
            first_run = first_run or length
            flips += abs(returns[i].high)
            last, length = np.int64(sides[i]), 0
        length += 1
    _end_run(bar, last, length)
    bar.first_run, bar.last_run = first_run or length, length
    bar.first_side, bar.last_side = sides[0], last
    bar.flip_return_size = flips


@kernel
def _end_run(bar: Record, side: np.int64, length: int) -> None:
    bar.run_counts[side] += 1
    bar.longest_runs[side] = max(bar.longest_runs[side], length)


@kernel
def _put_samples(
    signed_amounts: NDArray[Any],
    returns: NDArray[Any],
    log_returns: NDArray[Any],
    bar: Record,
) -> None:
    """Fill the samples of a bar from the signed amounts and the returns of its second trade on."""
    impacts, lags, n = bar.impacts, bar.lags, returns.size
    first, last = log_returns[0], log_returns[n - 1]
    bar.first_log_return.high, bar.first_log_return.low = first.high, first.low
    bar.last_log_return.high, bar.last_log_return.low = last.high, last.low
    for amount in signed_amounts:
        collect(impacts.x_sum, amount.high)
    impacts.x_sum.high, impacts.x_sum.low = settled(impacts.x_sum)
    for side in range(2):
        add_to(impacts.y_sum, bar.return_sums[side].high, bar.return_sums[side].low)
    put_pairs(impacts, signed_amounts, returns)
    lags.n = float(n - 1)
    if n > 1 and bar.log_return_square != 0.0:
        lags.x_sum.high, lags.x_sum.low = settled(lags.x_sum)
        lags.y_sum.high, lags.y_sum.low = settled(lags.y_sum)
        put_pairs(lags, log_returns[1:], log_returns[: n - 1])


@kernel
def _straddle(bar: Record, following: Record, sample: Record, scale: float) -> float:
    """Count the pairs that the last trade of a bar and the first of the next one make; return the scale to try next."""
    amount, side = following.first_signed_amount, following.first_side
    tick = _tick(bar.close, following.open)
    high, low, scale = simple_return(bar.close, following.open, scale)
    log_high, log_low = log_return(high, low, bar.close, following.open)
    bar.tick_counts[tick] += 1
    bar.return_counts[side] += 1
    add_to(bar.tick_volumes[tick], abs(amount), 0.0)
    add_to(bar.return_sums[side], high, low)
    add_to(bar.log_return_size, abs(log_high), 0.0)
    if side != bar.last_side:
        bar.flip_return_size += abs(high)
    before, later = bar.last_log_return, following.first_log_return
    bar.log_return_square += log_high * log_high
    bar.bipower += abs(log_high) * (abs(before.high) + abs(later.high))
    if bar.impacts.n > 0.0:
        put_pair(sample, log_high, log_low, before.high, before.low)
        join_pairs(bar.lags, sample)
    else:
        bar.first_log_return.high, bar.first_log_return.low = log_high, log_low
    bar.last_log_return.high, bar.last_log_return.low = log_high, log_low
    if following.impacts.n > 0.0:
        put_pair(sample, later.high, later.low, log_high, log_low)
        join_pairs(bar.lags, sample)
        last = following.last_log_return
        bar.last_log_return.high, bar.last_log_return.low = last.high, last.low
    put_pair(sample, amount, 0.0, high, low)
    join_pairs(bar.impacts, sample)
    return scale


@kernel
def _append_runs(bar: Record, following: Record) -> None:
    side, last_run = following.first_side, following.last_run
    if bar.last_side == side:
        joined = bar.last_run + following.first_run
        if bar.run_counts[0] + bar.run_counts[1] == 1:
            bar.first_run = joined
        if following.run_counts[0] + following.run_counts[1] == 1:
            last_run = joined
        bar.run_counts[side] -= 1
        bar.longest_runs[side] = max(bar.longest_runs[side], joined)
    bar.last_run, bar.last_side = last_run, following.last_side
    for k in range(2):
        bar.run_counts[k] += following.run_counts[k]
        bar.longest_runs[k] = max(bar.longest_runs[k], following.longest_runs[k])


@kernel
def _append_sums(bar: Record, following: Record) -> None:
    for tick in range(3):
        bar.tick_counts[tick] += following.tick_counts[tick]
        add_to(bar.tick_volumes[tick], following.tick_volumes[tick].high, following.tick_volumes[tick].low)
    for side in range(2):
        bar.return_counts[side] += following.return_counts[side]
        add_to(bar.return_sums[side], following.return_sums[side].high, following.return_sums[side].low)
    add_to(bar.log_return_size, following.log_return_size.high, following.log_return_size.low)
    bar.log_return_square += following.log_return_square
    bar.bipower += following.bipower
    bar.flip_return_size += following.flip_return_size
    bar.close = following.close
    join_pairs(bar.impacts, following.impacts)
    join_pairs(bar.lags, following.lags)


@kernel
def _tick(before: float, price: float) -> int:
    return 0 if price > before else 1 if price < before else 2


@kernel
def _moments(bars: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return what needs more than one field of a bar.

    Returns:
        The second moment of the signed amounts of all trades: of the sampled ones and the first. The second moment of
        all log returns: of those that another one follows and the last. The mean return of buys plus that of sells,
        which all but cancel; NaN without either.
    """
    signed_amounts, log_returns = np.zeros(bars.size), np.zeros(bars.size)
    asymmetries = np.full(bars.size, np.nan)
    for row in range(bars.size):
        bar = bars[row]
        impacts, lags, last = bar.impacts, bar.lags, bar.last_log_return
        signed_amounts[row] = with_one_more(
            impacts.n, impacts.x_sum.high, impacts.x_sum.low, impacts.xx, bar.first_signed_amount, 0.0
        )
        log_returns[row] = with_one_more(lags.n, lags.y_sum.high, lags.y_sum.low, lags.yy, last.high, last.low)
        buys, sells = float(bar.return_counts[0]), float(bar.return_counts[1])
        if buys > 0.0 and sells > 0.0:
            bought, sold = bar.return_sums[0], bar.return_sums[1]
            asymmetries[row] = mean_gap(sells, -sold.high, -sold.low, buys, bought.high, bought.low)
    return signed_amounts, log_returns, asymmetries
