"""Tardis CSV files → ticks."""

from __future__ import annotations

import csv
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from aperiodic.completeness.recorded import ANY_STREAM
from aperiodic.engine.errors import ImportSourceError
from aperiodic.engine.importing.arrivals import recorded_in_table
from aperiodic.engine.importing.buffers import Quarantine
from aperiodic.engine.importing.files import Lines, Progress, SourceFile
from aperiodic.engine.importing.held import require_held
from aperiodic.engine.importing.refusals import Refusals
from aperiodic.engine.importing.report import (
    DAMAGE,
    FileReport,
    Findings,
    commit,
    earlier_report,
    empty_report,
    find_earlier,
)
from aperiodic.engine.importing.tardis_tables import Table, recognise, time_column
from aperiodic.engine.merging import complete
from aperiodic.engine.numbering import counts_of, runs_of
from aperiodic.market import Exchange, InvalidInputError, Source, Stream, Symbol
from aperiodic.venues import all_venues, venue_of
from aperiodic.venues.checks import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from aperiodic.lake import Lake
    from aperiodic.venues import Contract

__all__ = ["import_tardis"]

_TIMES: Final = ("exchange_timestamp", "local_timestamp")
_TIME_COLUMNS: Final = ("timestamp", "local_timestamp", "funding_timestamp")
_QUOTE: Final = '"'
_EXACT: Final = 1 << 53
_NO_LINE_BREAK: Final = "the last row has no line break, so it may be cut within a number"


class _Head(NamedTuple):
    """What the first two lines say of a file.

    Attributes:
        header: Column names.
        exchange: Venue; None where there are no rows.
        native: Tardis' name of it.
        table: How the columns are read.
        lines: Lines of a file without rows.
    """

    header: list[str]
    exchange: Exchange | None
    native: str
    table: Table
    lines: int


def import_tardis(
    lake: Lake,
    paths: Sequence[Path],
    *,
    progress: Callable[[Progress], None] | None = None,
    finished: Callable[[FileReport], None] = lambda _report: None,
    refused: Callable[[Path, ImportSourceError], None] | None = None,
    again: bool = False,
    contracts: Mapping[str, Contract] | None = None,
) -> list[FileReport]:
    """Import Tardis CSV files, in the order given; type, exchange and symbols are read from the files.

    Args:
        lake: Where to.
        paths: Files as downloaded, plain, gzip or zstd.
        progress: Called with the bytes read of the file at work.
        finished: Called with the report of a file as soon as it is imported.
        refused: Called with a file that cannot be imported and the reason, whereupon the others are imported all the
            same; None ends the batch with an error instead.
        again: Also read files that have been imported before.
        contracts: Sizes of contracts by the venue's names, for files with amounts in contracts.

    Returns:
        A report of every file.

    Raises:
        ImportSourceError: Without `refused`, of the first file that is refused, with nothing of that file taken over:
            `file_unreadable`, `archive`, `unsupported_format`, `expands_too_far`, `unknown_table`,
            `unknown_tardis_exchange`, `contract_size_needed` (before anything is imported), or `source_conflict`.
        LakeError: `busy`, or the store or ledger failed.
    """
    refusals = Refusals(refused)
    files: list[tuple[SourceFile, _Head]] = []
    for path in paths:
        with refusals.of(path):
            file = SourceFile.look_at(path)
            files.append((file, _look_inside(file, sized=contracts is not None)))
    reports: list[FileReport] = []
    for file, head in files:
        with refusals.of(file.path):
            reports.append(_import_one(lake, file, head, contracts or {}, progress, again=again))
            finished(reports[-1])
    return reports


def _import_one(
    lake: Lake,
    file: SourceFile,
    head: _Head,
    contracts: Mapping[str, Contract],
    progress: Callable[[Progress], None] | None,
    *,
    again: bool,
) -> FileReport:
    if head.exchange is None:
        return empty_report(file.name, Source.TARDIS, head.lines)
    earlier = find_earlier(lake, Source.TARDIS, head.exchange, file)
    if earlier is not None and not again:
        require_held(lake, earlier, file.name)
        return earlier_report(earlier, file.name)
    return commit(lake, _Reader(file, head, head.exchange, contracts).read(progress), replace_unusable=again)


