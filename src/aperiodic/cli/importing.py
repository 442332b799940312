"""`aperiodic import recording` and `aperiodic import tardis`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cyclopts import App

from aperiodic.cli.console import bytes_read, print_line
from aperiodic.cli.errors import FAILED, say_error
from aperiodic.cli.installation import Begin, open_lake
from aperiodic.cli.parameters import ExchangeName
from aperiodic.engine.errors import ImportSourceError
from aperiodic.engine.importing import FileReport, find_files, import_recordings, import_tardis
from aperiodic.engine.importing.files import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.lake import Lake
    from aperiodic.market import Exchange

__all__ = ["app"]

app = App(name="import", help="Read recorded or bought files into ticks.")

_RECORDINGS: Final = frozenset({"", ".0", ".dat", ".json", ".jsonl", ".log", ".ndjson", ".raw", ".txt"})
_TABLES: Final = frozenset({".csv"})


@app.command
def recording(path: Path, /, *paths: Path, exchange: ExchangeName, again: bool = False) -> None:
    """Import verbatim recordings: `<receive time in ms, µs or ns> <raw JSON>` lines, plain, gzip or zstd.

    Importing the same file twice changes nothing, and overlapping files merge without duplicates. Lines that cannot
    be used are kept in quarantine, counted, and do not stop the import; nor does a file that is refused, but the exit
    code is 1 then.

    Args:
        path: A file, or a folder whose recordings are imported with those of the folders in it.
        paths: More of them, in any order.
        exchange: Venue that the frames came from.
        again: Read files once more that have been imported already. Parts of open days that the store has lost are put
            back from them first.
    """
    with open_lake(Begin.ANYWHERE) as lake, bytes_read() as progress:
        batch = _Batch((path, *paths), _RECORDINGS)
        if again:
            _put_back(lake, exchange, batch.files)
        import_recordings(
            lake,
            exchange,
            batch.files,
            progress=progress,
            finished=batch.finished,
            refused=batch.refused,
            again=again,
        )
    batch.conclude()


@app.command
def tardis(path: Path, /, *paths: Path, again: bool = False) -> None:
    """Import Tardis CSV files (.csv, .csv.gz): trades, quotes, book_snapshot_25, book_snapshot_5, derivative_ticker.

    A file that is refused does not stop the others, but the exit code is 1 then.

    Args:
        path: A file, or a folder whose CSV files are imported with those of the folders in it.
        paths: More of them, in any order; exchange and symbol are in their rows.
        again: Read files once more that have been imported already.
    """
    with open_lake(Begin.ANYWHERE) as lake, bytes_read() as progress:
        batch = _Batch((path, *paths), _TABLES)
        import_tardis(lake, batch.files, progress=progress, finished=batch.finished, refused=batch.refused, again=again)
    batch.conclude()


def _put_back(lake: Lake, exchange: Exchange, files: Sequence[Path]) -> None:
    # Loads what follows recordings, which an import needs for nothing else.
    from aperiodic.engine.normalising.putting_back import lost_parts, put_back, recordings_as_given  # noqa: PLC0415

    if lost := lost_parts(lake, exchange):
        with recordings_as_given(exchange, files) as given:
            done = put_back(lake, lost, [given, lake.home])
        print_line(f"Parts of open days: {len(lost):,} were lost, {len(done):,} are put back.")


class _Batch:
    """Says what becomes of each file as soon as it is known, and at the end whether all went well."""

    def __init__(self, paths: Sequence[Path], suffixes: frozenset[str]) -> None:
        self.files, self._left_out = find_files(paths, suffixes)
        self._imported = self._before = self._refused = self._doubtful = 0
        self._ticks = False
        if self._left_out:
            print_line(f"Left out {self._left_out:,} files of other kinds.")

    def finished(self, report: FileReport) -> None:
        """Take the report of a file that was imported."""
        print_line(f"{report.name}: {_summary(report)}")
        for gap in report.gaps:
            first, last = gap.after_sequence + 1, gap.before_sequence
            print_line(f"  gap in {gap.symbol} {gap.stream}: {first} to {last} ({gap.cause})")
        if report.already_imported:
            self._before += 1
            return
        self._imported += 1
        self._ticks |= bool(report.ticks)
        if report.unusable or report.cut_short:
            self._doubtful += 1
            say_error(_doubt(report), heading="warning")

    def refused(self, path: Path, error: ImportSourceError) -> None:
        """Take a file that was refused."""
        self._refused += 1
        where = printable(str(path))
        known = where in error.message or printable(path.name) in error.message
        message = error.message if known else f"{where}: {error.message}"
        say_error(ImportSourceError(message, code=error.code, hint=error.hint), heading="refused")

    def conclude(self) -> None:
        """Print the sums.

        Raises:
            SystemExit: A file was refused, ends early, or has nothing of this venue.
        """
        if len(self.files) > 1 or self._refused:
            print_line(
                f"Imported {self._imported:,} files; imported before {self._before:,}; refused {self._refused:,}."
            )
        if self._ticks:
            print_line("Next: aperiodic build")
        if self._refused or self._doubtful:
            raise SystemExit(FAILED)


def _doubt(report: FileReport) -> ImportSourceError:
    if report.unusable:
        return ImportSourceError(
            f"{report.name}: not one of its {report.lines:,} lines became a tick.",
            code="nothing_usable",
            hint=f"Check --exchange, and see what the lines are: aperiodic quarantine show {shlex.quote(report.name)}",
        )
    return ImportSourceError(
        f"{report.name} ends early or breaks off; what came before is imported.",
        code="cut_short",
        hint="Fetch it again and import it as well: what is there already is not doubled.",
    )


def _summary(report: FileReport) -> str:
    if report.already_imported:
        return "imported before, nothing to do"
    if not report.lines:
        return "0 lines: the file is empty"
    if report.exchange is None:
        return "0 rows: there is only a header"
    parts = [f"{report.lines:,} lines", _counts("ticks", report.ticks)]
    parts += [
        _counts(title, counts)
        for title, counts in (
            ("rejected", report.rejected),
            ("ignored", report.ignored),
            ("duplicates", report.duplicates),
            ("late", report.late),
        )
        if counts
    ]
    if report.notes:
        parts.append("notes: " + ", ".join(report.notes))
    return "; ".join(parts)


def _counts(title: str, counts: dict[str, int]) -> str:
    return f"{title}: " + (", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none")
