"""Partials of slippage: each trade against the quote before it.

One pass fills 1-second bars, which merge into every longer interval; percentiles are searched in each bar's slice of
the day. On Binance spot, whose quotes carry no exchange time, there is no slippage on the exchange clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from aperiodic.engine.partials.asof import LOOK_BACK_US, NEVER
from aperiodic.engine.partials.bars import SECOND_US, Bars, Growing, longest_of, merge_tree, start_of, to_frame
from aperiodic.engine.partials.compensated import SUM, add_to
from aperiodic.engine.partials.kernel import DayTicks, FamilyKernel
from aperiodic.engine.partials.older import Older, with_older
from aperiodic.engine.partials.quantiles import bar_quantiles
from aperiodic.jit import kernel
from aperiodic.market import Clock, Interval, Stream
from aperiodic.venues import has_modelled_time

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from numpy.typing import NDArray

__all__ = ["COST_BAR", "KERNEL", "finish_costs", "fold_costs", "match_quotes", "merge_costs"]

_ROWS_AT_ONCE: Final = 1 << 17
"""Quotes taken out of a frame at a time: as many as a tick file keeps together, which are read where they lie."""

_QUOTE_COLUMNS: Final = ("bid_price", "bid_amount", "ask_price", "ask_amount")

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

QUOTE: Final = np.dtype([("time", np.int64), ("bid", np.float64), ("ask", np.float64)])

QUOTES_SEEN: Final = np.dtype([("latest", QUOTE), ("earlier", QUOTE)])
"""The latest two-sided quote so far, and the latest one of an earlier time, which trades of that very time look at."""


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
def match_quotes(
    times: NDArray[np.int64],
    quote_times: NDArray[np.int64],
    bid_prices: NDArray[np.float64],
    bid_amounts: NDArray[np.float64],
    ask_prices: NDArray[np.float64],
    ask_amounts: NDArray[np.float64],
    matched: int,
    seen: NDArray[Any],
    bids: NDArray[np.float64],
    asks: NDArray[np.float64],
) -> int:
    """Give trades the prices of the quote before them, as far as these quotes tell; return how many now have them.

    Quotes without a price or an amount above zero on each side are left out, and so are those older than 24 hours.

    Args:
        times: Of the trades, µs since the epoch, ascending.
        quote_times: µs since the epoch, ascending.
        bid_prices: Quote units per base unit; NaN where there is none.
        bid_amounts: Base units; NaN where there is none.
        ask_prices: Quote units per base unit; NaN where there is none.
        ask_amounts: Base units; NaN where there is none.
        matched: Trades that have their quote from earlier calls.
        seen: One record of type `QUOTES_SEEN`, which is brought up to date.
        bids: Receives the bid prices.
        asks: Receives the ask prices.
    """
    latest, earlier = seen[0].latest, seen[0].earlier
    time, bid, ask = latest.time, latest.bid, latest.ask
    time_before, bid_before, ask_before = earlier.time, earlier.bid, earlier.ask
    for i in range(quote_times.size):
        quote_time = quote_times[i]
        # A quote at the very time of a trade is not before it.
        while matched < times.size and times[matched] <= quote_time:
            at = times[matched]
            if time < at:
                known = at - time <= LOOK_BACK_US
                bids[matched], asks[matched] = (bid, ask) if known else (np.nan, np.nan)
            else:
                known = at - time_before <= LOOK_BACK_US
                bids[matched], asks[matched] = (bid_before, ask_before) if known else (np.nan, np.nan)
            matched += 1
        if bid_prices[i] > 0.0 and bid_amounts[i] > 0.0 and ask_prices[i] > 0.0 and ask_amounts[i] > 0.0:
            if time < quote_time:
                time_before, bid_before, ask_before = time, bid, ask
            time, bid, ask = quote_time, bid_prices[i], ask_prices[i]
    latest.time, latest.bid, latest.ask = time, bid, ask
    earlier.time, earlier.bid, earlier.ask = time_before, bid_before, ask_before
    return matched


@kernel
def match_rest(
    times: NDArray[np.int64],
    matched: int,
    seen: NDArray[Any],
    bids: NDArray[np.float64],
    asks: NDArray[np.float64],
) -> None:
    """Give the trades that have no quote yet the prices of the latest one before them; NaN where there is none."""
    for i in range(matched, times.size):
        quote = seen[0].latest if seen[0].latest.time < times[i] else seen[0].earlier
        known = times[i] - quote.time <= LOOK_BACK_US
        bids[i] = quote.bid if known else np.nan
        asks[i] = quote.ask if known else np.nan


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


class SlippageDay:
    """The bars of a day of trades and quotes.

    It keeps the basis points of every trade, 8 bytes: percentiles are of all trades of a bar.
    """

    def __init__(self, ticks: DayTicks) -> None:
        self._counts = ticks.clock is not Clock.EXCHANGE or not has_modelled_time(ticks.exchange, Stream.QUOTES)
        self._seen = np.zeros(1, QUOTES_SEEN)
        self._seen["latest"] = self._seen["earlier"] = (NEVER, np.nan, np.nan)
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
        times = trades["time"].to_numpy()
        bids, asks = np.empty(times.size), np.empty(times.size)
        matched = 0
        for part in quotes.iter_slices(_ROWS_AT_ONCE):
            bid_prices, bid_amounts, ask_prices, ask_amounts = (part[name].to_numpy() for name in _QUOTE_COLUMNS)
            matched = match_quotes(
                times,
                part["time"].to_numpy(),
                bid_prices,
                bid_amounts,
                ask_prices,
                ask_amounts,
                matched,
                self._seen,
                bids,
                asks,
            )
        match_rest(times, matched, self._seen, bids, asks)
        bps = np.empty(times.size)
        self._seconds.used, found = fold_costs(
            times,
            trades["side"].to_physical().cast(pl.UInt8).to_numpy(),
            trades["price"].to_numpy(),
            trades["amount"].to_numpy(),
            bids,
            asks,
            self._seconds.room,
            self._seconds.used,
            bps,
        )
        self._bps.add(bps[:found])

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
    columns={Stream.TRADES: ("side", "price", "amount"), Stream.QUOTES: _QUOTE_COLUMNS},
    open_day=SlippageDay,
    usable={Stream.QUOTES: pl.all_horizontal(pl.col(_QUOTE_COLUMNS).fill_null(0.0) > 0)},
    looks_back={Stream.QUOTES: LOOK_BACK_US},
)