class _Reader:
    """Reads one file."""

    def __init__(self, file: SourceFile, head: _Head, exchange: Exchange, contracts: Mapping[str, Contract]) -> None:
        """Prepare to read a file with rows."""
        self.file = file
        self._header, self._name, self._table = head.header, head.native, head.table
        self.exchange = exchange
        self._contracts = contracts
        self._venue = venue_of(exchange)
        self._symbols: dict[str, Symbol | None] = {}
        self._parts: defaultdict[Symbol, list[pl.DataFrame]] = defaultdict(list)
        self._numbers: defaultdict[Symbol, list[pl.DataFrame]] = defaultdict(list)

    def read(self, progress: Callable[[Progress], None] | None) -> Findings:
        """Read the file and write nothing."""
        found = Findings(self.file, self.exchange, Source.TARDIS, Quarantine(), notes=list(self._table.left_out))
        put_aside = found.quarantine.add
        lines = Lines(
            self.file,
            progress=progress,
            overlong=lambda number, start: put_aside(number, None, "overlong_line", "the line is over 16 MiB", start),
        )
        for start, batch in lines:
            if lines.open_end and start > 1:
                # The cut may lie within a number: what is left of it would look like a good one.
                code, reason = lines.damage or "truncated_file", lines.damage_reason or _NO_LINE_BREAK
                put_aside(start, None, code, reason, batch[0])
                continue
            skipped = 1 if start == 1 else 0
            self._read_batch(start + skipped, batch[skipped:], found.quarantine)
        if lines.damage is not None and not found.quarantine.counts[lines.damage]:
            lines.count += 1
            put_aside(lines.count, None, lines.damage, lines.damage_reason, b"")
        found.lines = lines.count
        for symbol, parts in self._parts.items():
            self._finish(symbol, pl.concat(parts), found)
        for symbol, parts in self._numbers.items():
            self._number(Stream.TRADES, symbol, pl.concat(parts), found)
        found.notes = sorted(set(found.notes))
        return found

    def _read_batch(self, start: int, lines: list[bytes], quarantine: Quarantine) -> None:
        rows = (
            pl.DataFrame({"_frame": lines, "_text": _texts(lines)}, schema={"_frame": pl.Binary, "_text": pl.String})
            .with_row_index("_line", start)
            .with_columns(pl.col("_text").str.strip_chars_end("\r"))
            .filter(pl.col("_text").is_null() | (pl.col("_text") != ""))
            .pipe(_with_fields)
        )
        whole = (pl.col("_fields").list.len() == len(self._header)).fill_null(value=False)
        malformed = rows.filter(~whole).with_columns(_refused=pl.lit(0, pl.Int32), local_timestamp=None)
        shape = Check("malformed", f"the line is not UTF-8 text of {len(self._header)} fields", pl.lit(value=True))
        _set_aside(malformed, [shape], quarantine)
        named = rows.filter(whole).select(
            "_line",
            "_frame",
            *(pl.col("_fields").list.get(place).alias(name) for place, name in enumerate(self._header)),
        )
        if named.is_empty():
            return
        named = _whole_times(named)
        self._learn_symbols(named["symbol"])
        checks = [*self._common_checks(), *self._table.checks]
        first_failed = pl.coalesce(pl.when(check.fails).then(pl.lit(place)) for place, check in enumerate(checks))
        judged = named.with_columns(_refused=first_failed)
        refused = judged.filter(pl.col("_refused").is_not_null())
        _set_aside(refused.with_columns(time_column("local_timestamp")), checks, quarantine)
        good = judged.filter(pl.col("_refused").is_null()).select(
            "symbol",
            time_column("timestamp").alias("exchange_timestamp"),
            time_column("local_timestamp"),
            *(value for values in self._table.streams.values() for value in values),
        )
        self._divide(good, self._parts, self._table.contracts)
        if self._table.number is not None:
            by_rule = [place for place, check in enumerate(checks) if check.by_rule]
            received = pl.col("_refused").is_null() | pl.col("_refused").is_in(by_rule)
            numbers = judged.filter(received).select(
                "symbol",
                time_column("timestamp").alias("exchange_timestamp"),
                time_column("local_timestamp"),
                self._table.number.alias("sequence"),
            )
            self._divide(numbers.filter(pl.col("sequence").is_not_null()), self._numbers)

    def _divide(
        self,
        rows: pl.DataFrame,
        parts: defaultdict[Symbol, list[pl.DataFrame]],
        contracts: Sequence[tuple[str, str]] = (),
    ) -> None:
        for (native,), part in rows.partition_by(
            "symbol", as_dict=True, include_key=False, maintain_order=True
        ).items():
            symbol = self._symbols[str(native)]
            if symbol is not None:
                parts[symbol].append(self._in_base_units(str(native), part, contracts) if contracts else part)

    def _in_base_units(self, native: str, rows: pl.DataFrame, columns: Sequence[tuple[str, str]]) -> pl.DataFrame:
        if native not in self._contracts:
            raise ImportSourceError(
                f"{self.file.name} counts {native[:100]} in contracts, and the size of its contract is not known.",
                code="contract_size_needed",
                hint="Give the exchange's answer to /api/v5/public/instruments?instType=SWAP of that time.",
            )
        return rows.with_columns(
            self._contracts[native].base_column(pl.col(amount), pl.col(price)).alias(amount)
            for amount, price in columns
        )

    def _learn_symbols(self, natives: pl.Series) -> None:
        for native in natives.unique():
            if native not in self._symbols:
                try:
                    self._symbols[native] = self._venue.symbol(native)
                except InvalidInputError:
                    self._symbols[native] = None

    def _common_checks(self) -> list[Check]:
        known = [native for native, symbol in self._symbols.items() if symbol is not None]
        bad_time = time_column("timestamp").is_null() | time_column("local_timestamp").is_null()
        return [
            Check("other_exchange", "the row is of another exchange than the first", pl.col("exchange") != self._name),
            Check("unknown_symbol", "the symbol cannot be split into its assets", ~pl.col("symbol").is_in(known)),
            Check("bad_time", "a time is not µs between 2009 and 2100", bad_time),
        ]

    def _finish(self, symbol: Symbol, rows: pl.DataFrame, found: Findings) -> None:
        received = pl.col("local_timestamp").to_physical()
        earliest, latest = rows.select(received.min().alias("first"), received.max().alias("last")).row(0)
        found.first_received = min(earliest, found.first_received or earliest)
        found.last_received = max(latest, found.last_received or latest)
        recorded = recorded_in_table(
            rows["local_timestamp"].to_physical().to_numpy(), cut=not DAMAGE.isdisjoint(found.quarantine.counts)
        )
        for stream, values in self._table.streams.items():
            found.recorded[str(symbol), stream] = found.recorded[str(symbol), ANY_STREAM] = recorded
            names = [value.meta.output_name() for value in values]
            ticks = rows.select(*_TIMES, *names)
            if self._table.only_changes:
                # Whether a row is a change depends on what other files hold as well.
                ticks = ticks.filter(pl.col(names[0]).is_not_null())
                found.state_rows.add((stream, symbol))
            found.frames[stream, symbol] = complete(stream, ticks)
            if stream is Stream.TRADES and "sequence" not in names:
                named = ticks["id"].filter((ticks["id"] != "").fill_null(value=False))
                _count(found.duplicates, stream, named.len() - named.n_unique())

    def _number(self, stream: Stream, symbol: Symbol, numbers: pl.DataFrame, found: Findings) -> None:
        events = numbers.unique(["sequence", "exchange_timestamp"], keep="first", maintain_order=True)
        events = events.with_columns(counts_of(events))
        if events["count"].n_unique() > 1:
            found.notes.append("sequence_reset")
        late = pl.col("sequence") < pl.col("sequence").cum_max().over("count")
        _count(found.duplicates, stream, numbers.height - events.height)
        _count(found.late, stream, events.filter(late).height)
        found.spans[stream, symbol] = runs_of(events)


