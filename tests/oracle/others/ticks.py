"""Ticks for tests: frames from short rows, and a cheap deterministic market of any length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np
import polars as pl
from tests.oracle.ticks import random_trades

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from numpy.typing import NDArray

    Side: TypeAlias = Sequence[tuple[float, float]]

_TIME: Final = pl.Datetime("us", "UTC")
_LEVELS: Final = 25
_FEW_LEVELS: Final = 5


def _schema(values: dict[str, pl.DataType]) -> pl.Schema:
    return pl.Schema({"exchange_timestamp": _TIME, "local_timestamp": _TIME, **values, "sequence": pl.Int64()})


QUOTE_SCHEMA: Final = _schema(dict.fromkeys(("bid_price", "bid_amount", "ask_price", "ask_amount"), pl.Float64()))
"""Columns of a quote tick file."""

BOOK_SCHEMA: Final = _schema(
    {
        f"{side}_{what}_{level:02d}": pl.Float64()
        for side in ("bid", "ask")
        for level in range(1, _LEVELS + 1)
        for what in ("price", "amount")
    }
    | {"depth": pl.Int64()}
)
"""Columns of a book tick file; levels that do not exist are null."""


def quotes_frame(
    rows: Iterable[tuple[int, int, float | None, float | None, float | None, float | None]],
) -> pl.DataFrame:
    """Build ticks from (exchange µs, arrival µs, bid price, bid amount, ask price, ask amount), in file order."""
    numbered = [(*row, number) for number, row in enumerate(rows, start=1)]
    return pl.DataFrame(numbered, schema=QUOTE_SCHEMA, orient="row")


def book_frame(
    rows: Iterable[tuple[int, int, Side, Side] | tuple[int, int, Side, Side, int]],
) -> pl.DataFrame:
    """Build ticks from (exchange µs, arrival µs, bids, asks, levels that could be shown or else 25), in file order.

    A side is (price, amount)s, best first.
    """

    def columns(side: Side) -> list[float | None]:
        return [value for level in side for value in level] + [None, None] * (_LEVELS - len(side))

    numbered = [
        (exchange, local, *columns(bids), *columns(asks), *(shown or [_LEVELS]), number)
        for number, (exchange, local, bids, asks, *shown) in enumerate(rows, start=1)
    ]
    return pl.DataFrame(numbered, schema=BOOK_SCHEMA, orient="row")


def values_frame(column: str, rows: Iterable[tuple[int, int, float]]) -> pl.DataFrame:
    """Build ticks of one value from (exchange µs, arrival µs, value), in file order.

    `column` is "mark_price", "index_price", "funding_rate" or "open_interest".
    """
    schema = _schema({column: pl.Float64()})
    ticks = pl.DataFrame([(*row, None) for row in rows], schema=schema, orient="row")
    if column != "funding_rate":
        return ticks
    return ticks.insert_column(3, pl.lit(None, _TIME).alias("next_funding_time"))


class Market(NamedTuple):
    """Ticks of one instrument by stream, each frame in file order."""

    trades: pl.DataFrame
    quotes: pl.DataFrame
    book: pl.DataFrame
    mark_price: pl.DataFrame
    index_price: pl.DataFrame
    funding_rate: pl.DataFrame
    open_interest: pl.DataFrame


def random_market(seed: int, n: int, start: date, days: int = 1) -> Market:
    """Make `n` ticks a stream (a tenth of that in books) over `days` UTC days; the same for the same arguments.

    Trades are those of `random_trades`; quotes, books and prices stay near them on the same 0.1 grid. Times are whole
    milliseconds with ties within and between streams. Some quotes are crossed or one-sided, some books shallow or
    one-sided, some open interest is zero, and funding rates mostly repeat.
    """
    rng = np.random.default_rng(seed)
    trades = random_trades(seed, n, start, days)
    path = trades.sort("exchange_timestamp", maintain_order=True)
    path_us = path["exchange_timestamp"].to_physical().to_numpy()
    path_ticks = np.rint(path["price"].to_numpy() * 10).astype(np.int64)
    start_us = pl.Series([start]).cast(pl.Datetime("us")).to_physical().item()

    def times(count: int) -> NDArray[np.int64]:
        # A third of the ticks share their time with a trade, the others lie anywhere.
        anywhere = start_us + rng.integers(0, days * 86_400_000, count) * 1000
        return np.sort(np.where(rng.random(count) < 1 / 3, rng.choice(path_us, count), anywhere))

    def arrivals(exchange: NDArray[np.int64]) -> NDArray[np.int64]:
        return exchange + rng.gamma(2.0, 2000.0, len(exchange)).astype(np.int64)

    def price_ticks(exchange: NDArray[np.int64]) -> NDArray[np.int64]:
        nearest = np.maximum(np.searchsorted(path_us, exchange, side="right") - 1, 0)
        ticks: NDArray[np.int64] = path_ticks[nearest] + rng.integers(-3, 4, len(exchange))
        return ticks

    def values(column: str, choose: NDArray[np.float64], exchange: NDArray[np.int64]) -> pl.DataFrame:
        return values_frame(column, zip(exchange.tolist(), arrivals(exchange).tolist(), choose.tolist(), strict=True))

    def amounts(*shape: int) -> NDArray[np.float64]:
        return np.maximum(np.rint(np.exp(rng.normal(2.0, 1.8, shape))), 1) / 1000

    quoted = times(n)
    bids = price_ticks(quoted)
    asks = bids + rng.choice([-1, 0, 1, 1, 1, 1, 2, 5], n)
    quote_amounts = amounts(2, n) * (rng.random((2, n)) > 0.01)
    marked, indexed, funded, counted = times(n), times(n), times(n), times(n)
    seen = times(n // 10)
    depths = rng.choice([0, 3, 20, 25, 25, 25], (2, len(seen)))
    best = price_ticks(seen)
    levels = amounts(2, len(seen), _LEVELS)
    shown = np.where(np.arange(len(seen)) % 7 % 2, _FEW_LEVELS, _LEVELS)
    depths = np.minimum(depths, shown)
    return Market(
        trades=trades,
        quotes=quotes_frame(
            zip(
                quoted.tolist(),
                arrivals(quoted).tolist(),
                *((bids / 10).tolist(), quote_amounts[0].tolist()),
                *((asks / 10).tolist(), quote_amounts[1].tolist()),
                strict=True,
            )
        ),
        book=book_frame(
            (
                time,
                arrival,
                [((best[k] - level) / 10, levels[0, k, level]) for level in range(depths[0, k])],
                [((best[k] + 1 + level) / 10, levels[1, k, level]) for level in range(depths[1, k])],
                int(shown[k]),
            )
            for k, (time, arrival) in enumerate(zip(seen.tolist(), arrivals(seen).tolist(), strict=True))
        ),
        mark_price=values("mark_price", price_ticks(marked) / 10, marked),
        index_price=values("index_price", price_ticks(indexed) / 10, indexed),
        funding_rate=values("funding_rate", rng.choice([1e-4, 1e-4, 1e-4, -5e-5, 0.0], n), funded),
        open_interest=values(
            "open_interest", np.where(rng.random(n) > 0.05, np.rint(rng.normal(5e4, 2, n)), 0.0), counted
        ),
    )
