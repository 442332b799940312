"""Recordings → ticks: frames as the venues sent them, each after its receive time; see `lines` for the forms."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from aperiodic.engine.errors import ImportSourceError
from aperiodic.engine.importing.arrivals import Arrivals, explain_runs, recorded_by_connections, recorded_in
from aperiodic.engine.importing.books import BookStates
from aperiodic.engine.importing.buffers import Quarantine
from aperiodic.engine.importing.carry_on import carry_on
from aperiodic.engine.importing.files import Lines, Progress, SourceFile
from aperiodic.engine.importing.held import TradesHeld, require_held
from aperiodic.engine.importing.instruments import known_instruments, learn_instruments
from aperiodic.engine.importing.lines import read_line
from aperiodic.engine.importing.reading import FrameReader
from aperiodic.engine.importing.refusals import Refusals
from aperiodic.engine.importing.report import FileReport, Findings, commit, earlier_report, find_earlier
from aperiodic.engine.importing.responses import Responses, read_responses
from aperiodic.engine.importing.sink import RecordingSink
from aperiodic.lake.recordings import recording_before
from aperiodic.market import Exchange, Source, Symbol
from aperiodic.venues import RejectedFrameError, UnknownContractError, venue_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from aperiodic.lake import Lake
    from aperiodic.lake.imports import ImportRecord
    from aperiodic.venues.book import Book

__all__ = ["first_received", "import_recordings", "read_recording"]

_PROBED_LINES: Final = 1_000
_BOOK_AWAITS: Final = "book_awaits"
_BACKLOG_DROPPED: Final = "backlog_dropped"
_PAD_US: Final = 1_000_000
"""A recorder goes on in its next file within this time, µs."""


def import_recordings(
    lake: Lake,
    exchange: Exchange,
    paths: Sequence[Path],
    *,
    progress: Callable[[Progress], None] | None = None,
    finished: Callable[[FileReport], None] = lambda _report: None,
    refused: Callable[[Path, ImportSourceError], None] | None = None,
    again: bool = False,
) -> list[FileReport]:
    """Import recorded frames of one exchange, file by file in the order of their first receive time.

    Each file is committed as a whole before the next begins: after a crash, run the same call again. Files of REST
    answers (OKX instruments and books, Binance depth) serve all recordings of the same call.

    Args:
        lake: Where to.
        exchange: The venue that sent the frames.
        paths: Files of lines `<receive time> <raw JSON>` (µs or ns), cryptofeed's raw dumps, and REST answers; plain,
            gzip or zstd.
        progress: Called with the bytes read of the file at work.
        finished: Called with the report of a file as soon as it is imported.
        refused: Called with a file that cannot be imported and the reason, whereupon the others are imported all the
            same; None ends the batch with an error instead.
        again: Also read files that have been imported before.

    Returns:
        A report of every file, in the order they were imported.

    Raises:
        ImportSourceError: Without `refused`, of the first file that is refused, with nothing of that file taken over:
            `file_unreadable`, `archive`, `unsupported_format`, `expands_too_far`, `not_a_recording` (mostly before
            anything is imported), `contract_size_needed` or `source_conflict`;
            `object_missing` or `object_damaged` when it was imported before and its ticks cannot be read any more.
        LakeError: `busy`, or the store or ledger failed.
    """
    refusals = Refusals(refused)
    files: list[tuple[int, int, SourceFile]] = []
    for place, path in enumerate(paths):
        with refusals.of(path):
            file = SourceFile.look_at(path)
            files.append((first_received(file, exchange), place, file))
    responses = read_responses(venue_of(exchange), [file for _, _, file in files], refusals)
    reports: list[FileReport] = []
    # What has no time of its own is told of the time of the recordings that it was given with.
    assumed = min((received for received, _, _ in files if received), default=None)
    for received, _, file in sorted(files):
        if file.path in refusals:
            continue
        with refusals.of(file.path):
            given = responses.with_known(known_instruments(lake, exchange, received)) if received else responses
            before = recording_before(file.path, paths)
            reports.append(
                _import_one(lake, exchange, file, given, progress, assumed=assumed, before=before, again=again)
            )
            finished(reports[-1])
    return reports


def read_recording(
    lake: Lake,
    exchange: Exchange,
    file: SourceFile,
    *,
    responses: Responses | None = None,
    assumed: int | None = None,
    before: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    on_book: Callable[[Symbol, int, Book], None] | None = None,
) -> Findings:
    """Read one recording and write nothing.

    Args:
        lake: Where the order books lie at which earlier recordings ended.
        exchange: The venue that sent the frames.
        file: The recording.
        responses: REST responses from files beside it.
        assumed: Time, µs, of what the venue says of its instruments in lines without one; None: leave that out.
        before: The recording before of the same recorder: what its last connection brought is not taken again.
        progress: Called with the bytes read.
        on_book: Called with symbol, update id and book after every update that was applied to a numbered book.

    Raises:
        ImportSourceError: `contract_size_needed` when the size of an OKX swap's contract is not known.
    """
    found = Findings(file, exchange, Source.RECORDING, Quarantine())
    sink = RecordingSink(BookStates(lake, exchange), file)
    given = responses or Responses()
    venue, held = venue_of(exchange), TradesHeld(lake, exchange).before
    reader = FrameReader(venue, venue.mapper(sink, given.instruments, recorded_before=held, on_book=on_book), sink)
    reader.remember(before)
    waiting = list(reversed(given.snapshots))
    put_aside = found.quarantine.add
    arrivals = Arrivals()
    lines = Lines(
        file,
        progress=progress,
        overlong=lambda number, start: put_aside(number, None, "overlong_line", "the line is over 16 MiB", start),
    )
    for start, batch in lines:
        for number, text in enumerate(batch, start):
            if not text or text == b"\r":
                continue
            local = None
            try:
                line = read_line(text)
                if line.local is not None:
                    local = line.local
                    arrivals.see(local)
                    while waiting and not line.url and waiting[-1][0] <= local:
                        with suppress(RejectedFrameError):  # it is put aside where it lies
                            reader.mapper.read(*waiting.pop())
                found.learn(reader.read(line), line.local or assumed)
            except RejectedFrameError as refusal:
                cut_off = lines.open_end and refusal.code in {"malformed", "bad_receive_time"}
                code = "truncated_file" if cut_off else refusal.code
                put_aside(number, local, code, refusal.reason, text)
            except UnknownContractError as unknown:
                raise _contract_size_needed(file, unknown.name) from None
        sink.pack()
    if lines.damage is not None and not found.quarantine.counts["truncated_file"]:
        lines.count += 1
        put_aside(lines.count, None, lines.damage, lines.damage_reason, b"")
    found.lines = lines.count
    without_book = sink.unknown_books(arrivals.last)
    sink.fill(found)
    found.books = {symbol: (sequence, book.levels()) for symbol, sequence, book in reader.mapper.books()}
    if arrivals.count and not found.unusable:
        found.first_received, found.last_received = arrivals.first, arrivals.last
        found.recorded = recorded_in(found, arrivals, without_book)
        told = reader.connections
        told.close_all("", pad_us=0 if lines.damage is not None else _PAD_US)
        told_of = recorded_by_connections(
            told.take(arrivals.last), without_book, arrivals.first, sink.quotes_of_books()
        )
        found.recorded |= told_of
        found.spans = explain_runs(found.spans, told_of)
    return found


def _import_one(
    lake: Lake,
    exchange: Exchange,
    file: SourceFile,
    responses: Responses,
    progress: Callable[[Progress], None] | None,
    *,
    assumed: int | None,
    before: Path | None,
    again: bool,
) -> FileReport:
    earlier = find_earlier(lake, Source.RECORDING, exchange, file)
    if earlier is not None and not again and not _can_know_more(lake, exchange, earlier):
        require_held(lake, earlier, file.name)
        return earlier_report(earlier, file.name)
    found = read_recording(lake, exchange, file, responses=responses, assumed=assumed, before=before, progress=progress)
    learn_instruments(lake, exchange, found.listed)
    report = commit(lake, found, replace_unusable=again)
    report.notes.extend(carry_on(lake, exchange, {symbol: number for symbol, (number, _) in found.books.items()}))
    return report


def _can_know_more(lake: Lake, exchange: Exchange, earlier: ImportRecord) -> bool:
    """Whether what was unknown where this file began has become known, through an import since."""
    states, held = BookStates(lake, exchange), TradesHeld(lake, exchange)
    for note in earlier.notes:
        kind, _, rest = note.partition(":")
        symbol, _, number = rest.rpartition(":")
        if kind == _BOOK_AWAITS and states.find(Symbol.parse(symbol), int(number)) is not None:
            return True
        if kind == _BACKLOG_DROPPED and held.before(Symbol.parse(symbol), int(number)):
            return True
    return False


def _contract_size_needed(file: SourceFile, name: str) -> ImportSourceError:
    return ImportSourceError(
        f"{file.name} counts {name[:100]} in contracts, and the size of its contract is not known.",
        code="contract_size_needed",
        hint="Give a file with the exchange's answer to /api/v5/public/instruments?instType=SWAP of that time as well.",
    )


def first_received(file: SourceFile, exchange: Exchange) -> int:
    """Return the first receive time in a file, 0 if it is empty or holds answers without one.

    Raises:
        ImportSourceError: `not_a_recording` and others of reading it.
    """
    probed = 0
    for _, batch in Lines(file):
        for text in batch:
            probed += 1
            try:
                line = read_line(text)
            except RejectedFrameError:
                continue
            if line.local is not None:
                return line.local
            with suppress(RejectedFrameError):
                if venue_of(exchange).instruments(line.frame) is not None:
                    return 0
        if probed >= _PROBED_LINES:
            break
    if not probed:
        return 0
    raise ImportSourceError(
        f"{file.name} is not a recording: none of its first lines begins with a receive time.",
        code="not_a_recording",
        hint="Each line must be a receive time in ms, µs or ns, a space, and the JSON text as the exchange sent it.",
    )
