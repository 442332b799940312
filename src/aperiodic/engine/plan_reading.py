"""What plans of days read of the ledger: of several instruments at once where they are planned one after another."""

from __future__ import annotations

import time
from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple

from aperiodic.catalog import Family
from aperiodic.engine.recipes import recipes
from aperiodic.lake.made_files import days_made
from aperiodic.lake.tick_files import ticks_around

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.lake import Lake
    from aperiodic.lake.prepared import PlainRow

__all__ = ["ALWAYS", "FAMILIES", "DaysReader", "InstrumentDays"]

ALWAYS: Final = (date.min, date.max)
FAMILIES: Final = list(map(str, Family))

_AT_ONCE: Final = 20
"""Instruments that are read together: a ledger takes little longer for them than for one."""
_FRESH_S: Final = 2.0
"""For so long what was read for later is still used; while tasks run, each instrument is read when it is planned."""


class InstrumentDays(NamedTuple):
    """What the ledger has of an instrument around some days, as plain rows.

    Attributes:
        ticks: By stream and day, with the values of `TickFile`.
        made: Bars of days, with those of `DayFile`.
    """

    ticks: list[PlainRow]
    made: list[PlainRow]


class DaysReader:
    """Reads the ledger for plans.

    Args:
        lake: The installation.
        days: First and last day that are planned; None: all.
        instruments: Exchange and symbol of those that are going to be planned, in that order; others may be, too.
    """

    def __init__(self, lake: Lake, days: tuple[date, date] | None, instruments: Sequence[tuple[str, str]] = ()) -> None:
        self._lake = lake
        self._days = days or ALWAYS
        # Of a whole history that of one instrument is enough at once.
        self._following = {} if days is None else {each: number for number, each in enumerate(instruments)}
        self._instruments = instruments
        self._read: dict[tuple[str, str], InstrumentDays] = {}
        self._read_at = -_FRESH_S

    def read(self, exchange: str, symbol: str) -> InstrumentDays:
        """Return what there is of an instrument."""
        now = time.monotonic()
        is_fresh = now - self._read_at < _FRESH_S
        found = self._read.pop((exchange, symbol), None)
        if found is None or not is_fresh:
            place = self._following.get((exchange, symbol))
            some = [symbol]
            if is_fresh and place is not None:
                following = self._instruments[place + 1 : place + _AT_ONCE]
                some += [name for venue, name in following if venue == exchange]
            self._read = self._of(exchange, some)
            self._read_at = now
            found = self._read.pop((exchange, symbol))
        return found

    def _of(self, exchange: str, symbols: Sequence[str]) -> dict[tuple[str, str], InstrumentDays]:
        # Streams whose latest event before a day matters, however long ago it was.
        looked_back_on = {
            stream
            for recipe in recipes(self._lake.home).values()
            for stream, limit in recipe.looks_back.items()
            if limit is None
        }
        with self._lake.engine.connect() as connection:
            ticks = ticks_around(connection, exchange, symbols, *self._days, looked_back_on)
            made = days_made(connection, exchange, symbols, FAMILIES, *self._days)
        return {(exchange, symbol): InstrumentDays(ticks.get(symbol, []), made.get(symbol, [])) for symbol in symbols}
