"""The quote before each trade: the latest two-sided one of an earlier time, unless it is older than 24 hours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from aperiodic.engine.partials.asof import LOOK_BACK_US, NEVER
from aperiodic.engine.partials.columns import frozen, pieces
from aperiodic.jit import Record, inlined, kernel

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

__all__ = ["QUOTE_COLUMNS", "match_quotes", "none_seen", "seen_before"]

QUOTE_COLUMNS: Final = ("bid_price", "bid_amount", "ask_price", "ask_amount")

_QUOTE: Final = np.dtype([("time", np.int64), ("bid", np.float64), ("ask", np.float64)])

_SEEN: Final = np.dtype([("latest", _QUOTE), ("earlier", _QUOTE)])
"""The latest two-sided quote so far, and the latest one of an earlier time, which trades of that very time look at."""

_LOOK_BACK_ROWS: Final = 1 << 12
_NO_TIMES: Final = frozen(np.zeros(0, np.int64))


class _Quotes(NamedTuple):
    """Quotes ascending in time.

    Attributes:
        times: µs since the epoch.
        bid_prices: Quote units per base unit; NaN where there is none.
        bid_amounts: Base units; NaN where there is none.
        ask_prices: Quote units per base unit; NaN where there is none.
        ask_amounts: Base units; NaN where there is none.
    """

    times: NDArray[np.int64]
    bid_prices: NDArray[np.float64]
    bid_amounts: NDArray[np.float64]
    ask_prices: NDArray[np.float64]
    ask_amounts: NDArray[np.float64]


def none_seen() -> NDArray[np.void]:
    """Return what is known before the first quote, in one record."""
    seen: NDArray[np.void] = np.zeros(1, _SEEN)
    seen["latest"] = seen["earlier"] = (NEVER, np.nan, np.nan)
    return seen


def seen_before(quotes: pl.DataFrame, end: int, seen: NDArray[np.void]) -> NDArray[np.void]:
    """Return what trades after some quotes, at none of their times, have to know of them.

    Args:
        quotes: Ascending in time.
        end: How many of them.
        seen: What was known before them.
    """
    while end > 0:
        begin = max(end - _LOOK_BACK_ROWS, 0)
        found = none_seen()
        match_quotes(_NO_TIMES, quotes, begin, end, found)
        if found["latest"]["time"] > NEVER:
            return found
        end = begin
    return seen.copy()


def match_quotes(
    times: NDArray[np.int64], quotes: pl.DataFrame, begin: int, end: int, seen: NDArray[np.void]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the bid and the ask price of the quote before each trade, NaN where there is none.

    Quotes without a price or an amount above zero on each side are left out, and so are those older than 24 hours.

    Args:
        times: Of the trades, µs since the epoch, ascending.
        quotes: `time` and `QUOTE_COLUMNS`, ascending in time.
        begin: The first quote to look at.
        end: Where they end.
        seen: What is known of the quotes before them, which is brought up to date.
    """
    bids, asks = np.empty(times.size), np.empty(times.size)
    matched = 0
    for piece in pieces(quotes, begin, end):
        columns = _Quotes(*(frozen(piece[name].to_numpy()) for name in ("time", *QUOTE_COLUMNS)))
        matched = _match(times, columns, matched, seen, bids, asks)
    _match_rest(times, matched, seen, bids, asks)
    return bids, asks


@kernel
def _match(
    times: NDArray[np.int64],
    quotes: _Quotes,
    matched: int,
    seen: NDArray[Any],
    bids: NDArray[np.float64],
    asks: NDArray[np.float64],
) -> int:
    """Match the trades that no later quote can be before, of which some have their quote; return how many now have it.

    Of most quotes only the time is looked at.
    """
    latest, earlier = seen[0].latest, seen[0].earlier
    # How many quotes are before the trade, and the last two-sided one of them.
    before, found = 0, -1
    while matched < times.size and times[matched] <= quotes.times[-1]:
        time, looked_at = times[matched], before
        # A quote at the very time of a trade is not before it.
        while quotes.times[before] < time:
            before += 1
        found = _last_two_sided(quotes, looked_at, before, found)
        if found >= 0:
            bid, ask = _known(time, quotes.times[found], quotes.bid_prices[found], quotes.ask_prices[found])
        else:
            bid, ask = _known_of(time, latest, earlier)
        bids[matched], asks[matched] = bid, ask
        matched += 1
    found = _last_two_sided(quotes, before, quotes.times.size, found)
    if found >= 0:
        time = quotes.times[found]
        before = _last_two_sided(quotes, 0, np.searchsorted(quotes.times, time), -1)
        if before >= 0:
            _put(earlier, quotes, before)
        elif latest.time < time:
            earlier.time, earlier.bid, earlier.ask = latest.time, latest.bid, latest.ask
        _put(latest, quotes, found)
    return matched


@kernel
def _match_rest(
    times: NDArray[np.int64],
    matched: int,
    seen: NDArray[Any],
    bids: NDArray[np.float64],
    asks: NDArray[np.float64],
) -> None:
    """Give the trades that have no quote yet the prices of the latest one before them."""
    for i in range(matched, times.size):
        bids[i], asks[i] = _known_of(times[i], seen[0].latest, seen[0].earlier)


@kernel
def _last_two_sided(quotes: _Quotes, begin: int, end: int, otherwise: int) -> int:
    """Return the last of some quotes that has a price and an amount above zero on each side."""
    for i in range(end - 1, begin - 1, -1):
        if (
            quotes.bid_prices[i] > 0.0
            and quotes.bid_amounts[i] > 0.0
            and quotes.ask_prices[i] > 0.0
            and quotes.ask_amounts[i] > 0.0
        ):
            return i
    return otherwise


@inlined
def _known_of(time: int, latest: Record, earlier: Record) -> tuple[float, float]:
    quote = latest if latest.time < time else earlier
    return _known(time, quote.time, quote.bid, quote.ask)


@inlined
def _known(time: int, quote_time: int, bid: float, ask: float) -> tuple[float, float]:
    known = time - quote_time <= LOOK_BACK_US
    return (bid, ask) if known else (np.nan, np.nan)


@inlined
def _put(quote: Record, quotes: _Quotes, i: int) -> None:
    quote.time, quote.bid, quote.ask = quotes.times[i], quotes.bid_prices[i], quotes.ask_prices[i]
