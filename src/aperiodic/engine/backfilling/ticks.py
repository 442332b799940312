"""What is read out of the files of a day: ticks of each series, in memory or, where they come in order, on disk."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.engine.importing.buffers import Quarantine, TickBuffer
from aperiodic.lake.writing import PARQUET_OPTIONS
from aperiodic.market import DAY_US, Stream, tick_schema

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from aperiodic.market import Symbol
    from aperiodic.venues import Contract

__all__ = ["DayFindings", "FileFindings", "Spool", "in_day"]

_TIME: Final = pl.Datetime("us", "UTC")


@dataclass(slots=True)
class FileFindings:
    """What one file gave to the day.

    Attributes:
        rows: Ticks by series.
        lines: Lines read.
        quarantine: Lines that became no tick.
    """

    rows: Counter[tuple[Stream, Symbol]] = field(default_factory=Counter)
    lines: int = 0
    quarantine: Quarantine = field(default_factory=Quarantine)


@dataclass(slots=True)
class DayFindings:
    """Everything read out of the files of a day, before it is written.

    Attributes:
        files: What each file gave, by its path in the archive.
        frames: Ticks by series, where they are held in memory.
        numbers: Exchange time and `sequence` of all events by series, those left out by rule too, where numbers tell what
            is missing.
        spools: Ticks by series, where they are on disk.
        known_from: Since when a series is whole, exchange time in µs; without an entry it is from the first file on.
        duplicates: Events that came more than once, by stream.
        ignored: Lines of known kinds that no tick of the day is made of, by kind.
    """

    files: dict[str, FileFindings] = field(default_factory=dict)
    frames: dict[tuple[Stream, Symbol], pl.DataFrame] = field(default_factory=dict)
    numbers: dict[tuple[Stream, Symbol], pl.DataFrame] = field(default_factory=dict)
    spools: dict[tuple[Stream, Symbol], Spool] = field(default_factory=dict)
    known_from: dict[tuple[Stream, Symbol], int | None] = field(default_factory=dict)
    duplicates: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)


def in_day(begin: int) -> pl.Expr:
    """Whether a tick is of the UTC day that begins at a time, µs."""
    first, end = (pl.lit(time).cast(_TIME) for time in (begin, begin + DAY_US))
    return pl.col("exchange_timestamp").is_between(first, end, closed="left")


class Spool:
    """Ticks of one series on their way to disk, so that a day of order books need not fit into memory."""

    def __init__(self, stream: Stream, folder: Path, name: str, begin: int, contract: Contract | None = None) -> None:
        """Begin empty.

        Args:
            stream: Which ticks.
            folder: Where pieces are kept.
            name: Names them.
            begin: Begin of the UTC day, µs; ticks of other days are left out.
            contract: Size of the contracts that amounts are counted in; None: they are base units.
        """
        self._schema = tick_schema(stream)
        self._buffer = TickBuffer(stream)
        self._folder = folder
        self._name = name
        self._begin = begin
        self._contract = contract
        self._pieces: list[Path] = []
        self.append = self._buffer.append
        self.rows = self.left_out = 0
        self.first: int | None = None
        self.last: int | None = None

    def flush(self, *, everything: bool = False) -> None:
        """Write what waits, if it is much or in any case."""
        if not everything and not self._buffer.full:
            return
        frame = self._buffer.drain()
        inside = frame.filter(in_day(self._begin))
        self.left_out += frame.height - inside.height
        if inside.is_empty():
            return
        times = inside["exchange_timestamp"].to_physical()
        first, last = int(times.min()), int(times.max())  # type: ignore[arg-type]
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)
        self.rows += inside.height
        if self._contract is not None:
            amounts = [name for name in inside.columns if "amount" in name]
            inside = inside.with_columns(
                self._contract.base_column(pl.col(name), pl.col(name.replace("amount", "price"))).alias(name)
                for name in amounts
            )
        piece = self._folder / f"{self._name}-{len(self._pieces):06d}.parquet"
        inside.write_parquet(piece, compression="lz4", statistics=False)
        self._pieces.append(piece)

    def write(self, file: BinaryIO) -> None:
        """Write all ticks as one table: the same ticks always give the same bytes."""
        self.flush(everything=True)
        rows = pl.concat([pl.scan_parquet(piece) for piece in self._pieces]) if self._pieces else None
        if rows is None:
            pl.DataFrame(schema=self._schema).write_parquet(file, **PARQUET_OPTIONS)
        else:
            rows.sink_parquet(file, maintain_order=True, **PARQUET_OPTIONS)
