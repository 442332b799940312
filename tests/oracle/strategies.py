"""Hypothesis strategies for trade ticks that sit on the edges: ties, bar, day and month boundaries, exact cancellation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from hypothesis import strategies as st
from tests.oracle.ticks import trades_frame

if TYPE_CHECKING:
    import polars as pl

__all__ = ["trades_frames"]

_SECOND: Final = 1_000_000


class _Market(NamedTuple):
    """A price grid of `10 ** -price_decimals` about `base_ticks`, an amount grid of `10 ** -amount_decimals`."""

    base_ticks: int
    price_decimals: int
    amount_decimals: int
    max_steps: int
    notable_steps: tuple[int, ...]


class _Event(NamedTuple):
    matched: int
    disorder: int
    latency: int
    side: str
    ticks: int
    steps: int


_MARKETS: Final = (
    _Market(250, 1, 0, 60, (4, 40)),
    _Market(280_000, 1, 3, 100, (1, 100)),
    _Market(5_000, 5, 0, 40_000, (2_000, 20_000)),
    _Market(9_400_000, 2, 5, 3_000, (1, 3_000)),
)
"""Where the base price allows it, the notable amounts give a notional of exactly 100 and 1,000, the buckets' edges."""

_ANCHORS: Final = tuple(
    int(datetime(*parts, tzinfo=UTC).timestamp()) * _SECOND
    for parts in (
        (2024, 3, 14, 12, 0),
        (2024, 3, 14, 13, 37),
        (2024, 3, 15, 0, 0),
        (2024, 3, 1, 0, 0),
        (2024, 2, 29, 0, 0),
        (2024, 1, 1, 0, 0),
    )
)
"""Two instants in mid-day, a midnight, and three month edges, one of them after a leap day and one a new year."""

_UNITS: Final = (1, 1_000, _SECOND, 15 * _SECOND, 60 * _SECOND, 3_600 * _SECOND)

_LATENCIES: Final = st.one_of(
    st.sampled_from([0, 1, 4_000, -1, -1_300_000, 5_000_000]), st.integers(-1_300_000, 5_000_000)
)

_DISORDERS: Final = st.one_of(st.just(0), st.just(0), st.sampled_from([1, 1_000, _SECOND]), st.integers(0, 2 * _SECOND))


@st.composite
def trades_frames(draw: st.DrawFn, *, max_trades: int = 200) -> pl.DataFrame:
    """Trade ticks in file order, 1 to `max_trades` of them; `max_trades` is 2 or more.

    Times cluster around a few instants on a coarse grid, so ties and boundary hits are common; a trade may have been
    matched up to 2 s before the one ahead of it in the file; arrival is 1.3 s before to 5 s after the exchange's time, so the
    clocks disagree on bar, day and month. A frame may be one-sided, of one price, or hold every trade's opposite.
    """
    market = draw(st.sampled_from(_MARKETS))
    mirrored = draw(st.booleans())
    most = max_trades // 2 if mirrored else max_trades
    least = draw(st.sampled_from([1, 1, min(10, most), min(50, most)]))
    events = draw(st.lists(_events(draw, market), min_size=least, max_size=most))
    if mirrored:
        events += [event._replace(side="sell" if event.side == "buy" else "buy") for event in events]
    events.sort(key=lambda event: event.matched)
    return trades_frame(
        (
            event.matched - event.disorder,
            event.matched - event.disorder + event.latency,
            event.side,
            event.ticks / 10**market.price_decimals,
            event.steps / 10**market.amount_decimals,
        )
        for event in events
    )


def _events(draw: st.DrawFn, market: _Market) -> st.SearchStrategy[_Event]:
    """Choose what the trades of one frame have in common; return the strategy of one of them."""
    anchors = draw(st.lists(st.sampled_from(_ANCHORS), min_size=1, max_size=3, unique=True))
    unit = draw(st.sampled_from(_UNITS))
    reach = draw(st.sampled_from([2, 12]))
    swing = draw(st.sampled_from([0, 1, 40]))
    sides = draw(st.sampled_from([("buy", "sell"), ("buy", "sell"), ("buy",), ("sell",)]))
    matched = st.builds(
        lambda anchor, steps: anchor + steps * unit, st.sampled_from(anchors), st.integers(-reach, reach)
    )
    return st.builds(
        _Event,
        matched=matched,
        disorder=_DISORDERS,
        latency=_LATENCIES,
        side=st.sampled_from(sides),
        ticks=st.integers(market.base_ticks - swing, market.base_ticks + swing),
        steps=st.one_of(st.integers(1, 4), st.sampled_from(market.notable_steps), st.integers(1, market.max_steps)),
    )
