"""What is gathered while one file is read: ticks, runs of numbers, frames kept aside."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from aperiodic.completeness.gaps import RESTART, Span, merge_spans
from aperiodic.engine.merging import times_of
from aperiodic.engine.packed_rows import Piece, arrivals_of, pack, ticks_of
from aperiodic.market import tick_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from aperiodic.market import Stream
    from aperiodic.venues import Row

__all__ = ["HeldTicks", "Quarantine", "SpanBuilder", "TickBuffer"]

_MAX_CELLS: Final = 2_000_000
_MAX_SPANS: Final = 4_096
_MAX_FRAME: Final = 1 << 20
_MAX_QUARANTINED: Final = 256 << 20
_CHUNK_ROWS: Final = 100_000


@dataclass(frozen=True, slots=True)
class HeldTicks:
    """Ticks of one series that become a frame when it is wanted, which may be in another thread.

    Attributes:
        height: How many there are.
    """

    stream: Stream
    height: int
    chunks: list[pl.DataFrame]
    pieces: list[Piece]

    def frame(self) -> pl.DataFrame:
        """Return all of them, in the order they were appended, with the columns of `tick_schema(stream)`."""
        return _frame(self.stream, self.chunks, self.pieces)


class TickBuffer:
    """Ticks of one series: rows as they are read, packed into columns now and then.

    Attributes:
        told: Rows since the last `drain` that `take_new` returned.
    """

    def __init__(self, stream: Stream) -> None:
        self.told = 0
        self._stream = stream
        self._schema = tick_schema(stream)
        self._rows: list[Row] = []
        self._pieces: list[Piece] = []
        """What `take_new` returned, before the rows."""
        self._in_pieces = 0
        self._chunks: list[pl.DataFrame] = []
        """What is before the pieces."""
        self._limit = _MAX_CELLS // len(self._schema)
        self.append: Callable[[Row], None] = self._rows.append

    def pack(self) -> None:
        """Turn what waits into columns if it is much."""
        if self.full:
            self._chunks.append(_frame(self._stream, [], self._waiting()))
            self._forget_waiting()

    def frame(self) -> pl.DataFrame:
        """All ticks, in the order they were appended."""
        frame = _frame(self._stream, self._chunks, self._waiting())
        self._chunks = [frame]
        self._forget_waiting()
        return frame

    def arrivals(self, since: int) -> tuple[int, int] | None:
        """Return the first arrival from `since` (µs) on, and the last one; None where there is none."""
        parts = [*(chunk for chunk in self._chunks if chunk.height), *self._waiting()]
        last = int(self._arrivals(parts[-1])[-1]) if parts else since - 1
        if last < since:
            return None
        for part in parts:  # most often the first one
            times = self._arrivals(part)
            if times[-1] >= since:
                return int(times[times >= since][0]), last
        return None

    def _arrivals(self, part: pl.DataFrame | Piece) -> NDArray[np.int64]:
        return times_of(part, "local_timestamp") if isinstance(part, pl.DataFrame) else arrivals_of(self._stream, part)

    @property
    def full(self) -> bool:
        """Whether so many rows wait that they are better turned into columns."""
        return len(self._rows) + self._in_pieces >= self._limit

    def take_new(self) -> Piece | None:
        """Return the rows that came since the last time; those that were turned into columns meanwhile are left out."""
        if not self._rows:
            return None
        rows = self._rows.copy()
        piece = pack(self._stream, rows)
        self._pieces.append(piece)
        self._in_pieces += len(rows)
        self.told += len(rows)
        self._rows.clear()
        return piece

    @property
    def all_told(self) -> bool:
        """Whether `take_new` has returned all rows since the last `drain`."""
        return self.told == self._height

    def drain(self) -> pl.DataFrame:
        """Return all ticks, in the order they were appended, and begin anew."""
        return self.hold().frame()

    def hold(self) -> HeldTicks:
        """Do as `drain` does, but leave it to others to make a frame of the ticks."""
        held = HeldTicks(self._stream, self._height, self._chunks, self._waiting())
        self._chunks, self.told = [], 0
        self._forget_waiting()
        return held

    @property
    def _height(self) -> int:
        return len(self._rows) + self._in_pieces + sum(chunk.height for chunk in self._chunks)

    def _waiting(self) -> list[Piece]:
        return [*self._pieces, self._rows.copy()] if self._rows else self._pieces

    def _forget_waiting(self) -> None:
        self._pieces, self._in_pieces = [], 0
        self._rows.clear()


def _frame(stream: Stream, chunks: list[pl.DataFrame], pieces: list[Piece]) -> pl.DataFrame:
    if pieces:
        chunks = [*chunks, ticks_of(stream, [_packed(stream, piece) for piece in pieces])]
    return pl.concat(chunks) if chunks else pl.DataFrame(schema=tick_schema(stream))


def _packed(stream: Stream, piece: Piece) -> Piece:
    return piece if isinstance(piece, bytes) else pack(stream, piece)


def _series(name: str, values: tuple[Any, ...], dtype: pl.DataType) -> pl.Series:
    if isinstance(dtype, pl.Datetime):
        return pl.Series(name, values, dtype=pl.Int64).cast(dtype)
    return pl.Series(name, values, dtype=dtype)


class SpanBuilder:
    """Unbroken runs of numbers of one series, in whatever order they come.

    Attributes:
        is_broken: Whether a run has begun since the last `take`, as numbers were left out or came anew.
    """

    def __init__(self, count: Callable[[str], None]) -> None:
        """Begin empty.

        Args:
            count: Called with `duplicate` for an event that was seen before and `late` for one that comes after
                a higher number.
        """
        self.is_broken = False
        self._count = count
        self._done: list[Span] = []
        self._after = self._last = self._highest = -1
        self._first_time = self._last_time = 0
        self._begins = ""
        self._taken: tuple[int, int] | None = None

    def see(self, after: int, last: int, time: int, begins: str) -> None:
        """Everything numbered in (after, last] was seen; see `aperiodic.venues.events.SpanRecorder`.

        A run with `after` = `last` holds nothing and says that the numbers had come that far.
        """
        restarts = begins == RESTART
        if self._begins and self._after <= after <= self._last and not restarts:
            if last <= self._last:
                self._count("duplicate")
                return
        else:
            if last <= self._highest and not restarts:
                self._count("late")
            self._close()
            self.is_broken = True
            nothing_seen = self._after == self._last
            self._begins = begins if restarts or nothing_seen else "sequence_break"
            if restarts:
                self._highest = last
            self._after, self._first_time, self._taken = after, time, None
        self._last, self._last_time = last, time
        self._highest = max(self._highest, last)

    def spans(self) -> list[Span]:
        """All runs, joined and ascending."""
        self._close()
        self._done = merge_spans(self._done)
        return self._done

    def take(self) -> list[Span]:
        """All runs since the last time, joined and ascending; of the one that goes on, what is new."""
        found = self.spans()
        self._done, self.is_broken = [], False
        if self._begins:
            self._taken = (self._last, self._last_time)
        return found

    def _close(self) -> None:
        if self._begins and self._taken is None:
            self._done.append(Span(self._after, self._last, self._first_time, self._last_time, self._begins))
        elif self._taken is not None and self._last > self._taken[0]:
            after, time = self._taken
            self._done.append(Span(after, self._last, time, self._last_time, self._begins))
        if len(self._done) > _MAX_SPANS:
            self._done = merge_spans(self._done)


class Quarantine:
    """Lines that became no tick, with their bytes and the reason.

    At most 1 MiB is kept of a line and 256 MiB of a file; every line is counted and listed all the same.

    Attributes:
        counts: Lines by code.
    """

    SCHEMA: Final = pl.Schema(
        {
            "line": pl.Int64(),
            "local_timestamp": pl.Datetime("us", "UTC"),
            "code": pl.String(),
            "reason": pl.String(),
            "frame": pl.Binary(),
        }
    )

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._kept = 0
        self._rows: list[tuple[int, int | None, str, str, bytes]] = []
        self._chunks: list[pl.DataFrame] = []

    def add(self, line: int, local: int | None, code: str, reason: str, frame: bytes) -> None:
        """Keep a line.

        Args:
            line: Its number in the file, from 1.
            local: Arrival time, µs, if it could be read.
            code: Machine-readable reason.
            reason: The same in words.
            frame: The line's bytes.
        """
        self.counts[code] += 1
        kept = frame[: min(_MAX_FRAME, _MAX_QUARANTINED - self._kept)]
        self._kept += len(kept)
        self._rows.append((line, local, code, reason, kept))
        if len(self._rows) >= _CHUNK_ROWS:
            self._pack()

    def frame(self) -> pl.DataFrame:
        """All lines kept aside, ascending by number."""
        self._pack()
        together = pl.concat(self._chunks) if self._chunks else pl.DataFrame(schema=self.SCHEMA)
        return together.sort("line", maintain_order=True).rechunk()

    def _pack(self) -> None:
        if self._rows:
            columns = zip(*self._rows, strict=True)
            named = zip(self.SCHEMA.items(), columns, strict=True)
            self._chunks.append(pl.DataFrame([_series(name, values, dtype) for (name, dtype), values in named]))
            self._rows.clear()
