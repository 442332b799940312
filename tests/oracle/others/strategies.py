"""Hypothesis strategies for quote, book and derivative ticks that sit on the edges.

Times of all streams of one example lie on one coarse grid about a few instants, so that ties within and between
streams and hits of bar, day and month boundaries are common; as for trades, the clocks disagree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from hypothesis import strategies as st
from tests.oracle.others.ticks import book_frame, quotes_frame, values_frame
from tests.oracle.strategies import _ANCHORS, _DISORDERS, _LATENCIES, _UNITS
from tests.oracle.ticks import trades_frame

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "DerivativeTicks",
    "book_frames",
    "derivative_frames",
    "funding_frames",
    "open_interest_frames",
    "quotes_frames",
    "slippage_frames",
]


class _Stamp(NamedTuple):
    filed: int
    exchange: int
    local: int


class DerivativeTicks(NamedTuple):
    mark_price: pl.DataFrame
    index_price: pl.DataFrame
    trades: pl.DataFrame


_Stamps: TypeAlias = st.SearchStrategy[_Stamp]

_GRIDS: Final = ((250, 1), (280_000, 1), (5_000, 5), (9_400_000, 2))
"""Base price in steps of the price grid, and the grid's decimals."""

_DEPTHS: Final = (0, 1, 4, 5, 7, 10, 20, 20, 25)


@st.composite
def _stamps(draw: st.DrawFn) -> _Stamps:
    """Draw what the times of one example have in common; return the strategy of one tick's times."""
    anchors = draw(st.lists(st.sampled_from(_ANCHORS), min_size=1, max_size=3, unique=True))
    unit = draw(st.sampled_from(_UNITS))
    reach = draw(st.sampled_from([2, 12]))

    def stamp(anchor: int, steps: int, disorder: int, latency: int) -> _Stamp:
        filed = anchor + steps * unit
        return _Stamp(filed, filed - disorder, filed - disorder + latency)

    return st.builds(stamp, st.sampled_from(anchors), st.integers(-reach, reach), _DISORDERS, _LATENCIES)


def _rows(
    stamps: _Stamps, values: st.SearchStrategy[tuple[Any, ...]], least: int, most: int
) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Rows of (exchange time, arrival time, values …) in file order."""

    def in_file_order(ticks: list[tuple[_Stamp, tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
        ticks.sort(key=lambda tick: tick[0].filed)
        return [(stamp.exchange, stamp.local, *row) for stamp, row in ticks]

    return st.lists(st.tuples(stamps, values), min_size=least, max_size=most).map(in_file_order)


def _prices(base: int, decimals: int, swing: int = 40) -> st.SearchStrategy[float]:
    return st.integers(base - swing, base + swing).map(lambda steps: steps / 10**decimals)


def _amounts() -> st.SearchStrategy[float]:
    steps = st.one_of(st.integers(1, 4), st.integers(1, 40_000))
    return st.builds(lambda count, decimals: float(count / 10**decimals), steps, st.sampled_from([0, 3]))


def _quotes(base: int, decimals: int) -> st.SearchStrategy[tuple[float | None, ...]]:
    """Bid price, bid amount, ask price, ask amount: some crossed or locked, a few without one or both sides."""
    sides = st.sampled_from([(True, True)] * 6 + [(True, False), (False, True), (False, False)])
    absent = st.sampled_from([(None, None), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (None, 1.0)])

    def quote(
        bid: int, spread: int, amounts: tuple[float, float], present: tuple[bool, bool], hole: tuple[float | None, ...]
    ) -> tuple[float | None, ...]:
        prices = (bid / 10**decimals, (bid + spread) / 10**decimals)
        whole = ((prices[0], amounts[0]), (prices[1], amounts[1]))
        bid_side, ask_side = (side if there else hole for side, there in zip(whole, present, strict=True))
        return (*bid_side, *ask_side)

    return st.builds(
        quote,
        st.integers(base - 20, base + 20),
        st.sampled_from([1, 1, 1, 2, 30, 0, -1, -5]),
        st.tuples(_amounts(), _amounts()),
        sides,
        absent,
    )


@st.composite
def quotes_frames(draw: st.DrawFn, *, max_quotes: int = 60) -> pl.DataFrame:
    """Quote ticks in file order, 1 to `max_quotes` of them."""
    grid = draw(st.sampled_from(_GRIDS))
    return quotes_frame(draw(_rows(draw(_stamps()), _quotes(*grid), 1, max_quotes)))


@st.composite
def slippage_frames(draw: st.DrawFn, *, max_ticks: int = 40) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Trades (at least one) and quotes (perhaps none) in file order, up to `max_ticks` of each."""
    stamps = draw(_stamps())
    grid = draw(st.sampled_from(_GRIDS))
    sides = st.sampled_from(draw(st.sampled_from([("buy", "sell"), ("buy", "sell"), ("buy",), ("sell",)])))
    trades = draw(_rows(stamps, st.tuples(sides, _prices(*grid), _amounts()), 1, max_ticks))
    quotes = draw(_rows(stamps, _quotes(*grid), 0, max_ticks))
    return trades_frame(trades), quotes_frame(quotes)


