"""Partials of slippage: each trade against the quote before it.

One pass fills 1-second bars, which merge into every longer interval; percentiles are searched in each bar's slice of
the day. On Binance spot, whose quotes carry no exchange time, there is no slippage on the exchange clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import polars as pl

from aperiodic.engine.partials.asof import LOOK_BACK_US
from aperiodic.engine.partials.bars import SECOND_US, Bars, Growing, longest_of, merge_tree, start_of, to_frame
from aperiodic.engine.partials.columns import frozen, pieces
from aperiodic.engine.partials.compensated import SUM, add_to
from aperiodic.engine.partials.kernel import DayTicks, FamilyKernel
from aperiodic.engine.partials.older import Older, with_older
from aperiodic.engine.partials.quantiles import bar_quantiles
from aperiodic.engine.partials.quote_match import QUOTE_COLUMNS, match_quotes, none_seen, seen_before
from aperiodic.engine.partials.threads import events_before, fold_seconds
from aperiodic.jit import kernel
from aperiodic.market import Clock, Interval, Stream
from aperiodic.venues import has_modelled_time

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from numpy.typing import NDArray

__all__ = ["COST_BAR", "KERNEL", "finish_costs", "fold_costs", "merge_costs"]

_PERCENTS: Final = (50, 95)

_BPS: Final = np.dtype(np.float64)

COST_BAR: Final = np.dtype(
    [
        ("start", np.int64),
        ("counts", np.int64, (2,)),  # trades with a quote, by side
        ("cost", SUM),  # what trades paid beyond their quote, quote units per base unit
        ("bps", SUM, (2,)),  # the same in basis points of the quote's mid, by side
        ("bps_amount", SUM),  # basis points times amount
        ("amount", SUM),
        ("bps_mean", np.float64),
        ("bps_squares", np.float64),  # of the distances from the mean
    ]
)
"""What is known of the trades of a bar that had a quote before them."""


@kernel
def fold_costs(
    times: NDArray[np.int64],
    sides: NDArray[np.uint8],
    prices: NDArray[np.float64],
    amounts: NDArray[np.float64],
    bids: NDArray[np.float64],
    asks: NDArray[np.float64],
    bars: NDArray[Any],
    used: int,
    bps: NDArray[np.float64],
) -> tuple[int, int]:
    """Add trades, ascending in time, to 1-second bars; trades whose quote is NaN are left out.

    Args:
        times: µs since the epoch.
        sides: 0 where the taker bought, 1 where it sold.
        prices: Quote units per base unit.
        amounts: Base units, positive.
        bids: Bid price of the quote before each trade, positive.
        asks: Ask price of the same quote, positive.
        bars: Zeroed from row `used` on, with room for every second that occurs.
        used: Filled rows; the last of them is continued.
        bps: Receives the basis points of the trades that are not left out.

    Returns:
        The number of filled rows, and of trades that are not left out.
    """
    row = used - 1
    matched = 0
    for i in range(times.size):
        bid, ask, side = bids[i], asks[i], sides[i]
        if np.isnan(bid):
            continue
        start = start_of(times[i], SECOND_US)
        if row < 0 or bars[row].start != start:
            row += 1
            bars[row].start = start
        bar = bars[row]
        cost = prices[i] - ask if side == 0 else bid - prices[i]
        cost_bps = cost / ((bid + ask) / 2.0) * 10_000.0
        bps[matched] = cost_bps
        matched += 1
        bar.counts[side] += 1
        add_to(bar.cost, cost, 0.0)
        add_to(bar.bps[side], cost_bps, 0.0)
        add_to(bar.bps_amount, cost_bps * amounts[i], 0.0)
        add_to(bar.amount, amounts[i], 0.0)
        distance = cost_bps - bar.bps_mean
        bar.bps_mean += distance / (bar.counts[0] + bar.counts[1])
        bar.bps_squares += distance * (cost_bps - bar.bps_mean)
    return row + 1, matched


@kernel
def merge_costs(shorter: NDArray[Any], length_us: int, bars: NDArray[Any], used: int) -> int:
    """Merge bars into bars of `length_us`, zeroed from row `used` on; return how many are filled then."""
    row = used - 1
    for i in range(shorter.size):
        other = shorter[i]
        start = start_of(other.start, length_us)
        if row < 0 or bars[row].start != start:
            row += 1
            bars[row].start = start
        bar = bars[row]
        held = bar.counts[0] + bar.counts[1]
        more = other.counts[0] + other.counts[1]
        distance = other.bps_mean - bar.bps_mean
        bar.bps_mean += distance * (more / (held + more))
        bar.bps_squares += other.bps_squares + distance * distance * held * (more / (held + more))
        for side in range(2):
            bar.counts[side] += other.counts[side]
            add_to(bar.bps[side], other.bps[side].high, other.bps[side].low)
        add_to(bar.cost, other.cost.high, other.cost.low)
        add_to(bar.bps_amount, other.bps_amount.high, other.bps_amount.low)
        add_to(bar.amount, other.amount.high, other.amount.low)
    return row + 1


def finish_costs(bars: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return bars as the named partials of `catalog/partials_slippage.py`, but for the percentiles."""
    bps = bars["bps"]
    return {
        "buy_count": bars["counts"][:, 0],
        "sell_count": bars["counts"][:, 1],
        "volume": bars["amount"]["high"],
        "cost_sum": bars["cost"]["high"],
        # High parts, then low parts: what rounding lost counts where buys and sells cancel.
        "bps_sum": bps["high"].sum(axis=1) + bps["low"].sum(axis=1),
        "buy_bps_sum": bps["high"][:, 0],
        "sell_bps_sum": bps["high"][:, 1],
        "bps_amount_sum": bars["bps_amount"]["high"],
        "bps_square_sum": bars["bps_squares"],
    }


