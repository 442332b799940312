"""Parts of open days that the store has lost, read again from the recordings that they came from.

A part goes back only with the very bytes that it had, known by their digest: so nothing can be taken twice, and the
ledger has nothing to learn. Reading begins some recordings earlier, since what came twice, and order books, follow from
what came before; where that does not give the same bytes it begins earlier still.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.engine.errors import ImportSourceError
from aperiodic.engine.importing.files import SourceFile
from aperiodic.engine.importing.recordings import first_received
from aperiodic.engine.merging import merge_frames, merge_pieces, times_of
from aperiodic.engine.normalising.closing import JOINED
from aperiodic.engine.normalising.shard import Shard
from aperiodic.lake import ObjectKind
from aperiodic.lake.layout import RECORDINGS
from aperiodic.lake.objects import parts_joined
from aperiodic.lake.recording_store import fetch, list_stored
from aperiodic.lake.recordings import SIDECAR, is_recording_name, list_recordings
from aperiodic.lake.verify import not_whole
from aperiodic.lake.writing import parquet_bytes, put_object
from aperiodic.market import DAY_US, Exchange, Stream, Symbol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from aperiodic.lake import Lake, ObjectRecord
    from aperiodic.lake.recordings import Recording

__all__ = ["lost_parts", "put_back", "put_back_from_everywhere", "recordings_as_given"]

_AT_ONCE: Final = 8 << 20
_BEFORE: Final = (1, 4, None)
"""So many recordings before the first that a part came from are read as well, at the first try and at the next; in the
end all of them, whatever their names say of when they were begun."""
_FETCHED: Final = 4
"""So many are fetched from the store."""
_US: Final = 1_000
_SLACK_US: Final = 60_000_000
"""So much later a recording may have been begun, by its name, than what it holds arrived: clocks are set."""
_MOST_CUTS: Final = 1_000

Series = tuple[Stream, Symbol]


def lost_parts(lake: Lake, exchange: Exchange | None = None) -> list[ObjectRecord]:
    """Return the parts of open days that the store does not have, or has in another size.

    Raises:
        LakeError: `store_unavailable` and others of the store.
    """
    parts = lake.current(ObjectKind.TICK_PARTS, exchange=exchange)
    faulty = not_whole(lake.store, {part.path: part.size for part in parts})
    return [part for part in parts if part.path in faulty]


def put_back(lake: Lake, parts: Sequence[ObjectRecord], homes: Iterable[Path]) -> set[str]:
    """Put parts back into the store that recordings give; return their paths.

    Args:
        lake: The installation.
        parts: Parts that the store does not hold as they were written.
        homes: Folders in which recordings lie as in that of an installation.

    Raises:
        LakeError: The store or the ledger failed.
    """
    done: set[str] = set()
    folders = list(homes)
    for exchange in sorted({Exchange(part.key.exchange) for part in parts}):
        own = [part for part in parts if part.key.exchange == exchange]
        writers: defaultdict[str, dict[str, Recording]] = defaultdict(dict)
        for folder in folders:
            for recording in list_recordings(folder, exchange):
                writers[recording.writer].setdefault(recording.sealed_path.name, recording)
        done |= _put_back(lake, exchange, own, [sorted(each.values()) for each in writers.values()])
    return done


def put_back_from_everywhere(lake: Lake, parts: Sequence[ObjectRecord]) -> set[str]:
    """Put parts back from the recordings on this disk, and then from those in the store; return their paths.

    Args:
        lake: The installation.
        parts: As of `put_back`.

    Raises:
        LakeError: The store or the ledger failed, or `recording_damaged` and others of `recording_store.fetch`.
    """
    done = put_back(lake, parts, [lake.home])
    left = [part for part in parts if part.path not in done]
    if left:
        with _recordings_of_store(lake, left) as fetched:
            done |= put_back(lake, left, [lake.home, fetched])
    return done


@contextmanager
def recordings_as_given(exchange: Exchange, paths: Iterable[Path]) -> Iterator[Path]:
    """Give a folder in which files lie as recordings do in an installation, by whatever name they were given.

    Args:
        exchange: Venue.
        paths: The files; those that are no recordings are left out.
    """
    with TemporaryDirectory(prefix="aperiodic-given-") as name:
        folder = Path(name) / RECORDINGS / exchange / "given" / "00"
        folder.mkdir(parents=True)
        for path in paths:
            known = path.name
            if not is_recording_name(known):
                with suppress(ImportSourceError, OSError):
                    begun = first_received(SourceFile(path, path.stat().st_size, ""), exchange)
                    known = f"given-0-{begun * _US}.zst"
            with suppress(FileExistsError):
                (folder / known).symlink_to(path.absolute())
            sidecar = path.with_name(path.name + SIDECAR)
            if sidecar.is_file():
                with suppress(FileExistsError):
                    (folder / (known + SIDECAR)).symlink_to(sidecar.absolute())
        yield Path(name)


@contextmanager
def _recordings_of_store(lake: Lake, parts: Sequence[ObjectRecord]) -> Iterator[Path]:
    """Give a folder with the recordings of the store that parts can have come from, and some before them.

    Raises:
        LakeError: `store_unavailable`, `recording_damaged` and others of `recording_store.fetch`.
    """
    with TemporaryDirectory(prefix=".recordings-", dir=lake.home) as name:
        for exchange in sorted({Exchange(part.key.exchange) for part in parts}):
            own = [part for part in parts if part.key.exchange == exchange]
            first, last = _times(own)
            held = list_stored(
                lake.store, Path(name), exchange, start_ns=(first - DAY_US) * _US, end_ns=(last + _SLACK_US) * _US
            )
            writers: defaultdict[str, list[Recording]] = defaultdict(list)
            for recording, _ in held:
                writers[recording.writer].append(recording)
            chosen = {each for recordings in writers.values() for each in _chosen(sorted(recordings), own, _FETCHED)}
            for recording, sidecar in held:
                if recording in chosen:
                    asyncio.run(fetch(lake.store, recording, sidecar))
        yield Path(name)


def _put_back(
    lake: Lake, exchange: Exchange, parts: Sequence[ObjectRecord], writers: Sequence[Sequence[Recording]]
) -> set[str]:
    joined = {part.path: _joined(lake, part) for part in parts if part.reason == JOINED}
    wanted = {each.sha256: each for part in parts for each in joined.get(part.path) or [part]}
    found: dict[str, pl.DataFrame] = {}
    better: set[tuple[Stream, Symbol]] = set()
    for before in _BEFORE:
        for recordings in writers:
            missing = [part for sha256, part in wanted.items() if sha256 not in found]
            if missing:
                _find(lake, exchange, missing, _chosen(recordings, missing, before), better, found)
    done = set()
    for part in parts:
        pieces = [found.get(each.sha256) for each in joined.get(part.path) or [part]]
        whole = [piece for piece in pieces if piece is not None]
        if len(whole) < len(pieces):
            continue
        ticks = merge_frames(Stream(part.key.dataset), whole) if part.path in joined else whole[0]
        data = parquet_bytes(ticks)
        if hashlib.sha256(data).hexdigest() == part.sha256:
            put_object(lake.store, part.key, data)
            done.add(part.path)
    return done


def _joined(lake: Lake, part: ObjectRecord) -> list[ObjectRecord]:
    """Return the parts that were joined into one, in their order, down to those that were appended."""
    with lake.engine.connect() as connection:
        pieces = parts_joined(connection, part, JOINED)
    return [each for piece in pieces for each in (_joined(lake, piece) if piece.reason == JOINED else [piece])]


def _chosen(recordings: Sequence[Recording], parts: Sequence[ObjectRecord], before: int | None) -> list[Recording]:
    """Return the recordings of a writer that parts can have come from, and some before them."""
    if before is None:
        return list(recordings)
    first, last = _times(parts)
    begun = [recording for recording in recordings if recording.start_ns <= (last + _SLACK_US) * _US]
    at_work = sum(recording.start_ns <= first * _US for recording in begun)  # the last of these holds the first tick
    return list(begun[max(at_work - 1 - before, 0) :])


def _times(parts: Sequence[ObjectRecord]) -> tuple[int, int]:
    return min(part.first_local or 0 for part in parts), max(part.last_local or 0 for part in parts)


def _find(
    lake: Lake,
    exchange: Exchange,
    parts: Sequence[ObjectRecord],
    recordings: Sequence[Recording],
    better: set[tuple[Stream, Symbol]],
    found: dict[str, pl.DataFrame],
) -> None:
    """Read recordings of one writer, and take what is a part by its digest."""
    if not recordings:
        return
    by_series: defaultdict[Series, list[ObjectRecord]] = defaultdict(list)
    for part in parts:
        by_series[Stream(part.key.dataset), Symbol.parse(part.key.symbol)].append(part)
    pieces: defaultdict[Series, list[pl.DataFrame]] = defaultdict(list)
    for series, ticks in _read(Shard(lake, exchange, recordings[0].writer, None, better), recordings):
        if (own := by_series.get(series)) and (rows := _of_parts(ticks, own)).height:
            pieces[series].append(rows)
    for series, frames in pieces.items():
        together = pl.concat(frames)
        for part in by_series[series]:
            if (same := _same(series[0], together, part)) is not None:
                found[part.sha256] = same


def _read(shard: Shard, recordings: Sequence[Recording]) -> Iterator[tuple[Series, pl.DataFrame]]:
    """Yield the ticks of recordings by series, a piece at a time, in the order in which they are read."""
    while True:
        read = shard.read_what_is_left(recordings, _AT_ONCE)
        has_ended_any = shard.is_full
        for ready in shard.drain():
            for series, held in ready.ticks.items():
                yield series, held.frame()
        if not read and not has_ended_any:
            return


def _of_parts(ticks: pl.DataFrame, parts: Sequence[ObjectRecord]) -> pl.DataFrame:
    """Return the ticks that arrived while any of the parts did, so that no more is kept than was lost."""
    arrival = pl.col("local_timestamp").to_physical()
    return ticks.filter(
        pl.any_horizontal(arrival.is_between(part.first_local or 0, part.last_local or 0) for part in parts)
    )


def _same(stream: Stream, ticks: pl.DataFrame, part: ObjectRecord) -> pl.DataFrame | None:
    """Return the ticks of a part out of those of its series as they were read; None where they do not give its bytes.

    Of ticks that arrived in the same microsecond some may be in the part before or after it.
    """
    own = ticks.filter(
        pl.col("exchange_timestamp").dt.date().cast(pl.String) == part.key.period[:10],
        pl.col("local_timestamp").to_physical().is_between(part.first_local or 0, part.last_local or 0),
    )
    spare = own.height - part.rows
    arrival = times_of(own, "local_timestamp")
    at_begin, at_end = (int((arrival == edge).sum()) for edge in (part.first_local, part.last_local))
    cuts = [(begin, end) for begin in range(at_begin) for end in range(at_end) if begin + end <= spare]
    # What came twice was left out when the part was made, so it may have fewer ticks than were read.
    for begin, end in sorted(cuts, key=lambda cut: (sum(cut) != spare, cut))[:_MOST_CUTS]:
        same = merge_pieces(stream, [own.slice(begin, own.height - begin - end)])
        if same.height == part.rows and hashlib.sha256(parquet_bytes(same)).hexdigest() == part.sha256:
            return same
    return None
