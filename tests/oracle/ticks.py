"""Trade ticks for tests: a frame from short rows, and a cheap deterministic market of any length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

TRADE_SCHEMA: Final = pl.Schema(
    {
        "exchange_timestamp": pl.Datetime("us", "UTC"),
        "local_timestamp": pl.Datetime("us", "UTC"),
        "id": pl.String(),
        "side": pl.Enum(["buy", "sell"]),
        "price": pl.Float64(),
        "amount": pl.Float64(),
        "sequence": pl.Int64(),
    }
)
"""Columns of a trade tick file."""

_DAY_MS: Final = 86_400_000


def trades_frame(rows: Iterable[tuple[int, int, str, float, float]]) -> pl.DataFrame:
    """Build ticks from (exchange microseconds, arrival microseconds, side, price, amount), in file order; ids count from 1."""
    numbered = [
        (exchange, local, str(number), side, price, amount, number)
        for number, (exchange, local, side, price, amount) in enumerate(rows, start=1)
    ]
    return pl.DataFrame(numbered, schema=TRADE_SCHEMA, orient="row")


def random_trades(seed: int, n: int, start: date, days: int = 1) -> pl.DataFrame:
    """Make `n` trades spread over `days` UTC days from `start`, the same for the same arguments.

    Prices walk on a 0.1 grid from 28,000, amounts are heavy-tailed on a 0.001 grid (all three size buckets occur),
    sides come in runs, exchange times are whole milliseconds with ties. A few trades were matched before the one ahead
    of them in the file, and arrival is 1.3 s before to 5 s after the exchange's time.
    """
    rng = np.random.default_rng(seed)
    start_us = pl.Series([start]).cast(pl.Datetime("us")).to_physical().item()
    ms = np.sort(rng.integers(0, days * _DAY_MS, n))
    late = rng.random(n) < 0.01
    ms = np.maximum(ms - late * rng.integers(0, 2000, n), 0)
    exchange = start_us + ms * 1000
    usual = rng.gamma(2.0, 2000.0, n).astype(np.int64)
    odd = rng.integers(-1_300_000, 5_000_001, n)
    local = exchange + np.where(rng.random(n) < 0.02, odd, usual)
    # A walk of whole ticks, kept positive by reflection for any length.
    ticks = np.abs(280_000 - 1 + np.cumsum(rng.choice([-3, -1, 0, 0, 0, 0, 1, 3], n))) + 1
    amount_steps = np.maximum(np.rint(np.exp(rng.normal(2.0, 1.8, n))), 1)
    flips = rng.random(n) < 0.3
    buys = np.cumsum(flips) % 2 == 0
    number = np.arange(1, n + 1)
    return pl.DataFrame(
        {
            "exchange_timestamp": exchange,
            "local_timestamp": local,
            "id": pl.Series(number).cast(pl.String),
            "side": pl.Series(np.where(buys, "buy", "sell")),
            "price": ticks / 10,
            "amount": amount_steps / 1000,
            "sequence": number,
        }
    ).cast(TRADE_SCHEMA)
