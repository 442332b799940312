"""Writing a day out of an archive: ticks, what they prove, and where they came from, in one ledger transaction."""

from __future__ import annotations

from datetime import date
from functools import partial
from itertools import pairwise
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.completeness.gaps import add_spans
from aperiodic.completeness.recorded import (
    ANY_STREAM,
    Recorded,
    add_recorded,
    join_recorded,
    remove_recorded,
    whole_days,
)
from aperiodic.engine.backfilling.fetching import Presence
from aperiodic.engine.backfilling.ticks import DayFindings, FileFindings
from aperiodic.engine.importing.report import IMPORTER_VERSION, writing_ticks
from aperiodic.engine.merging import complete
from aperiodic.engine.numbering import counts_of, runs_of
from aperiodic.engine.ticks import give_up_day, put_ticks, require_day_source, require_source
from aperiodic.lake import NewObject, ObjectKey
from aperiodic.lake.archive_files import ABSENT, IMPORTED, ArchivedFile, record_archived, sum_of_file
from aperiodic.lake.imports import ImportRecord, find_import, record_import
from aperiodic.lake.writing import parquet_bytes, put_object_file
from aperiodic.market import DAY_US, Source, Stream
from aperiodic.market.time import day_start_us, now_us
from aperiodic.venues.archive import NOT_IN_ARCHIVE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from aperiodic.completeness.gaps import Span
    from aperiodic.engine.backfilling.fetching import Fetched
    from aperiodic.engine.backfilling.plan import Unit
    from aperiodic.engine.backfilling.ticks import Spool
    from aperiodic.lake import Batch, Lake
    from aperiodic.market import Symbol

__all__ = ["record_day", "write_day"]

_EDGE_US: Final = 60_000_000
"""A book that is known so long after the begin of its file is whole from there on."""
_NO_SNAPSHOT: Final = "no_snapshot"
_REASON: Final = "from an archive"


def write_day(lake: Lake, unit: Unit, fetched: Sequence[Fetched], found: DayFindings) -> dict[Stream, int]:
    """Write a day in place of what an archive gave to it before.

    Args:
        lake: Where to.
        unit: Which day.
        fetched: What became of its files, in order.
        found: What they hold; nothing where all are absent.

    Returns:
        Ticks by stream.

    Raises:
        ImportSourceError: `source_conflict` when the day holds ticks of another source; then nothing is written.
        LakeError: `busy` when another import writes the same series and does not end.
    """
    with writing_ticks(lake, unit.exchange, unit.instruments.values()):
        batch = lake.batch()
        ticks: dict[Stream, int] = {}
        for stream in unit.streams:
            for symbol in unit.instruments.values():
                rows = _write_series(lake, batch, unit, stream, symbol, fetched, found)
                ticks[stream] = ticks.get(stream, 0) + rows
        batch.change(partial(record_archived, files=_archived(unit, fetched, found)))
        for each in fetched:
            if each.presence is Presence.HELD:
                _record_file(lake, batch, unit, each, found.files[each.path])
        batch.commit()
    return ticks


def record_day(lake: Lake, unit: Unit, fetched: Sequence[Fetched], ticks: Mapping[Stream, int]) -> None:
    """Record the files of a day whose ticks were written before, by the importer of such files."""
    found = DayFindings()
    for each in fetched:
        findings = found.files[each.path] = FileFindings()
        findings.rows.update(
            {(stream, symbol): ticks.get(stream, 0) for stream in unit.streams for symbol in unit.instruments.values()}
        )
    batch = lake.batch()
    batch.change(partial(record_archived, files=_archived(unit, fetched, found)))
    batch.commit()


def _write_series(
    lake: Lake,
    batch: Batch,
    unit: Unit,
    stream: Stream,
    symbol: Symbol,
    fetched: Sequence[Fetched],
    found: DayFindings,
) -> int:
    key = ObjectKey.ticks(stream, unit.exchange, symbol, unit.day)
    require_source(lake, stream, unit.exchange, symbol, Source.ARCHIVE)
    require_day_source(lake, key, Source.ARCHIVE)
    _forget(lake, batch, key, unit.day)
    frame, spool = found.frames.get((stream, symbol)), found.spools.get((stream, symbol))
    rows = 0
    if frame is not None and frame.height:
        rows = frame.height
        put_ticks(lake, batch, key, frame, Source.ARCHIVE, _REASON)
    elif spool is not None and spool.rows:
        rows = spool.rows
        _put_spool(lake, batch, key, spool)
    elif lake.find(key) is not None:
        batch.retire(key)
    numbers = found.numbers.get((stream, symbol))
    if numbers is not None and numbers.height:
        batch.change(
            partial(add_spans, exchange=unit.exchange, symbol=symbol, stream=stream, runs=_runs(stream, numbers))
        )
    covered = _covered(unit, fetched, found.known_from.get((stream, symbol), 0))
    if covered:
        series = {(str(symbol), stream): covered, (str(symbol), ANY_STREAM): covered}
        batch.change(partial(add_recorded, exchange=unit.exchange, added=series))
    return rows