@st.composite
def book_frames(draw: st.DrawFn, *, max_snapshots: int = 12) -> pl.DataFrame:
    """Book ticks in file order, 1 to `max_snapshots` of them; sides are empty, shallow, of 20 levels or full.

    Some could show no more than 5.
    """
    base, decimals = draw(st.sampled_from(_GRIDS))

    def side(step: int, depth: int, amount: int, stride: int) -> list[tuple[float, float]]:
        # Amounts run through a residue ring: as varied as drawing each of them, and far quicker.
        return [
            ((base + step * level) / 10**decimals, (1 + (amount + stride * level) % 9_973) / 1000)
            for level in range(depth)
        ]

    shapes = st.tuples(st.sampled_from(_DEPTHS), st.integers(0, 9_972), st.sampled_from([0, 1, 389, 5_003]))

    def sides(
        bids: tuple[int, int, int], asks: tuple[int, int, int], mirrored: bool, shown: int
    ) -> tuple[list[tuple[float, float]], list[tuple[float, float]], int]:
        return side(-1, *bids)[:shown], side(1, *(bids if mirrored else asks))[:shown], shown

    snapshots = st.builds(
        sides, shapes, shapes, st.sampled_from([False, False, False, True]), st.sampled_from([25, 25, 5])
    )
    return book_frame(draw(_rows(draw(_stamps()), snapshots, 1, max_snapshots)))


@st.composite
def derivative_frames(draw: st.DrawFn, *, max_ticks: int = 30) -> DerivativeTicks:
    """Mark prices (at least one), index prices and trades (perhaps none) in file order, up to `max_ticks` of each."""
    stamps = draw(_stamps())
    grid = draw(st.sampled_from(_GRIDS))
    swing = draw(st.sampled_from([0, 1, 40]))
    prices = st.tuples(_prices(*grid, swing))
    trades = st.tuples(st.sampled_from(["buy", "sell"]), _prices(*grid, swing), _amounts())
    return DerivativeTicks(
        mark_price=values_frame("mark_price", draw(_rows(stamps, prices, 1, max_ticks))),
        index_price=values_frame("index_price", draw(_rows(stamps, prices, 0, max_ticks))),
        trades=trades_frame(draw(_rows(stamps, trades, 0, max_ticks))),
    )


@st.composite
def funding_frames(draw: st.DrawFn, *, max_updates: int = 40) -> pl.DataFrame:
    """Funding rates in file order, 1 to `max_updates` of them, most of them repeated."""
    rates = st.tuples(st.sampled_from([1e-4, 1e-4, 1e-4, 0.0, -1.25e-5]))
    return values_frame("funding_rate", draw(_rows(draw(_stamps()), rates, 1, max_updates)))


@st.composite
def open_interest_frames(draw: st.DrawFn, *, max_ticks: int = 40) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Open interest (at least one update, some zero, some repeated) and mark prices (perhaps none) in file order."""
    stamps = draw(_stamps())
    grid = draw(st.sampled_from(_GRIDS))
    amounts = st.tuples(
        st.one_of(
            st.sampled_from([0.0, 0.0, 5_000.0, 5_000.0, 5_000.001]),
            st.integers(1, 9_999_999).map(lambda steps: steps / 1000),
        )
    )
    marks = st.tuples(_prices(*grid))
    return (
        values_frame("open_interest", draw(_rows(stamps, amounts, 1, max_ticks))),
        values_frame("mark_price", draw(_rows(stamps, marks, 0, max_ticks))),
    )