def _look_inside(file: SourceFile, *, sized: bool) -> _Head:
    """Read what the first two lines say.

    Raises:
        ImportSourceError: `unknown_table`, `unknown_tardis_exchange`, `contract_size_needed`, and `truncated_file` or
            `corrupt_file` for what breaks off before its first row.
    """
    reading = Lines(file)
    lines: list[list[str]] = []
    for _, batch in reading:
        lines += [_split(text) for line in batch if (text := line.decode(errors="replace").rstrip("\r"))][
            : 2 - len(lines)
        ]
        if len(lines) > 1:
            break
    if reading.damage is not None and len(lines) <= 1:
        raise ImportSourceError(
            f"{file.name} ends before its first row: {reading.damage_reason}.",
            code=reading.damage,
            hint="Fetch it again.",
        )
    if not lines:
        return _Head([], None, "", Table((), {}), 0)
    header = lines[0]
    if len(lines) == 1:
        return _Head(header, None, "", recognise(header, None), 1)
    name = dict(zip(header, lines[1], strict=False)).get("exchange", "")
    exchanges = {venue.tardis: venue.exchange for venue in all_venues() if venue.tardis is not None}
    if "exchange" in header and name not in exchanges:
        raise ImportSourceError(
            f"{file.name} holds data of {name[:100]!r}, an exchange that is not supported.",
            code="unknown_tardis_exchange",
            hint=f"Supported: {', '.join(exchanges)}.",
        )
    exchange = exchanges.get(name)
    return _Head(
        header, exchange, name, recognise(header, None if exchange is None else venue_of(exchange), sized=sized), 2
    )


