"""`aperiodic import recording` and `aperiodic import tardis`."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from aperiodic.cli.console import errors, out
from aperiodic.cli.installation import open_lake
from aperiodic.cli.parameters import ExchangeName
from aperiodic.engine.importing import FileReport, import_recordings, import_tardis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aperiodic.engine.importing import Progress as FileProgress

__all__ = ["app"]

app = App(name="import", help="Read recorded or bought files into ticks.")


@app.command
def recording(*paths: Path, exchange: ExchangeName, again: bool = False) -> None:
    """Import verbatim recordings: `<receive time in µs or ns> <raw JSON>` lines, plain, gzip or zstd.

    Importing the same file twice changes nothing, and overlapping files merge without duplicates. Lines that cannot
    be used are kept in quarantine, counted, and do not stop the import.

    Args:
        paths: Files, in any order.
        exchange: Venue that the frames came from.
        again: Read files once more that have been imported already.
    """
    with open_lake() as lake, _file_bars() as progress:
        reports = import_recordings(lake, exchange, list(paths), progress=progress, again=again)
    _show(reports)


@app.command
def tardis(*paths: Path, again: bool = False) -> None:
    """Import Tardis CSV files (.csv, .csv.gz): trades, quotes, book_snapshot_25, book_snapshot_5, derivative_ticker.

    Args:
        paths: Files, in any order; exchange and symbol are in their rows.
        again: Read files once more that have been imported already.
    """
    with open_lake() as lake, _file_bars() as progress:
        reports = import_tardis(lake, list(paths), progress=progress, again=again)
    _show(reports)


@contextmanager
def _file_bars() -> Iterator[Callable[[FileProgress], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors) as progress:
        bars = {}

        def report(state: FileProgress) -> None:
            if state.name not in bars:
                bars[state.name] = progress.add_task(escape(state.name), total=state.total)
            progress.update(bars[state.name], completed=state.done)

        yield report


def _show(reports: list[FileReport]) -> None:
    for report in reports:
        out.print(f"[bold]{escape(report.name)}[/]: {_summary(report)}", highlight=False)
        for gap in report.gaps:
            out.print(
                f"  gap in {gap.symbol} {gap.stream}: {gap.after_sequence} to {gap.before_sequence} ({gap.cause})",
                highlight=False,
            )
    if any(not report.already_imported for report in reports):
        out.print("Next: aperiodic build")


def _summary(report: FileReport) -> str:
    if report.already_imported:
        return "imported before, nothing to do"
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
