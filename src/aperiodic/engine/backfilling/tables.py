"""Tables of text → ticks."""

from __future__ import annotations

import csv
from collections import defaultdict
from io import BytesIO
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from aperiodic.engine.backfilling.ticks import DayFindings, FileFindings, in_day
from aperiodic.engine.backfilling.unpacking import blocks_of_lines
from aperiodic.engine.errors import ImportSourceError
from aperiodic.engine.merging import complete
from aperiodic.engine.numbering import counts_of
from aperiodic.venues import UnknownContractError
from aperiodic.venues.checks import Check, time_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aperiodic.market import Stream, Symbol
    from aperiodic.venues import Contract
    from aperiodic.venues.archive import ArchiveFile, TableLayout

__all__ = ["Text", "read_tables"]

_TIME: Final = "exchange_timestamp"
_MARK: Final = b"\xef\xbb\xbf"
_LINE: Final = "_line"
_PLACE: Final = "_order_{}"
_FILE: Final = "_file"
_BY_RULE: Final = "_by_rule"
_FOREIGN: Final = Check("other_instrument", "the row is of another instrument", pl.lit(value=True))
_SHOWN: Final = 80


class Text(NamedTuple):
    """A file of an archive with its content.

    Attributes:
        file: Which one.
        path: Where it lies in the archive.
        pieces: Its unpacked content.
    """

    file: ArchiveFile
    path: str
    pieces: Iterator[bytes]


def read_tables(
    texts: Sequence[Text],
    layout: TableLayout,
    streams: Sequence[Stream],
    instruments: Mapping[str, Symbol],
    contracts: Mapping[str, Contract],
    begin: int,
    *,
    shared: bool,
) -> DayFindings:
    """Read the files of a day and write nothing.

    Args:
        texts: The files, in order.
        layout: How they are read.
        streams: Which of its streams are wanted.
        instruments: Symbols by the venue's names; of one file with one instrument, only that.
        contracts: Sizes of contracts by the venue's names.
        begin: Begin of the UTC day, µs.
        shared: Whether files hold other instruments as well; else rows of others are put aside.

    Raises:
        ImportSourceError: `unknown_columns`, and what unpacking raises.
        UnknownContractError: The size of a contract is needed and not known.
    """
    missing = [native for native in instruments if layout.contracts and native not in contracts]
    if missing:
        raise UnknownContractError(missing[0])
    found = DayFindings()
    parts: defaultdict[tuple[Stream, Symbol], list[pl.DataFrame]] = defaultdict(list)
    left_out: defaultdict[tuple[Stream, Symbol], list[pl.DataFrame]] = defaultdict(list)
    for number, text in enumerate(texts):
        findings = found.files[text.path] = FileFindings()
        for rows in _rows(text, layout, instruments, findings, shared=shared):
            for (native, symbol), own in _by_instrument(rows.filter(in_day(begin)), layout, instruments):
                for stream in streams:
                    ticks = _ticks(own, layout, stream, contracts.get(native))
                    good = ticks.filter(~pl.col(_BY_RULE)).drop(_BY_RULE)
                    findings.rows[stream, symbol] += good.height
                    parts[stream, symbol].append(good.with_columns(pl.lit(number).alias(_FILE)))
                    if layout.numbered and good.height < ticks.height:
                        left_out[stream, symbol].append(ticks.filter(_BY_RULE).select(_TIME, "sequence"))
    for (stream, symbol), frames in parts.items():
        together = pl.concat(frames)
        frame = _finish(stream, together, layout)
        found.duplicates[stream] += together.height - frame.height
        if frame.height:
            found.frames[stream, symbol] = complete(stream, frame)
        if layout.numbered:
            numbers = frame.select(_TIME, "sequence")
            found.numbers[stream, symbol] = pl.concat([numbers, *left_out[stream, symbol]])
    return found


def _rows(
    text: Text, layout: TableLayout, instruments: Mapping[str, Symbol], findings: FileFindings, *, shared: bool
) -> Iterator[pl.DataFrame]:
    """Yield the good rows of a file with their exchange time, block by block."""
    names: list[str] | None = None
    for block in blocks_of_lines(text.file.name, text.pieces):
        content, skipped = block, 0
        if names is None:
            content = content.removeprefix(_MARK)
            first = content[: content.index(b"\n")].decode(errors="replace").strip("\r")
            names, has_header = _columns(text.file.name, first, layout)
            if has_header:
                content, skipped = content[content.index(b"\n") + 1 :], 1
        start = findings.lines + 1 + skipped
        findings.lines += block.count(b"\n")
        if content:
            rows = _parse(content, names, start, findings)
            if layout.instrument is not None:
                ours = pl.col(layout.instrument).is_in(list(instruments))
                if not shared:
                    _set_aside(rows.filter(~ours).with_columns(_refused=pl.lit(0)), names, [_FOREIGN], findings)
                rows = rows.filter(ours)
            yield _good(rows, layout, text.file, findings)


def _columns(name: str, first: str, layout: TableLayout) -> tuple[list[str], bool]:
    """Return the columns of a file, and whether its first line names them."""
    fields = [each.strip() for each in next(csv.reader([first]), [])]
    known = [*layout.columns, *layout.optional]
    if set(layout.columns) <= set(fields) and len(set(fields)) == len(fields):
        return fields, True
    if not set(known) & set(fields) and len(layout.columns) <= len(fields) <= len(known):
        return known[: len(fields)], False
    shown = first if len(first) <= _SHOWN else f"{first[:_SHOWN]}…"
    raise ImportSourceError(
        f"The first line of {name}, {shown!r}, has not the columns {', '.join(layout.columns)}.",
        code="unknown_columns",
        hint="Nothing of it was taken over. The archive may have changed its files: look for a newer version.",
    )


