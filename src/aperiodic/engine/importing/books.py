"""Order books kept at the end of a recording, and updates kept until a recording ends where they begin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.lake import ObjectKind
from aperiodic.venues import Levels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.lake import Lake
    from aperiodic.market import Exchange, Symbol

__all__ = ["BookStates", "book_frame", "updates_frame"]

_SCHEMA: Final = pl.Schema({"side": pl.String(), "price": pl.Float64(), "amount": pl.Float64(), "floor": pl.Float64()})


_UPDATES: Final = pl.Schema({"local_timestamp": pl.Int64(), "frame": pl.Binary(), "quotes": pl.Boolean()})


def updates_frame(updates: Sequence[tuple[int, bytes]], *, quotes_too: bool) -> pl.DataFrame:
    """Return book updates, each an arrival time (µs) and a frame, as a table.

    Args:
        updates: In the order they were received.
        quotes_too: Whether quotes are to be made of them, because the recording has no others.
    """
    rows = [(local, frame, quotes_too) for local, frame in updates]
    return pl.DataFrame(rows, schema=_UPDATES, orient="row")


def book_frame(levels: Levels) -> pl.DataFrame:
    """Return a whole order book as a table: bids, then asks, best first.

    `floor` is the deepest price of the side down to which every level is known, null when there is no such limit.
    """
    sides = (("bid", levels.bids, levels.bid_floor), ("ask", levels.asks, levels.ask_floor))
    rows = [(side, price, amount, floor) for side, held, floor in sides for price, amount in held]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


class BookStates:
    """The order books at which earlier recordings of one exchange ended."""

    def __init__(self, lake: Lake, exchange: Exchange) -> None:
        self._lake = lake
        self._exchange = exchange
        self._paths: dict[Symbol, dict[int, str]] = {}

    def find(self, symbol: Symbol, sequence: int) -> Levels | None:
        """Return the book of `symbol` after update `sequence`, or None."""
        if symbol not in self._paths:
            held = self._lake.current(ObjectKind.BOOK_STATE, exchange=self._exchange, symbol=str(symbol))
            self._paths[symbol] = {int(record.key.period): record.path for record in held}
        path = self._paths[symbol].get(sequence)
        if path is None:
            return None
        table = self._lake.store.read_parquet(path)
        bids, bid_floor = _side(table, "bid")
        asks, ask_floor = _side(table, "ask")
        return Levels(bids, asks, bid_floor, ask_floor)


def _side(table: pl.DataFrame, side: str) -> tuple[Sequence[tuple[float, float]], float | None]:
    rows = table.filter(pl.col("side") == side)
    levels = list(zip(rows["price"].to_list(), rows["amount"].to_list(), strict=True))
    return levels, rows["floor"][0] if levels else None