class _Folded(NamedTuple):
    """What is known of a part of the trades besides their bars: the basis points of each, and of the quotes up to its end."""

    bps: NDArray[np.float64]
    seen: NDArray[np.void]


class SlippageDay:
    """The bars of a day of trades and quotes.

    It keeps the basis points of every trade, 8 bytes: percentiles are of all trades of a bar.
    """

    def __init__(self, ticks: DayTicks) -> None:
        self._counts = ticks.clock is not Clock.EXCHANGE or not has_modelled_time(ticks.exchange, Stream.QUOTES)
        self._seen = none_seen()
        for row in ticks.before[Stream.QUOTES].select("time", "bid_price", "ask_price").iter_rows():
            self._seen["latest"] = row
        self._bps = Growing(_BPS)
        self._seconds = Bars(COST_BAR)
        self._older = Older(COST_BAR, _BPS)

    def fold(self, events: Mapping[Stream, pl.DataFrame]) -> None:
        """Add trades and quotes."""
        trades, quotes = events[Stream.TRADES], events[Stream.QUOTES]
        if not self._counts:
            trades = trades.clear()

        def fold(begin: int, end: int, bars: NDArray[np.void], used: int) -> tuple[int, _Folded]:
            first = events_before(quotes["time"], trades["time"][begin]) if begin else 0
            past = events_before(quotes["time"], trades["time"][end]) if end < trades.height else quotes.height
            seen = seen_before(quotes, first, self._seen)
            times = frozen(trades["time"].slice(begin, end - begin).to_numpy())
            bids, asks = match_quotes(times, quotes, first, past, seen)
            bps, row, found = np.empty(times.size), 0, 0
            for piece in pieces(trades, begin, end):
                rows = slice(row, row + piece.height)
                used, more = fold_costs(
                    times[rows],
                    frozen(piece["side"].to_physical().cast(pl.UInt8).to_numpy()),
                    frozen(piece["price"].to_numpy()),
                    frozen(piece["amount"].to_numpy()),
                    bids[rows],
                    asks[rows],
                    bars,
                    used,
                    bps[found:],
                )
                row, found = rows.stop, found + more
            return used, _Folded(bps[:found], seen)

        parts = fold_seconds(self._seconds, trades["time"], fold)
        self._seen = parts[-1].seen
        for part in parts:
            self._bps.add(part.bps)

    def join_seconds(self, before: int) -> None:
        """Keep bars of a minute in the place of older ones of a second; see `OpenDay.join_seconds`."""
        self._seconds.join(self._seconds.rows_to_join(before), merge_costs)

    def leaving(self, before: int) -> bytes | None:
        """Return what can leave memory; see `OpenDay.leaving`."""
        rows = self._seconds.rows_to_join(before)
        if not rows:
            return None
        return self._older.pack([self._seconds.filled[:rows], self._bps.values[: self._trades_of(rows)]])

    def leave(self, before: int, read: Callable[[int], list[bytes]]) -> None:
        """Let go of it; see `OpenDay.leave`."""
        rows = self._seconds.rows_to_join(before)
        self._older.note(int(self._seconds.filled["start"][rows - 1]), read)
        self._bps.drop(self._trades_of(rows))
        self._seconds.drop(rows)

    def _trades_of(self, rows: int) -> int:
        """Return how many trades the first bars have."""
        return int(self._seconds.filled["counts"][:rows].sum())

    def finish(self, intervals: Collection[Interval], since: int | None = None) -> dict[Interval, pl.DataFrame]:
        """Return the bars of all trades so far."""
        first = self._seconds.first_since(since)
        older, older_bps = self._older.since(since)
        tree = merge_tree(with_older(older, self._seconds.filled[first:]), merge_costs, longest_of(intervals))
        ends = [bars["counts"].sum(axis=1).cumsum() for bars in tree.values()]
        values = with_older(older_bps, self._bps.values[self._trades_of(first) :])
        percentiles = bar_quantiles(values, ends, _PERCENTS)
        frames = {}
        for (interval, bars), found in zip(tree.items(), percentiles, strict=True):
            if interval in intervals:
                quantiles = {f"bps_p{percent}": found[:, k] for k, percent in enumerate(_PERCENTS)}
                frames[interval] = to_frame(bars["start"], finish_costs(bars) | quantiles)
        return frames


KERNEL: Final = FamilyKernel(
    columns={Stream.TRADES: ("side", "price", "amount"), Stream.QUOTES: QUOTE_COLUMNS},
    open_day=SlippageDay,
    usable={Stream.QUOTES: pl.all_horizontal(pl.col(QUOTE_COLUMNS).fill_null(0.0) > 0)},
    looks_back={Stream.QUOTES: LOOK_BACK_US},
)
