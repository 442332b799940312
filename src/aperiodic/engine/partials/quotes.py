"""Partials of quotes: one pass fills 1-second bars, which merge into every longer interval.

Only two-sided quotes count: both prices and both amounts above zero. The kernel leaves the others out as it goes,
which costs less than filtering a day's quotes beforehand.

A quote holds until the next one or until its bar ends, and every bar has an end of its own. So a bar's state sums
price times time held between its first and its last quote only: a merge adds how long the left bar's last quote held
until the right bar's first, and `finish_quotes` how long the last one held until the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aperiodic.engine.partials.asof import NEVER
from aperiodic.engine.partials.bars import SECOND_US, start_of
from aperiodic.engine.partials.columns import frozen, in_blocks, pieces
from aperiodic.engine.partials.compensated import add, add_pair, two_sum
from aperiodic.engine.partials.kernel import DayTicks, FamilyKernel
from aperiodic.engine.partials.recorded_day import RecordedDay
from aperiodic.engine.partials.threads import fold_seconds
from aperiodic.jit import Record, kernel
from aperiodic.market import Stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl
    from numpy.typing import NDArray

    from aperiodic.market import Interval

__all__ = ["KERNEL", "QUOTE_BAR", "finish_quotes", "fold_quotes", "merge_quotes"]

_COLUMNS: Final = ("bid_price", "bid_amount", "ask_price", "ask_amount")

_TERMS: Final = (
    "bid_price_time",
    "ask_price_time",
    "bid_amount",
    "ask_amount",
    "bid_notional",
    "ask_notional",
    "imbalance",
    "imbalance_ratio",
    "bid_ask_ratio",
    "bid_percentage",
    "ask_percentage",
    "spread",
    "spread_bps",
    "spread_depth_ratio",
)
"""What is summed over quotes."""

_SUMS: Final = len(_TERMS)
_LANES: Final = 16
"""Sums that a kernel keeps, which is a whole number of vectors; those past `_SUMS` stay zero."""
_TERMS_AT_ONCE: Final = 64
"""Quotes whose terms wait to be added: sums are far behind the terms, which are in the cache and no longer on their way there."""
_BID_PRICE_TIME, _ASK_PRICE_TIME = _TERMS.index("bid_price_time"), _TERMS.index("ask_price_time")

QUOTE_BAR: Final = np.dtype(
    [
        ("start", np.int64),
        ("n", np.int64),
        ("first_time", np.int64),
        ("last_time", np.int64),
        *((name, np.float64) for name in _COLUMNS),  # of the last quote
        # Sums of `_TERMS`, each the total of its two parts: all high parts lie together, so that all sums advance at once.
        ("high", np.float64, (_SUMS,)),
        ("low", np.float64, (_SUMS,)),
    ]
)
"""What is known of the quotes of a bar."""


@kernel
def fold_quotes(
    times: NDArray[np.int64],
    bid_prices: NDArray[np.float64],
    bid_amounts: NDArray[np.float64],
    ask_prices: NDArray[np.float64],
    ask_amounts: NDArray[np.float64],
    bars: NDArray[Any],
    used: int,
) -> int:
    """Add quotes, ascending in time, to 1-second bars, of which `used` are filled already.

    Quotes without a price or an amount above zero on each side are left out.

    Args:
        times: µs since the epoch.
        bid_prices: Quote units per base unit; NaN where there is none.
        bid_amounts: Base units; NaN where there is none.
        ask_prices: Quote units per base unit; NaN where there is none.
        ask_amounts: Base units; NaN where there is none.
        bars: Zeroed from row `used` on, with room for every second that occurs.
        used: Filled rows; the last of them is continued.

    Returns:
        The number of filled rows.
    """
    terms, high, low = np.zeros((_TERMS_AT_ONCE, _LANES)), np.zeros(_LANES), np.zeros(_LANES)
    row, waiting = used - 1, 0
    # The open bar's state, which is written to its record when the bar or the quotes end.
    start, last_time, n = NEVER, 0, 0
    last_bid, last_bid_amount, last_ask, last_ask_amount = 0.0, 0.0, 0.0, 0.0
    if row >= 0:
        bar = bars[row]
        start, last_time, n = bar.start, bar.last_time, bar.n
        last_bid, last_bid_amount, last_ask, last_ask_amount = (
            bar.bid_price,
            bar.bid_amount,
            bar.ask_price,
            bar.ask_amount,
        )
        for k in range(_SUMS):
            high[k], low[k] = bar.high[k], bar.low[k]
    for i in range(times.size):
        bid, bid_amount, ask, ask_amount = bid_prices[i], bid_amounts[i], ask_prices[i], ask_amounts[i]
        if not (bid > 0.0 and bid_amount > 0.0 and ask > 0.0 and ask_amount > 0.0):
            continue
        time = times[i]
        ended = time - start >= SECOND_US
        if ended or waiting == _TERMS_AT_ONCE:
            _add_terms(terms[:waiting], high, low)
            waiting = 0
        if ended:
            if row >= 0:
                _put(bars[row], n, last_time, last_bid, last_bid_amount, last_ask, last_ask_amount, high, low)
            row += 1
            start = start_of(time, SECOND_US)
            bars[row].start, bars[row].first_time = start, time
            last_time, n, last_bid, last_ask = time, 0, 0.0, 0.0
            high[:] = 0.0
            low[:] = 0.0
        held = time - last_time
        depth = bid_amount + ask_amount
        imbalance = bid_amount - ask_amount
        spread = ask - bid
        terms[waiting, :_SUMS] = (
            last_bid * held,
            last_ask * held,
            bid_amount,
            ask_amount,
            bid * bid_amount,
            ask * ask_amount,
            imbalance,
            imbalance / depth,
            bid_amount / ask_amount,
            bid_amount / depth,
            ask_amount / depth,
            spread,
            spread / ((bid + ask) / 2.0) * 10_000.0,
            spread / depth,
        )
        waiting += 1
        n += 1
        last_time = time
        last_bid, last_bid_amount, last_ask, last_ask_amount = bid, bid_amount, ask, ask_amount
    if row >= 0:
        _add_terms(terms[:waiting], high, low)
        _put(bars[row], n, last_time, last_bid, last_bid_amount, last_ask, last_ask_amount, high, low)
    return row + 1


@kernel
def _add_terms(terms: NDArray[np.float64], high: NDArray[np.float64], low: NDArray[np.float64]) -> None:
    """Add the terms of quotes, a row each, to sums whose value is the total of both parts.

    What rounding lost is only added up, without carrying it over, so all sums advance side by side.
    """
    for i in range(terms.shape[0]):
        # A number of lanes that is known when this is compiled would be unrolled, not made one of vectors.
        for k in range(high.size):
            total, lost = two_sum(high[k], terms[i, k])
            high[k] = total
            low[k] += lost


@kernel
def _put(
    bar: Record,
    n: int,
    last_time: int,
    bid: float,
    bid_amount: float,
    ask: float,
    ask_amount: float,
    high: NDArray[np.float64],
    low: NDArray[np.float64],
) -> None:
    bar.n, bar.last_time = n, last_time
    bar.bid_price, bar.bid_amount, bar.ask_price, bar.ask_amount = bid, bid_amount, ask, ask_amount
    for k in range(_SUMS):
        bar.high[k], bar.low[k] = high[k], low[k]


@kernel
def merge_quotes(shorter: NDArray[Any], length_us: int, bars: NDArray[Any], used: int) -> int:
    """Merge bars into bars of `length_us`, zeroed from row `used` on; return how many are filled then."""
    row = used - 1
    for i in range(shorter.size):
        other = shorter[i]
        start = start_of(other.start, length_us)
        if row < 0 or bars[row].start != start:
            row += 1
            bars[row].start, bars[row].first_time = start, other.first_time
        else:
            held = other.first_time - bars[row].last_time
            high, low = bars[row].high, bars[row].low
            for k, price in ((_BID_PRICE_TIME, bars[row].bid_price), (_ASK_PRICE_TIME, bars[row].ask_price)):
                high[k], low[k] = add(high[k], low[k], price * held)
        bar = bars[row]
        for k in range(_SUMS):
            bar.high[k], bar.low[k] = add_pair(bar.high[k], bar.low[k], other.high[k], other.low[k])
        bar.n += other.n
        bar.last_time = other.last_time
        bar.bid_price, bar.bid_amount = other.bid_price, other.bid_amount
        bar.ask_price, bar.ask_amount = other.ask_price, other.ask_amount
    return row + 1


def finish_quotes(bars: NDArray[Any], length_us: int) -> dict[str, NDArray[Any]]:
    """Return bars of `length_us` as the named partials of `catalog/partials_quotes.py`."""
    end = bars["start"] + length_us
    sums = bars["high"] + bars["low"]
    held_last = end - bars["last_time"]
    sums[:, _BID_PRICE_TIME] += bars["bid_price"] * held_last
    sums[:, _ASK_PRICE_TIME] += bars["ask_price"] * held_last
    return {
        "n_quotes": bars["n"],
        "held_time": end - bars["first_time"],
        "span_time": bars["last_time"] - bars["first_time"],
        **{name: bars[name] for name in _COLUMNS},
        **{f"{name}_sum": sums[:, k] for k, name in enumerate(_TERMS)},
    }


def _columns_of(bars: NDArray[np.void], interval: Interval) -> Mapping[str, NDArray[Any]]:
    return in_blocks(bars.size, lambda rows: finish_quotes(bars[rows], interval.microseconds))


class QuoteDay(RecordedDay):
    """The bars of a day of quotes."""

    def __init__(self, _ticks: DayTicks) -> None:
        super().__init__(QUOTE_BAR, merge_quotes, _columns_of)

    def fold(self, events: Mapping[Stream, pl.DataFrame]) -> None:
        """Add quotes."""
        quotes = events[Stream.QUOTES]

        def fold(begin: int, end: int, bars: NDArray[np.void], used: int) -> tuple[int, None]:
            for piece in pieces(quotes, begin, end):
                times, bids, bid_amounts, asks, ask_amounts = (
                    frozen(piece[name].to_numpy()) for name in ("time", *_COLUMNS)
                )
                used = fold_quotes(times, bids, bid_amounts, asks, ask_amounts, bars, used)
            return used, None

        fold_seconds(self.seconds, quotes["time"], fold)


KERNEL: Final = FamilyKernel(columns={Stream.QUOTES: _COLUMNS}, open_day=QuoteDay)
