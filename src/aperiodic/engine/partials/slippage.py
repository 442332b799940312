"""Partials of slippage: each trade against the quote before it.

One pass fills 1-second bars, which merge into every longer interval; percentiles are searched in each bar's slice of
the day. On Binance spot, whose quotes carry no exchange time, there is no slippage on the exchange clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import polars as pl

from aperiodic.engine.partials.compensated import add_pair
from aperiodic.engine.partials.jit import kernel
from aperiodic.engine.partials.kernel import DayTicks, FamilyKernel
from aperiodic.engine.partials.merge_tree import merge_tree
from aperiodic.engine.partials.quantiles import bar_quantiles
from aperiodic.market import DAY_US, Clock, Interval, Stream
from aperiodic.venues import has_modelled_time

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["KERNEL"]

_SECOND_US: Final = 1_000_000
_ROWS_AT_ONCE: Final = 1 << 17
"""Quotes taken out of a frame at a time: as many as a tick file keeps together, which are read where they lie."""

_QUOTE_COLUMNS: Final = ("bid_price", "bid_amount", "ask_price", "ask_amount")

# Columns of `sums`.
_PAID: Final = 0
_BPS: Final = 1  # of buys, then of sells
_BPS_AMOUNT: Final = 3
_AMOUNT: Final = 4
_SUMS: Final = 5

# Columns of `spread`.
_MEAN: Final = 0
_SQUARE: Final = 1

_PERCENTS: Final = (50, 95)


class CostBars(NamedTuple):
    """Columns of a run of bars, ascending in time; only the first rows that a kernel returned are filled.

    Attributes:
        start: Start of the bar, µs.
        counts: Trades with a quote: buys, sells.
        sums: Double-double sums: paid, basis points of buys and of sells, basis points times amount, amount.
        spread: Mean of the basis points and sum of their squared distances from it.
    """

    start: NDArray[np.int64]
    counts: NDArray[np.int64]
    sums: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def empty(cls, rows: int) -> CostBars:
        """Room for `rows` bars."""
        return cls(
            start=np.zeros(rows, np.int64),
            counts=np.zeros((rows, 2), np.int64),
            sums=np.zeros((rows, _SUMS, 2)),
            spread=np.zeros((rows, 2)),
        )

    def head(self, rows: int) -> CostBars:
        """The first `rows` bars."""
        return CostBars(self.start[:rows], self.counts[:rows], self.sums[:rows], self.spread[:rows])


@kernel
def fold_costs(
    times: NDArray[np.int64],
    sides: NDArray[np.uint8],
    prices: NDArray[np.float64],
    amounts: NDArray[np.float64],
    bids: NDArray[np.float64],
    asks: NDArray[np.float64],
    bars: CostBars,
    bps: NDArray[np.float64],
) -> int:
    """Fill zeroed 1-second bars from trades, ascending in time; trades whose quote is NaN are left out.

    Args:
        times: µs since the epoch.
        sides: 0 where the taker bought, 1 where it sold.
        prices: Quote units per base unit.
        amounts: Base units, positive.
        bids: Bid price of the quote before each trade, positive.
        asks: Ask price of the same quote, positive.
        bars: Zeroed, with room for every second that occurs.
        bps: Receives the basis points of the trades that are not left out.

    Returns:
        The number of filled bars.
    """
    row = -1
    matched = 0
    for i in range(times.size):
        bid, ask, side = bids[i], asks[i], sides[i]
        if np.isnan(bid):
            continue
        start = times[i] - times[i] % _SECOND_US
        if row < 0 or bars.start[row] != start:
            row += 1
            bars.start[row] = start
        paid = prices[i] - ask if side == 0 else bid - prices[i]
        cost = paid / ((bid + ask) / 2.0) * 10_000.0
        bps[matched] = cost
        matched += 1
        bars.counts[row, side] += 1
        _add(bars.sums, row, _PAID, paid, 0.0)
        _add(bars.sums, row, _BPS + side, cost, 0.0)
        _add(bars.sums, row, _BPS_AMOUNT, cost * amounts[i], 0.0)
        _add(bars.sums, row, _AMOUNT, amounts[i], 0.0)
        distance = cost - bars.spread[row, _MEAN]
        bars.spread[row, _MEAN] += distance / (bars.counts[row, 0] + bars.counts[row, 1])
        bars.spread[row, _SQUARE] += distance * (cost - bars.spread[row, _MEAN])
    return row + 1


@kernel
def match_quotes(
    times: NDArray[np.int64],
    quote_times: NDArray[np.int64],
    bid_prices: NDArray[np.float64],
    bid_amounts: NDArray[np.float64],
    ask_prices: NDArray[np.float64],
    ask_amounts: NDArray[np.float64],
    matched: int,
    latest: NDArray[np.float64],
    bids: NDArray[np.float64],
    asks: NDArray[np.float64],
) -> int:
    """Give trades the prices of the quote before them, as far as these quotes tell; return how many now have them.

    Quotes without a price or an amount above zero on each side are left out.

    Args:
        times: Of the trades, µs since the epoch, ascending.
        quote_times: µs since the epoch, ascending.
        bid_prices: Quote units per base unit; NaN where there is none.
        bid_amounts: Base units; NaN where there is none.
        ask_prices: Quote units per base unit; NaN where there is none.
        ask_amounts: Base units; NaN where there is none.
        matched: Trades that have their quote from earlier calls.
        latest: Bid and ask price of the latest quote so far; NaN before the first one.
        bids: Receives the bid prices.
        asks: Receives the ask prices.
    """
    bid, ask = latest
    for i in range(quote_times.size):
        # A quote at the very time of a trade is not before it.
        while matched < times.size and times[matched] <= quote_times[i]:
            bids[matched], asks[matched] = bid, ask
            matched += 1
        if bid_prices[i] > 0.0 and bid_amounts[i] > 0.0 and ask_prices[i] > 0.0 and ask_amounts[i] > 0.0:
            bid, ask = bid_prices[i], ask_prices[i]
    latest[:] = bid, ask
    return matched


@kernel
def merge_costs(shorter: CostBars, length_us: int, bars: CostBars) -> int:
    """Merge bars into zeroed bars of `length_us`; return how many those are."""
    row = -1
    for i in range(shorter.start.size):
        start = shorter.start[i] - shorter.start[i] % length_us
        if row < 0 or bars.start[row] != start:
            row += 1
            bars.start[row] = start
        held = bars.counts[row, 0] + bars.counts[row, 1]
        more = shorter.counts[i, 0] + shorter.counts[i, 1]
        distance = shorter.spread[i, _MEAN] - bars.spread[row, _MEAN]
        bars.spread[row, _MEAN] += distance * (more / (held + more))
        bars.spread[row, _SQUARE] += shorter.spread[i, _SQUARE] + distance * distance * held * (more / (held + more))
        for side in range(2):
            bars.counts[row, side] += shorter.counts[i, side]
        for k in range(_SUMS):
            _add(bars.sums, row, k, shorter.sums[i, k, 0], shorter.sums[i, k, 1])
    return row + 1


@kernel
def _add(sums: NDArray[np.float64], row: int, column: int, high: float, low: float) -> None:
    sums[row, column, 0], sums[row, column, 1] = add_pair(sums[row, column, 0], sums[row, column, 1], high, low)


def cost_bars(costs: CostBars) -> dict[Interval, CostBars]:
    """Merge the 1-second bars of a UTC day into the bars of all intervals, from the shortest to the longest."""
    return merge_tree(costs, merge_costs)


def to_frame(bars: CostBars, percentiles: NDArray[np.float64]) -> pl.DataFrame:
    """Return bars as `time` and the named partials of `catalog/partials_slippage.py`."""
    rounded = bars.sums[:, :, 0]
    columns = {
        "buy_count": bars.counts[:, 0],
        "sell_count": bars.counts[:, 1],
        "volume": rounded[:, _AMOUNT],
        "paid_sum": rounded[:, _PAID],
        # High parts, then low parts: what rounding lost counts where buys and sells cancel.
        "bps_sum": bars.sums[:, _BPS : _BPS + 2].sum(axis=1).sum(axis=1),
        "buy_bps_sum": rounded[:, _BPS],
        "sell_bps_sum": rounded[:, _BPS + 1],
        "bps_amount_sum": rounded[:, _BPS_AMOUNT],
        "bps_square_sum": bars.spread[:, _SQUARE],
        **{f"bps_p{percent}": percentiles[:, k] for k, percent in enumerate(_PERCENTS)},
    }
    frame = pl.DataFrame({name: np.ascontiguousarray(values) for name, values in columns.items()})
    return frame.insert_column(0, pl.Series("time", bars.start).cast(pl.Datetime("us")))


def _quotes_before(times: NDArray[np.int64], ticks: DayTicks) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return bid and ask price of the quote before each trade; NaN where there is none."""
    before = ticks.before[Stream.QUOTES]
    latest = np.array([before[name].item() if before.height else np.nan for name in ("bid_price", "ask_price")])
    bids, asks = np.empty(times.size), np.empty(times.size)
    matched = 0
    for part in ticks.day[Stream.QUOTES].iter_slices(_ROWS_AT_ONCE):
        bid_prices, bid_amounts, ask_prices, ask_amounts = (part[name].to_numpy() for name in _QUOTE_COLUMNS)
        matched = match_quotes(
            times,
            part["time"].to_numpy(),
            bid_prices,
            bid_amounts,
            ask_prices,
            ask_amounts,
            matched,
            latest,
            bids,
            asks,
        )
    bids[matched:], asks[matched:] = latest
    return bids, asks


