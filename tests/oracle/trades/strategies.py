"""Trade ticks that try second and higher moments, returns and runs: whole samples in one bar, on awkward shapes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import polars as pl
from hypothesis import strategies as st
from tests.oracle.ticks import TRADE_SCHEMA, trades_frame

if TYPE_CHECKING:
    from collections.abc import Callable

    _Shape: TypeAlias = Callable[[st.DrawFn, int], list[float]]

__all__ = ["crowded_second", "dense_trades", "shaped_trades"]

_SECOND: Final = 1_000_000
_NOON: Final = int(datetime(2024, 3, 14, 12, tzinfo=UTC).timestamp()) * _SECOND


def _integers(draw: st.DrawFn, n: int, least: int, most: int) -> list[int]:
    return draw(st.lists(st.integers(least, most), min_size=n, max_size=n))


def _from(bases: tuple[float, ...], path: Callable[[float, int], float]) -> _Shape:
    """Make a shape of one drawn base price and a path of its own."""

    def prices(draw: st.DrawFn, n: int) -> list[float]:
        base = draw(st.sampled_from(bases))
        return [path(base, step) for step in range(n)]

    return prices


def _there_and_back(draw: st.DrawFn, n: int) -> list[float]:
    there = [100 + eighths / 8 for eighths in _integers(draw, (n + 1) // 2, 0, 9)]
    return there + there[::-1][n % 2 :]


_PRICES: Final[dict[str, _Shape]] = {
    "near 94,000, std 20": lambda draw, n: [cents / 100 for cents in _integers(draw, n, 9_396_536, 9_403_464)],
    "one cent about 94,000": lambda draw, n: [cents / 100 for cents in _integers(draw, n, 9_400_000, 9_400_001)],
    "coarse": lambda draw, n: [ticks / 10 for ticks in _integers(draw, n, 210, 290)],
    "wild": lambda draw, n: [ticks / 1_000 for ticks in _integers(draw, n, 1, 1_000_000)],
    "constant": _from((0.1, 28_000.0, 94_000.37), lambda base, _: base),
    "rising by ticks": _from((280_000, 9_400_000), lambda base, step: (base + step) / 100),
    "doubling": _from((0.3, 1.0), lambda base, step: base * 2**step),
    "to and fro": _from((100.0, 94_000.1), lambda base, step: base + step % 2),
    "there and back": _there_and_back,
}
"""Shapes of a bar's prices. A uniform draw of ±34.64 has a standard deviation of 20."""

_AMOUNTS: Final[dict[str, Callable[[st.DrawFn, int], list[float]]]] = {
    "constant": lambda draw, n: [draw(st.sampled_from([0.1, 0.003, 40.0]))] * n,
    "few sizes": lambda draw, n: [steps / 1_000 for steps in _integers(draw, n, 1, 3)],
    "many sizes": lambda draw, n: [steps / 100_000 for steps in _integers(draw, n, 1, 10_000_000)],
}

_SIDES: Final[dict[str, Callable[[st.DrawFn, int], list[str]]]] = {
    "all buys": lambda _, n: ["buy"] * n,
    "all sells": lambda _, n: ["sell"] * n,
    "alternating": lambda _, n: ["buy" if step % 2 else "sell" for step in range(n)],
    "mixed": lambda draw, n: draw(st.lists(st.sampled_from(["buy", "sell"]), min_size=n, max_size=n)),
}

SHAPES: Final = tuple(_PRICES)
"""Names of the shapes that `shaped_trades` takes."""


@st.composite
def shaped_trades(draw: st.DrawFn, shape: str, *, max_trades: int = 40) -> pl.DataFrame:
    """Trade ticks of one second whose prices have a shape; 1 to `max_trades` of them, times often tied."""
    n = draw(st.one_of(st.integers(1, 6), st.integers(1, max_trades)))
    times = sorted(draw(st.lists(st.sampled_from([0, 1, 1_000, _SECOND - 1]), min_size=n, max_size=n)))
    sides = _SIDES[draw(st.sampled_from(list(_SIDES)))](draw, n)
    amounts = _AMOUNTS[draw(st.sampled_from(list(_AMOUNTS)))](draw, n)
    columns = zip(times, sides, _PRICES[shape](draw, n), amounts, strict=True)
    return trades_frame((_NOON + time, _NOON + time, side, price, amount) for time, side, price, amount in columns)


def dense_trades(*, max_trades: int = 40) -> st.SearchStrategy[pl.DataFrame]:
    """Trade ticks of one second, of any shape."""
    return st.sampled_from(SHAPES).flatmap(lambda shape: shaped_trades(shape, max_trades=max_trades))


def crowded_second(seed: int = 1, n: int = 10_000) -> pl.DataFrame:
    """Make `n` trades of one second at prices of mean 94,000 and standard deviation 20, the same for the same arguments.

    Every time is shared by about ten trades, which come in runs, with heavy-tailed amounts.
    """
    rng = np.random.default_rng(seed)
    start = pl.Series([date(2024, 3, 14)]).cast(pl.Datetime("us")).to_physical().item()
    time = start + np.sort(rng.integers(0, 1_000, n)) * 1_000
    buys = np.cumsum(rng.random(n) < 0.3) % 2 == 0
    number = np.arange(1, n + 1)
    return pl.DataFrame(
        {
            "exchange_timestamp": time,
            "local_timestamp": time,
            "id": pl.Series(number).cast(pl.String),
            "side": pl.Series(np.where(buys, "buy", "sell")),
            "price": np.rint(rng.normal(94_000, 20, n) * 100) / 100,
            "amount": np.maximum(np.rint(np.exp(rng.normal(2.0, 1.8, n))), 1) / 1_000,
            "sequence": number,
        }
    ).cast(TRADE_SCHEMA)