def _parse(content: bytes, names: list[str], start: int, findings: FileFindings) -> pl.DataFrame:
    """Return the rows of a block as text; lines of another shape are put aside."""
    try:
        rows = _read_csv(content, names)
        if rows.height == content.count(b"\n") and not any(rows[name].has_nulls() for name in names):
            return rows.with_row_index(_LINE, start).with_columns(pl.col(_LINE).cast(pl.Int64))
    except (pl.exceptions.PolarsError, UnicodeDecodeError):
        pass
    numbers, good = [], []
    for number, line in enumerate(content.split(b"\n")[:-1], start):
        if not line.strip():
            continue
        fields = _split(line)
        if fields is not None and len(fields) == len(names):
            numbers.append(number)
            good.append(fields)
        else:
            reason = f"the line is not UTF-8 text of {len(names)} fields"
            findings.quarantine.add(number, None, "malformed", reason, line)
    columns = {name: [row[place] for row in good] for place, name in enumerate(names)}
    return pl.DataFrame({_LINE: numbers, **columns}, schema={_LINE: pl.Int64, **dict.fromkeys(names, pl.String)})


def _read_csv(content: bytes, names: list[str]) -> pl.DataFrame:
    rows = pl.read_csv(
        BytesIO(content), has_header=False, new_columns=names, infer_schema=False, empty_string_is_null=False
    )
    last = names[-1]
    return rows.with_columns(pl.col(last).str.strip_chars_end("\r")) if b"\r" in content else rows


def _split(line: bytes) -> list[str] | None:
    try:
        return next(csv.reader([line.decode().rstrip("\r")]), None)
    except (UnicodeDecodeError, csv.Error):
        return None


def _good(
    rows: pl.DataFrame,
    layout: TableLayout,
    file: ArchiveFile,
    findings: FileFindings,
) -> pl.DataFrame:
    """Return the rows that pass all checks, and those left out by rule; put others aside."""
    moment = layout.time
    outside = ~moment.is_between(file.begin - file.slack, file.end + file.slack, closed="left")
    checks = [
        Check("bad_time", "the time cannot be read, or is not between 2009 and 2100", time_of(moment).is_null()),
        *layout.checks,
        Check("other_day", "the time is not within those that the file is of", outside),
    ]
    failed = pl.coalesce(pl.when(check.fails).then(pl.lit(place)) for place, check in enumerate(checks))
    judged = rows.with_columns(failed.cast(pl.Int32).alias("_refused"), time_of(moment).alias(_TIME))
    refused = judged.filter(pl.col("_refused").is_not_null())
    if refused.height:
        _set_aside(refused, rows.columns[1:], checks, findings)
    by_rule = pl.col("_refused").is_in([place for place, check in enumerate(checks) if check.by_rule])
    kept = judged.filter(pl.col("_refused").is_null() | by_rule)
    return kept.with_columns(pl.col("_refused").is_not_null().alias(_BY_RULE))


def _set_aside(refused: pl.DataFrame, names: Sequence[str], checks: Sequence[Check], findings: FileFindings) -> None:
    """Keep rows that were refused by the check at the place `_refused`."""
    texts = refused.select(pl.concat_str(names, separator=",", ignore_nulls=True)).to_series()
    for line, place, text in zip(refused[_LINE], refused["_refused"], texts, strict=True):
        findings.quarantine.add(line, None, checks[place].code, checks[place].reason, text.encode())


def _by_instrument(
    rows: pl.DataFrame, layout: TableLayout, instruments: Mapping[str, Symbol]
) -> Iterator[tuple[tuple[str, Symbol], pl.DataFrame]]:
    if layout.instrument is None:
        ((native, symbol),) = instruments.items()
        yield (native, symbol), rows
        return
    for (native,), own in rows.partition_by(layout.instrument, as_dict=True, maintain_order=True).items():
        yield (str(native), instruments[str(native)]), own


def _ticks(rows: pl.DataFrame, layout: TableLayout, stream: Stream, contract: Contract | None) -> pl.DataFrame:
    present = layout.present.get(stream)
    wanted = rows if present is None else rows.filter(present)
    ticks = wanted.select(
        _TIME,
        _BY_RULE,
        *(value.alias(name) for name, value in layout.streams[stream].items()),
        *(place.alias(_PLACE.format(number)) for number, place in enumerate(layout.order)),
    )
    if layout.contracts and contract is not None:
        ticks = ticks.with_columns(contract.base_column(pl.col("amount"), pl.col("price")).alias("amount"))
    return ticks


def _finish(stream: Stream, rows: pl.DataFrame, layout: TableLayout) -> pl.DataFrame:
    """Return the ticks of a day in the venue's order, each event once."""
    places = [_PLACE.format(number) for number in range(len(layout.order))]
    values = [name for name in rows.columns if name not in {*places, _FILE}]
    once = rows.unique(list(layout.once) or values, keep="first", maintain_order=True)
    if places:
        return once.sort(*places, maintain_order=True).select(values)
    if "sequence" not in values:
        return once.sort(_TIME, maintain_order=True).select(values)
    counted = complete(stream, once.select(values))
    return counted.with_columns(counts_of(counted)).sort("count", "sequence", maintain_order=True).select(values)