def _split(line: str) -> list[str]:
    """Return the fields of a line of CSV."""
    return next(csv.reader([line]), [""]) if _QUOTE in line else line.split(",")


def _with_fields(rows: pl.DataFrame) -> pl.DataFrame:
    """Split lines of CSV; quotes are rare, and only batches that have any are split by the slower way."""
    if rows["_text"].str.contains(_QUOTE, literal=True).any():
        fields = [None if text is None else _split(text) for text in rows["_text"]]
        return rows.with_columns(pl.Series("_fields", fields, dtype=pl.List(pl.String)))
    return rows.with_columns(pl.col("_text").str.split(",").alias("_fields"))


def _whole_times(rows: pl.DataFrame) -> pl.DataFrame:
    """Write times like 1.6e15 or 1600000000000000.0, as programs that hold them as floats write them, as whole numbers."""
    changes = []
    for name in _TIME_COLUMNS:
        if name in rows.columns and rows[name].str.contains("[.eE]").any():
            number = pl.col(name).cast(pl.Float64, strict=False)
            is_whole = (number == number.floor()) & (number.abs() < _EXACT)
            whole = pl.when(is_whole).then(number).cast(pl.Int64).cast(pl.String)
            changes.append(pl.coalesce(whole, pl.col(name)).alias(name))
    return rows.with_columns(changes)


def _texts(lines: list[bytes]) -> list[str] | list[str | None]:
    """Return lines as text, None where one is not UTF-8."""
    try:
        return b"\n".join(lines).decode().split("\n") if lines else []
    except UnicodeDecodeError:
        return [_text(line) for line in lines]


def _text(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None


def _set_aside(refused: pl.DataFrame, checks: Sequence[Check], quarantine: Quarantine) -> None:
    times = refused.select(pl.col("local_timestamp").cast(pl.Int64)).to_series()
    for line, frame, place, local in zip(refused["_line"], refused["_frame"], refused["_refused"], times, strict=True):
        quarantine.add(line, local, checks[place].code, checks[place].reason, frame)


def _count(counts: dict[str, int], stream: Stream, events: int) -> None:
    if events:
        counts[stream] = counts.get(stream, 0) + events