def _forget(lake: Lake, batch: Batch, key: ObjectKey, day: date) -> None:
    """Take back what an earlier reading of the day proved."""
    held = lake.find(key)
    if held is not None:
        give_up_day(lake, batch, held)
    begin = day_start_us(day)
    batch.change(
        lambda connection: remove_recorded(
            connection, key.exchange, key.symbol, key.dataset, begin + 1, begin + DAY_US - 1
        )
    )


def _put_spool(lake: Lake, batch: Batch, key: ObjectKey, spool: Spool) -> None:
    with TemporaryFile() as file:
        spool.write(file)
        stored = put_object_file(lake.store, key, file)
    bounds = spool.first, spool.last, None, None
    batch.adopt(NewObject(key, spool.rows, Source.ARCHIVE, stored.sha256, _REASON, *bounds), stored)


def _runs(stream: Stream, numbers: pl.DataFrame) -> list[Span]:
    events = complete(stream, numbers.unique(["sequence", "exchange_timestamp"], keep="first", maintain_order=True))
    return runs_of(events.with_columns(counts_of(events)), NOT_IN_ARCHIVE)


def _covered(unit: Unit, fetched: Sequence[Fetched], known_from: int | None) -> list[Recorded]:
    """Return the times of the day of which everything is held that the archive has."""
    if known_from is None:
        return []
    begin, end = unit.begin, unit.begin + DAY_US
    pieces = []
    for each in fetched:
        first, last = max(each.file.begin, begin), min(each.file.end, end)
        if each.presence is not Presence.HELD or first >= last:
            continue
        if first + _EDGE_US < known_from < last:
            pieces.append(Recorded(known_from, last, known_from, last, begins=_NO_SNAPSHOT))
        elif known_from < last:
            pieces.append(whole_days(first, last))
    joined = join_recorded(pieces)
    edges = [begin, *(edge for left, right in pairwise(joined) for edge in (left.covers_to, right.covers_from)), end]
    for place, interval in enumerate(joined):
        begins = interval.begins or (NOT_IN_ARCHIVE if place or interval.covers_from > edges[0] else "")
        ends = NOT_IN_ARCHIVE if place + 1 < len(joined) or interval.covers_to < edges[-1] else ""
        first, last = interval.covers_from, interval.covers_to
        joined[place] = Recorded(first, last, first, last, begins=begins, ends=ends)
    return joined


def _archived(unit: Unit, fetched: Sequence[Fetched], found: DayFindings) -> list[ArchivedFile]:
    now = now_us()
    return [
        ArchivedFile(
            exchange=unit.exchange,
            symbol=str(symbol),
            stream=stream,
            day=unit.day.isoformat(),
            archive=each.file.base.name,
            path=each.path or each.file.path,
            state=IMPORTED if each.presence is Presence.HELD else ABSENT,
            sha256=each.sha256,
            size=each.size,
            etag=each.etag,
            rows=found.files[each.path].rows[stream, symbol] if each.presence is Presence.HELD else 0,
            finished_at=now,
        )
        for stream in unit.streams
        for symbol in unit.instruments.values()
        for each in fetched
    ]


def _record_file(lake: Lake, batch: Batch, unit: Unit, fetched: Fetched, findings: FileFindings) -> None:
    """Record a file and the lines of it that became no tick; other days and instruments may have read it before."""
    key = ObjectKey.quarantine(unit.exchange, fetched.sha256)
    held = lake.find(key)
    aside = findings.quarantine.frame()
    if held is not None:
        aside = pl.concat([lake.store.read_parquet(held.path), aside]).unique("line", keep="first").sort("line")
    rejected = dict(sorted((str(code), count) for code, count in aside["code"].value_counts().rows()))
    if aside.height:
        data = parquet_bytes(aside)
        batch.put(NewObject(key, aside.height, Source.ARCHIVE, fetched.sha256, "lines that became no tick"), data)
    notes = {*unit.table.notes, *({"no_checksum"} if fetched.unverified else ())}

    def record(connection: Connection) -> None:
        told = sum_of_file(connection, unit.exchange, fetched.sha256)
        earlier = find_import(connection, Source.ARCHIVE, unit.exchange, fetched.sha256)
        if told is None:
            return
        record_import(
            connection,
            ImportRecord(
                source=Source.ARCHIVE,
                exchange=unit.exchange,
                sha256=fetched.sha256,
                name=fetched.file.name,
                size=fetched.size,
                version=IMPORTER_VERSION,
                lines=findings.lines,
                first_received=day_start_us(date.fromisoformat(told.first_day)),
                last_received=day_start_us(date.fromisoformat(told.last_day)) + DAY_US - 1,
                ticks={stream: rows for stream, rows in told.ticks.items() if rows},
                rejected=rejected,
                notes=sorted(notes | set(earlier.notes if earlier is not None else ())),
                finished_at=now_us(),
            ),
        )

    batch.change(record)
