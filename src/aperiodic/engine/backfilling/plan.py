"""What a backfill has to do: one unit a day, kind of file, and instrument (or all of them, where they share files)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from aperiodic.lake import ObjectKey
from aperiodic.market import InvalidInputError, Source, Stream, Symbol
from aperiodic.market.time import day_start_us
from aperiodic.venues import venue_of
from aperiodic.venues.archive import TardisLayout
from aperiodic.venues.tardis import tardis_archives

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aperiodic.market import Exchange
    from aperiodic.venues.archive import ArchiveFile, ArchiveTable

__all__ = ["Request", "Unit", "offered_streams", "plan_units"]


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    Attributes:
        exchange: Venue.
        symbols: Instruments.
        start: First UTC day.
        end: Last UTC day, included.
        streams: Tick streams; empty for all that the archives have.
        from_tardis: Whether Tardis is asked instead of the venue.
    """

    exchange: Exchange
    symbols: tuple[Symbol, ...]
    start: date
    end: date
    streams: tuple[Stream, ...] = ()
    from_tardis: bool = False

    @property
    def tables(self) -> tuple[ArchiveTable, ...]:
        """What there is to be had."""
        venue = venue_of(self.exchange)
        return tardis_archives(venue) if self.from_tardis else venue.archives


@dataclass(frozen=True, slots=True)
class Unit:
    """What becomes true at once.

    Attributes:
        exchange: Venue.
        table: Kind of file.
        day: UTC day.
        instruments: Symbols by the venue's names.
        streams: Those wanted of the table.
        files: The files of the day.
    """

    exchange: Exchange
    table: ArchiveTable
    day: date
    instruments: Mapping[str, Symbol]
    streams: tuple[Stream, ...]
    files: tuple[ArchiveFile, ...]

    @property
    def size_files(self) -> dict[str, ArchiveFile]:
        """The files that tell the sizes of contracts on the day, by the venue's names of the instruments."""
        sizes = self.table.sizes
        return {} if sizes is None else {native: sizes.file(native, self.day) for native in self.instruments}

    @property
    def source(self) -> Source:
        """What its ticks come from."""
        return Source.TARDIS if isinstance(self.table.layout, TardisLayout) else Source.ARCHIVE

    @property
    def begin(self) -> int:
        """When the day begins, µs."""
        return day_start_us(self.day)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Atlas symbols."""
        return tuple(map(str, self.instruments.values()))

    @property
    def keys(self) -> Iterator[ObjectKey]:
        """The tick days that it writes."""
        for stream in self.streams:
            for symbol in self.instruments.values():
                yield ObjectKey.ticks(stream, self.exchange, symbol, self.day)


def offered_streams(tables: Sequence[ArchiveTable]) -> tuple[Stream, ...]:
    """Return the streams that archives have, in the order of `Stream`."""
    offered = {stream for table in tables for stream in table.streams}
    return tuple(stream for stream in Stream if stream in offered)


def plan_units(request: Request) -> list[Unit]:
    """Return what has to be done, in the order in which it is done.

    Raises:
        InvalidInputError: `no_archive` when the venue has none, `stream_not_in_archive`, `days_not_in_archive` when no
            file is of any of the days, or `symbol_not_on_exchange`.
    """
    venue = venue_of(request.exchange)
    offered = offered_streams(request.tables)
    if not offered:
        raise InvalidInputError(
            f"{request.exchange} has no archive that is known.",
            code="no_archive",
            hint="Record it, or import files of it: aperiodic import",
        )
    for stream in request.streams:
        if stream not in offered:
            raise InvalidInputError(
                f"The archives of {request.exchange} have no {stream}.",
                code="stream_not_in_archive",
                hint=f"They have: {', '.join(offered)}.",
            )
    streams = request.streams or offered
    natives = {venue.native(symbol): symbol for symbol in request.symbols}
    units = [
        unit
        for table in request.tables
        for instruments in ([natives] if table.shared else [{name: symbol} for name, symbol in natives.items()])
        for unit in _of_table(request, table, instruments, streams)
    ]
    if not units:
        spans = "; ".join(
            f"{table.name} ({', '.join(table.streams)}) from {table.since}"
            + ("" if table.until is None else f" to {table.until}")
            + (", the first day of each month" if table.first_of_month else "")
            for table in request.tables
            if set(table.streams) & set(streams)
        )
        raise InvalidInputError(
            f"The archives of {request.exchange} hold none of these days.",
            code="days_not_in_archive",
            hint=f"They have: {spans}.",
        )
    return units


def _of_table(
    request: Request, table: ArchiveTable, instruments: Mapping[str, Symbol], streams: Sequence[Stream]
) -> Iterator[Unit]:
    wanted = tuple(stream for stream in table.streams if stream in streams)
    if not wanted:
        return
    first = next(iter(instruments))
    for offset in range((request.end - request.start).days + 1):
        day = request.start + timedelta(days=offset)
        if table.offers(day):
            yield Unit(request.exchange, table, day, instruments, wanted, table.files(first, day))