def _bars(ticks: DayTicks) -> dict[Interval, pl.DataFrame]:
    trades = ticks.day[Stream.TRADES]
    if ticks.clock is Clock.EXCHANGE and has_modelled_time(ticks.exchange, Stream.QUOTES):
        trades = trades.clear()
    times = trades["time"].to_numpy()
    bids, asks = _quotes_before(times, ticks)
    seconds = CostBars.empty(min(times.size, DAY_US // _SECOND_US))
    bps = np.empty(times.size)
    filled = fold_costs(
        times,
        trades["side"].to_physical().cast(pl.UInt8).to_numpy(),
        trades["price"].to_numpy(),
        trades["amount"].to_numpy(),
        bids,
        asks,
        seconds,
        bps,
    )
    tree = cost_bars(seconds.head(filled))
    ends = [bars.counts.sum(axis=1).cumsum() for bars in tree.values()]
    matched = bps[: ends[0][-1]] if filled else bps[:0]
    percentiles = bar_quantiles(matched, ends, _PERCENTS)
    return {interval: to_frame(bars, found) for (interval, bars), found in zip(tree.items(), percentiles, strict=True)}


KERNEL: Final = FamilyKernel(
    version=2,
    columns={Stream.TRADES: ("side", "price", "amount"), Stream.QUOTES: _QUOTE_COLUMNS},
    bars=_bars,
    usable={Stream.QUOTES: pl.all_horizontal(pl.col(_QUOTE_COLUMNS).fill_null(0.0) > 0)},
    looks_back=frozenset({Stream.QUOTES}),
)
