"""Whether what an earlier import of a file left is still held, and since when trades are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aperiodic.engine.errors import ImportSourceError
from aperiodic.lake import LakeError, ObjectKind
from aperiodic.lake.errors import UNUSABLE
from aperiodic.lake.objects import ticks_received
from aperiodic.market import Stream

if TYPE_CHECKING:
    from aperiodic.lake import Lake
    from aperiodic.lake.imports import ImportRecord
    from aperiodic.market import Exchange, Symbol

__all__ = ["TradesHeld", "require_held"]


def require_held(lake: Lake, earlier: ImportRecord, name: str) -> None:
    """Make sure that the ticks that came from a file can still be read; each object is read once in a batch.

    The ledger does not say which ticks came from which file: those count that arrived in the time of the file.

    Args:
        lake: What holds the ticks.
        earlier: The earlier import of the file.
        name: What the file is called now.

    Raises:
        ImportSourceError: `object_missing` or `object_damaged`; with `--again` the file would mend it.
        LakeError: `store_unavailable`.
    """
    if earlier.first_received is None or earlier.last_received is None:
        return
    with lake.engine.connect() as connection:
        held = [
            record
            for kind in (ObjectKind.TICKS, ObjectKind.TICK_PARTS, ObjectKind.STATE_ROWS)
            for record in ticks_received(
                connection, kind, earlier.exchange, list(earlier.ticks), earlier.first_received, earlier.last_received
            )
        ]
    for record in held:
        try:
            lake.store.check(record.path)
        except LakeError as error:
            if error.code not in UNUSABLE:
                raise
            if lake.find_path(record.path) is None:  # it gave way to what another process has just written
                continue
            raise ImportSourceError(
                f"{name} was imported before, but ticks of its time cannot be read. {error.message}",
                code=error.code,
                hint="Import the files of that day again: aperiodic import … --again",
            ) from error


class TradesHeld:
    """When the trades that the lake holds of each symbol begin."""

    def __init__(self, lake: Lake, exchange: Exchange) -> None:
        self._lake = lake
        self._exchange = exchange
        self._first: dict[Symbol, int] = {}

    def before(self, symbol: Symbol, local: int) -> bool:
        """Return whether a trade of `symbol` arrived before `local` (µs)."""
        if symbol not in self._first:
            held = [
                day
                for kind in (ObjectKind.TICKS, ObjectKind.TICK_PARTS)
                for day in self._lake.current(kind, dataset=Stream.TRADES, exchange=self._exchange, symbol=str(symbol))
            ]
            self._first[symbol] = min((day.first_local for day in held if day.first_local is not None), default=local)
        return self._first[symbol] < local
