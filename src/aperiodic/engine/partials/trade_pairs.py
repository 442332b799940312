"""Partials of trades and their neighbours: ticks, returns, runs and flips within a bar.

All of them come from pairs of consecutive trades. A bar keeps what is at its edges (first and last price, first signed
amount, first and last log return, first and last run), so that a merge adds exactly the pairs that straddle the edge
between two inner bars. Pairs that straddle the edge of the final bar itself never count: bars are independent.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from aperiodic.engine.partials.compensated import add, add_pair, two_sum
from aperiodic.engine.partials.jit import kernel
from aperiodic.engine.partials.moments import (
    CROSS,
    PAIR_COLUMNS,
    PAIRS,
    SECOND_X,
    SECOND_Y,
    SUM_X,
    SUM_Y,
    join_pairs,
    mean_gap,
    put_pair,
    put_pairs,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PairBars", "fold_pairs", "merge_pairs", "pair_columns"]

_TICKS: Final = ("uptick", "downtick", "unchanged")
_SIDES: Final = ("buy", "sell")

# Columns of `counts`: trades by tick, then by side the returns, the runs and the longest run.
_RETURNS: Final = 3
_RUNS: Final = 5
_LONGEST: Final = 7
_FIRST_SIDE: Final = 9
_LAST_SIDE: Final = 10
_FIRST_RUN: Final = 11
_LAST_RUN: Final = 12
_COUNTS: Final = 13

# Columns of `values`. First double-double sums: amounts by tick, simple returns by side, log returns up and down.
_SIMPLE: Final = 6
_UP: Final = 10
_DOWN: Final = 12
# Sums of terms that are never negative: squared log returns, products of the sizes of neighbouring ones, sizes of the
# simple returns of flips.
_SQUARE: Final = 14
_BIPOWER: Final = 15
_FLIP: Final = 16
# Edges: first and last price, first signed amount, first and last log return (zero without any).
_OPEN: Final = 17
_CLOSE: Final = 18
_FIRST_FLOW: Final = 19
_FIRST_MOVE: Final = 20
_LAST_MOVE: Final = 21
# Samples of pairs: (signed amount, simple return) from the second trade on, (log return, the one before) from the third.
_FLOWS: Final = 22
_LAGS: Final = _FLOWS + PAIR_COLUMNS
_VALUES: Final = _LAGS + PAIR_COLUMNS


class PairBars(NamedTuple):
    """Columns of a run of bars, none of them empty.

    Attributes:
        counts: Ticks, returns and runs, and the sides and lengths of the first and the last run.
        values: Sums of amounts and returns, what is at the edges, and samples of pairs of neighbours.
    """

    counts: NDArray[np.int64]
    values: NDArray[np.float64]

    @classmethod
    def empty(cls, rows: int) -> PairBars:
        """Room for `rows` bars."""
        return cls(np.zeros((rows, _COUNTS), np.int64), np.zeros((rows, _VALUES)))


@kernel
def fold_pairs(
    sides: NDArray[np.uint8],
    prices: NDArray[np.float64],
    amounts: NDArray[np.float64],
    ends: NDArray[np.int64],
    bars: PairBars,
) -> None:
    """Fill zeroed bars from trades in order of time.

    Args:
        sides: 0 where the taker bought, 1 where it sold.
        prices: Quote units per base unit, positive.
        amounts: Base units, positive.
        ends: Where each bar ends in them; no bar is empty.
        bars: One row for each end.
    """
    begin, longest = 0, 0
    for end in ends:
        longest = max(longest, end - begin)
        begin = end
    flows, changes, moves = np.empty(longest), np.empty(longest), np.empty(longest)
    begin = 0
    for row in range(ends.size):
        end, n = ends[row], ends[row] - begin
        side, price, amount = sides[begin:end], prices[begin:end], amounts[begin:end]
        flow, change, move = flows[:n], changes[:n], moves[:n]
        counts, values = bars.counts[row], bars.values[row]
        _fold_ticks(price, amount, counts, values)
        _fold_returns(side, price, change, move, counts, values)
        _fold_runs(side, change, counts, values)
        for column in range(0, _SQUARE, 2):
            _settle(values, column)
        for i in range(n):
            flow[i] = amount[i] if side[i] == 0 else -amount[i]
        values[_OPEN], values[_CLOSE], values[_FIRST_FLOW] = price[0], price[-1], flow[0]
        if n > 1:
            values[_FIRST_MOVE], values[_LAST_MOVE] = move[1], move[-1]
            _put_samples(flow[1:], change[1:], move[1:], values)
        begin = end


@kernel
def merge_pairs(shorter: PairBars, into: NDArray[np.int64], bars: PairBars) -> None:
    """Merge bars into longer bars.

    Args:
        shorter: Bars to merge.
        into: Row of the longer bar that each belongs to: ascending from 0 without a gap.
        bars: The longer bars.
    """
    pair = np.empty(PAIR_COLUMNS)
    for i in range(into.size):
        counts, values = bars.counts[into[i]], bars.values[into[i]]
        other_counts, other_values = shorter.counts[i], shorter.values[i]
        if i == 0 or into[i] != into[i - 1]:
            counts[:] = other_counts
            values[:] = other_values
        else:
            _straddle(counts, values, other_counts, other_values, pair)
            _append_runs(counts, other_counts)
            _append_values(values, other_values)


def pair_columns(bars: PairBars) -> dict[str, NDArray[Any]]:
    """Return bars as the named partials of `catalog/partials.py`."""
    counts, values = bars.counts, bars.values
    columns: dict[str, NDArray[Any]] = {}
    for k, tick in enumerate(_TICKS):
        columns[f"{tick}_count"] = counts[:, k]
        columns[f"{tick}_volume"] = values[:, 2 * k]
    for k, side in enumerate(_SIDES):
        columns[f"{side}_return_count"] = counts[:, _RETURNS + k]
        columns[f"{side}_return_sum"] = values[:, _SIMPLE + 2 * k]
        columns[f"{side}_run_count"] = counts[:, _RUNS + k]
        columns[f"{side}_longest_run"] = counts[:, _LONGEST + k]
    columns |= {
        "flip_return_size_sum": values[:, _FLIP],
        "flow_return_moment": values[:, _FLOWS + CROSS],
        "flow_moment_2": _flow_moments(values),
        "log_return_square_sum": values[:, _SQUARE],
        "bipower_sum": values[:, _BIPOWER],
        "log_return_sum": _net_moves(values),
        "log_return_size_sum": values[:, _UP] + values[:, _DOWN],
        "log_return_moment_2": _move_moments(values),
        "lag_moment": values[:, _LAGS + CROSS],
        "later_moment_2": values[:, _LAGS + SECOND_X],
        "earlier_moment_2": values[:, _LAGS + SECOND_Y],
    }
    return {name: np.ascontiguousarray(column) for name, column in columns.items()}


@kernel
def _fold_ticks(
    prices: NDArray[np.float64], amounts: NDArray[np.float64], counts: NDArray[np.int64], values: NDArray[np.float64]
) -> None:
    for i in range(1, prices.size):
        tick = _tick(prices[i - 1], prices[i])
        counts[tick] += 1
        _collect(values, 2 * tick, amounts[i])


@kernel
def _fold_returns(
    sides: NDArray[np.uint8],
    prices: NDArray[np.float64],
    changes: NDArray[np.float64],
    moves: NDArray[np.float64],
    counts: NDArray[np.int64],
    values: NDArray[np.float64],
) -> None:
    """Sum the returns of a bar and leave them, simple and logarithmic, in `changes` and `moves`."""
    square, bipower, before, sells = 0.0, 0.0, 0.0, 0
    for i in range(1, prices.size):
        sells += sides[i]
        change, move = _returns(prices[i - 1], prices[i])
        changes[i], moves[i] = change, move
        if change != 0.0:
            _collect(values, _SIMPLE + 2 * sides[i], change)
            _collect(values, _UP if move > 0.0 else _DOWN, abs(move))
            square += move * move
            bipower += abs(move) * before
        before = abs(move)
    values[_SQUARE], values[_BIPOWER] = square, bipower
    counts[_RETURNS], counts[_RETURNS + 1] = prices.size - 1 - sells, sells


@kernel
def _fold_runs(
    sides: NDArray[np.uint8], changes: NDArray[np.float64], counts: NDArray[np.int64], values: NDArray[np.float64]
) -> None:
    last, length, first_run, flips = np.int64(sides[0]), 0, 0, 0.0
    for i in range(sides.size):
        if sides[i] != last:
            _end_run(counts, last, length)
            first_run = first_run or length
            flips += abs(changes[i])
            last, length = np.int64(sides[i]), 0
        length += 1
    _end_run(counts, last, length)
    counts[_FIRST_RUN], counts[_LAST_RUN] = first_run or length, length
    counts[_FIRST_SIDE], counts[_LAST_SIDE] = sides[0], last
    values[_FLIP] = flips


@kernel
def _end_run(counts: NDArray[np.int64], side: np.int64, length: int) -> None:
    counts[_RUNS + side] += 1
    counts[_LONGEST + side] = max(counts[_LONGEST + side], length)


@kernel
def _put_samples(
    flows: NDArray[np.float64], changes: NDArray[np.float64], moves: NDArray[np.float64], values: NDArray[np.float64]
) -> None:
    """Fill the samples of pairs from the signed amounts and the returns of the second trade on."""
    sample, lag = values[_FLOWS:_LAGS], values[_LAGS:_VALUES]
    for flow in flows:
        _collect(sample, SUM_X, flow)
    _settle(sample, SUM_X)
    for side in range(2):
        _add_pair_to(sample, SUM_Y, values[_SIMPLE + 2 * side], values[_SIMPLE + 2 * side + 1])
    put_pairs(sample, flows, changes)
    lag[PAIRS] = moves.size - 1
    if moves.size > 1 and values[_SQUARE] != 0.0:
        for column, absent in ((SUM_X, moves[0]), (SUM_Y, moves[-1])):
            _add_pair_to(lag, column, values[_UP], values[_UP + 1])
            _add_pair_to(lag, column, -values[_DOWN], -values[_DOWN + 1])
            _add_to(lag, column, -absent)
        put_pairs(lag, moves[1:], moves[:-1])


@kernel
def _straddle(
    counts: NDArray[np.int64],
    values: NDArray[np.float64],
    next_counts: NDArray[np.int64],
    next_values: NDArray[np.float64],
    pair: NDArray[np.float64],
) -> None:
    """Count the pairs that the last trade of a bar and the first of the next one make."""
    before, price, flow = values[_CLOSE], next_values[_OPEN], next_values[_FIRST_FLOW]
    side, tick = next_counts[_FIRST_SIDE], _tick(before, price)
    change, move = _returns(before, price)
    counts[tick] += 1
    counts[_RETURNS + side] += 1
    _add_to(values, 2 * tick, abs(flow))
    _add_to(values, _SIMPLE + 2 * side, change)
    _add_to(values, _UP if move > 0.0 else _DOWN, abs(move))
    if side != counts[_LAST_SIDE]:
        values[_FLIP] += abs(change)
    earlier, later = values[_LAST_MOVE], next_values[_FIRST_MOVE]
    values[_SQUARE] += move * move
    values[_BIPOWER] += abs(move) * (abs(earlier) + abs(later))
    flows, lags = values[_FLOWS:_LAGS], values[_LAGS:_VALUES]
    values[_LAST_MOVE] = move
    if flows[PAIRS] > 0.0:
        put_pair(pair, move, earlier)
        join_pairs(lags, pair)
    else:
        values[_FIRST_MOVE] = move
    if next_values[_FLOWS + PAIRS] > 0.0:
        put_pair(pair, later, move)
        join_pairs(lags, pair)
        values[_LAST_MOVE] = next_values[_LAST_MOVE]
    put_pair(pair, flow, change)
    join_pairs(flows, pair)


@kernel
def _append_runs(counts: NDArray[np.int64], next_counts: NDArray[np.int64]) -> None:
    side, last_run = next_counts[_FIRST_SIDE], next_counts[_LAST_RUN]
    if counts[_LAST_SIDE] == side:
        joined = counts[_LAST_RUN] + next_counts[_FIRST_RUN]
        if counts[_RUNS] + counts[_RUNS + 1] == 1:
            counts[_FIRST_RUN] = joined
        if next_counts[_RUNS] + next_counts[_RUNS + 1] == 1:
            last_run = joined
        counts[_RUNS + side] -= 1
        counts[_LONGEST + side] = max(counts[_LONGEST + side], joined)
    counts[_LAST_RUN], counts[_LAST_SIDE] = last_run, next_counts[_LAST_SIDE]
    for k in range(_LONGEST):
        counts[k] += next_counts[k]
    for k in range(_LONGEST, _LONGEST + 2):
        counts[k] = max(counts[k], next_counts[k])


@kernel
def _append_values(values: NDArray[np.float64], next_values: NDArray[np.float64]) -> None:
    for k in range(0, _SQUARE, 2):
        _add_pair_to(values, k, next_values[k], next_values[k + 1])
    for k in range(_SQUARE, _OPEN):
        values[k] += next_values[k]
    values[_CLOSE] = next_values[_CLOSE]
    join_pairs(values[_FLOWS:_LAGS], next_values[_FLOWS:_LAGS])
    join_pairs(values[_LAGS:_VALUES], next_values[_LAGS:_VALUES])


@kernel
def _tick(before: float, price: float) -> int:
    return 0 if price > before else 1 if price < before else 2


@kernel
def _returns(before: float, price: float) -> tuple[float, float]:
    """Return the simple and the log return from one price to the next."""
    quotient = price / before
    return quotient - 1.0, math.log(quotient) if quotient != 1.0 else 0.0


@kernel
def _collect(values: NDArray[np.float64], column: int, x: float) -> None:
    """Add a number to a sum and what rounding loses to its low part: as exact as `add` for one bar, and quicker."""
    values[column], lost = two_sum(values[column], x)
    values[column + 1] += lost


@kernel
def _settle(values: NDArray[np.float64], column: int) -> None:
    """Make a double-double of a collected sum."""
    values[column], values[column + 1] = two_sum(values[column], values[column + 1])


@kernel
def _add_to(values: NDArray[np.float64], column: int, x: float) -> None:
    values[column], values[column + 1] = add(values[column], values[column + 1], x)


@kernel
def _add_pair_to(values: NDArray[np.float64], column: int, high: float, low: float) -> None:
    values[column], values[column + 1] = add_pair(values[column], values[column + 1], high, low)


@kernel
def _flow_moments(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the second moment of the signed amounts of all trades: of the sampled ones and the first."""
    moments = np.zeros(values.shape[0])
    for row in range(values.shape[0]):
        sample = values[row, _FLOWS:_LAGS]
        moments[row] = _with_one_more(
            sample[PAIRS], sample[SUM_X], sample[SUM_X + 1], sample[SECOND_X], values[row, _FIRST_FLOW]
        )
    return moments


@kernel
def _move_moments(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the second moment of all log returns: of those that another one follows and the last."""
    moments = np.zeros(values.shape[0])
    for row in range(values.shape[0]):
        sample = values[row, _LAGS:_VALUES]
        moments[row] = _with_one_more(
            sample[PAIRS], sample[SUM_Y], sample[SUM_Y + 1], sample[SECOND_Y], values[row, _LAST_MOVE]
        )
    return moments


@kernel
def _with_one_more(n: float, high: float, low: float, moment: float, value: float) -> float:
    if n == 0.0:
        return 0.0
    gap = mean_gap(n, high, low, 1.0, value, 0.0)
    return moment + gap * gap * n / (n + 1.0)


@kernel
def _net_moves(values: NDArray[np.float64]) -> NDArray[np.float64]:
    net = np.empty(values.shape[0])
    for row in range(values.shape[0]):
        ups, downs = values[row, _UP : _UP + 2], values[row, _DOWN : _DOWN + 2]
        net[row], _ = add_pair(ups[0], ups[1], -downs[0], -downs[1])
    return net
