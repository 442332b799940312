"""Files of JSON lines → ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from aperiodic.engine.backfilling.ticks import DayFindings, FileFindings, Spool, in_day
from aperiodic.engine.backfilling.unpacking import blocks_of_lines
from aperiodic.engine.importing.buffers import TickBuffer
from aperiodic.venues import RejectedFrameError, UnknownContractError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from aperiodic.engine.backfilling.tables import Text
    from aperiodic.market import Stream, Symbol
    from aperiodic.venues import Contract, Row
    from aperiodic.venues.archive import LineLayout, LineReader

__all__ = ["read_lines"]

_LOST = "update_of_unknown_book"


def read_lines(
    texts: Sequence[Text],
    layout: LineLayout,
    streams: Sequence[Stream],
    instruments: Mapping[str, Symbol],
    contracts: Mapping[str, Contract],
    begin: int,
    folder: Path,
) -> DayFindings:
    """Read the files of a day and write nothing but pieces of what is on its way to the store.

    Args:
        texts: The files, in order.
        layout: How they are read.
        streams: Which of its streams are wanted.
        instruments: Symbols by the venue's names.
        contracts: Sizes of contracts by the venue's names.
        begin: Begin of the UTC day, µs.
        folder: Where pieces are kept.

    Raises:
        ImportSourceError: What unpacking raises.
        UnknownContractError: The size of a contract is needed and not known.
    """
    missing = [native for native in instruments if layout.contracts and native not in contracts]
    if missing:
        raise UnknownContractError(missing[0])
    day = _Day(layout, streams, instruments, contracts if layout.contracts else {}, begin, folder)
    reader = layout.reader(day.appender, list(instruments))
    for text in texts:
        day.read(text, reader)
    return day.finish(reader)


class _Day:
    """What is gathered of a day."""

    def __init__(
        self,
        layout: LineLayout,
        streams: Sequence[Stream],
        instruments: Mapping[str, Symbol],
        contracts: Mapping[str, Contract],
        begin: int,
        folder: Path,
    ) -> None:
        self._layout = layout
        self._streams = streams
        self._instruments = instruments
        self._contracts = contracts
        self._begin = begin
        self._folder = folder
        self._held: dict[tuple[Stream, Symbol], TickBuffer] = {}
        self._found = DayFindings()

    def appender(self, stream: Stream, native: str) -> Callable[[Row], None]:
        """Return what takes the ticks of a series."""
        key = stream, self._instruments[native]
        if stream not in self._streams:
            return lambda _row: None
        if not self._layout.ordered:
            self._held[key] = TickBuffer(stream)
            return self._held[key].append
        spools = self._found.spools
        name = f"{stream}-{len(spools)}"
        spools[key] = Spool(stream, self._folder, name, self._begin, self._contracts.get(native))
        return spools[key].append

    def read(self, text: Text, reader: LineReader) -> None:
        """Read one file."""
        findings = self._found.files[text.path] = FileFindings()
        spools = self._found.spools
        before = {key: spool.rows for key, spool in spools.items()}
        for block in blocks_of_lines(text.file.name, text.pieces):
            for line in block.split(b"\n")[:-1]:
                findings.lines += 1
                if line.strip():
                    self._read_line(line, reader, findings)
            for spool in spools.values():
                spool.flush()
            for buffer in self._held.values():
                buffer.pack()
        for key, spool in spools.items():
            spool.flush(everything=True)
            findings.rows[key] = spool.rows - before[key]
        for key, buffer in self._held.items():
            _keep(key, buffer, self._begin, self._found, findings)

    def finish(self, reader: LineReader) -> DayFindings:
        """Return everything."""
        found = self._found
        for (stream, symbol), spool in found.spools.items():
            native = next(native for native, known in self._instruments.items() if known == symbol)
            found.ignored["other_day"] += spool.left_out
            found.known_from[stream, symbol] = reader.known_from(native)
        for key in list(found.frames):
            _finish(key, self._layout, found)
        return found

    def _read_line(self, line: bytes, reader: LineReader, findings: FileFindings) -> None:
        try:
            reader.read(line)
        except RejectedFrameError as refusal:
            if refusal.code == _LOST:
                self._found.ignored[refusal.code] += 1
            else:
                findings.quarantine.add(findings.lines, None, refusal.code, refusal.reason, line)


def _keep(
    key: tuple[Stream, Symbol],
    buffer: TickBuffer,
    begin: int,
    found: DayFindings,
    findings: FileFindings,
) -> None:
    """Take over what a file gave to a series that is held in memory."""
    told = buffer.drain()
    inside = told.filter(in_day(begin))
    found.ignored["other_day"] += told.height - inside.height
    findings.rows[key] = inside.height
    before = found.frames.get(key)
    found.frames[key] = inside if before is None else pl.concat([before, inside])


def _finish(key: tuple[Stream, Symbol], layout: LineLayout, found: DayFindings) -> None:
    """Put the ticks of a series in order of time, each event once."""
    together = found.frames[key]
    once = together.unique(list(layout.once) or None, keep="first", maintain_order=True)
    found.duplicates[key[0]] += together.height - once.height
    found.frames[key] = once.sort("exchange_timestamp", maintain_order=True)
    if once.is_empty():
        del found.frames[key]
