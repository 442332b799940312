"""What is measured on: a UTC day of trades, made from a fixed seed and kept between runs; see also `quoted.py`."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from aperiodic.lake import Store
from aperiodic.lake.writing import parquet_bytes
from aperiodic.market import DAY_US, Stream, tick_schema

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["FIRST_DAY_US", "FULL", "QUICK", "SEED", "STEP", "TICK", "Inputs", "day_of_trades", "event_times"]

FULL: Final = 5_000_000
QUICK: Final = 500_000
SEED: Final = 20_250_501
FIRST_DAY_US: Final = 20_209 * DAY_US  # 2025-05-01
TICK: Final = 0.1
STEP: Final = 0.001

_GENERATOR: Final = 1
"""Raised whenever the generator would make other trades, so that no run uses a stale file."""

_DAY_MS: Final = 86_400_000
_SINGLE_FILLS: Final = 0.8


@cache
def _store(folder: Path) -> Store:
    store = Store(folder.as_uri())
    store.make()
    return store


@dataclass(frozen=True, slots=True)
class Inputs:
    """Where inputs are kept and how large they are.

    Attributes:
        folder: Kept between runs; may be deleted at any time.
        trades: Trades of the day.
        pairs: Interleaved pairs of each row.
    """

    folder: Path
    trades: int
    pairs: int

    @property
    def quotes(self) -> int:
        """Quotes of the day."""
        return 4 * self.trades

    @property
    def snapshots(self) -> int:
        """Order books of the day."""
        return self.trades // 10

    @property
    def store(self) -> Store:
        """The folder as an object store: one for the whole process, as a build worker has it."""
        return _store(self.folder)

    @property
    def trades_path(self) -> str:
        """Path of the day's trades in that store."""
        return f"trades-{self.trades}-seed{SEED}-v{_GENERATOR}.parquet"

    @property
    def trades_file(self) -> Path:
        """The day's trades, written with the settings of a tick file."""
        return self.folder / self.trades_path

    def make(self) -> None:
        """Make the trades unless they are there."""
        if self.trades_file.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".draft-{secrets.token_hex(4)}"
        draft.write_bytes(parquet_bytes(day_of_trades(np.random.default_rng(SEED), self.trades, FIRST_DAY_US)))
        draft.replace(self.trades_file)


def day_of_trades(rng: np.random.Generator, count: int, begin_us: int) -> pl.DataFrame:
    """Make the trades of one UTC day, with the columns of a tick file.

    About half of the trades share their millisecond with another, since a taker order fills against several makers.
    Orders come in bursts around a daily rhythm, their side persists, and the price moves along the taker's side.

    Args:
        rng: Source of randomness.
        count: How many.
        begin_us: Start of the day.
    """
    fills = np.where(rng.random(count) < _SINGLE_FILLS, 1, 2 + rng.geometric(0.5, count))
    orders = int(np.searchsorted(np.cumsum(fills), count)) + 1
    order = np.repeat(np.arange(orders), fills[:orders])[:count]

    sent, arrived = event_times(rng, orders, begin_us)
    side = np.cumsum(rng.random(orders) < 0.3) % 2
    towards = 1 - 2 * side
    move = towards * (rng.random(orders) < 0.2) * rng.geometric(0.12, orders)
    ticks = 940_000 + np.cumsum(move)[order] + towards[order] * (rng.random(count) < 0.1)
    steps = np.ceil(np.exp(2.0 + 1.7 * rng.standard_normal(count)))
    columns = pl.DataFrame(
        {
            "exchange_timestamp": sent[order],
            "local_timestamp": arrived[order],
            "id": pl.int_range(1, count + 1, eager=True).cast(pl.String),
            "side": pl.Series(side[order]).replace_strict([0, 1], ["buy", "sell"]),
            "price": np.round(ticks * TICK, 1),
            "amount": np.round(steps * STEP, 3),
            "sequence": np.arange(1, count + 1),
        }
    )
    return columns.cast(tick_schema(Stream.TRADES))


def event_times(rng: np.random.Generator, events: int, begin_us: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """When events of one UTC day happen and when they arrive, µs since the epoch, both ascending.

    Busy and quiet seconds alternate within a daily rhythm.

    Args:
        rng: Source of randomness.
        events: How many.
        begin_us: Start of the day.
    """
    rhythm = 1.2 + np.sin(np.linspace(0, 2 * np.pi, 86_400))
    mass = np.concatenate(([0.0], np.cumsum(rhythm * rng.gamma(0.5, size=86_400))))
    drawn = np.interp(np.sort(rng.random(events)) * mass[-1], mass, np.linspace(0, _DAY_MS, 86_401))
    sent: NDArray[np.int64] = begin_us + 1000 * np.minimum(drawn, _DAY_MS - 1).astype(np.int64)
    delay = (3_500 * np.exp(0.35 * rng.standard_normal(events))).astype(np.int64)
    return sent, np.maximum.accumulate(sent + delay)  # one connection delivers in the order sent
