"""Terminal output: results on stdout, progress and errors on stderr."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from aperiodic.cli.errors import BROKEN_PIPE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aperiodic.engine.importing import Progress as FileProgress

__all__ = ["PlainProgress", "bytes_read", "errors", "out", "print_line", "steps"]

_WIDTH_OF_A_FILE: Final = 200
_SHARE: Final = 10
_PATIENCE_S: Final = 30.0


class _Console(Console):
    """As rich's, with the exit code of a command whose reader went away."""

    def on_broken_pipe(self) -> None:
        """End the command; rich would end it with 1."""
        try:
            super().on_broken_pipe()
        except SystemExit:
            raise SystemExit(BROKEN_PIPE) from None


# Tables that go to a file or a pipe must not be cut to the width of a terminal that is not there.
out = _Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_FILE)
errors = _Console(stderr=True)


def print_line(text: str) -> None:
    """Print one line of a result as it is, however long."""
    out.print(text, highlight=False, markup=False, soft_wrap=True)


class PlainProgress:
    """Progress as lines, for logs and pipes: a line at the start, at every tenth, at the end, and every 30 s."""

    def __init__(
        self, write: Callable[[str], object] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepare.

        Args:
            write: Takes a line without its line break; by default it goes to standard error.
            clock: Tells the time, seconds.
        """
        self._write = write or (lambda line: errors.print(line, highlight=False, markup=False, soft_wrap=True))
        self._clock = clock
        self._told: dict[str, tuple[int, float]] = {}

    def tell(self, step: str, done: int, total: int) -> None:
        """Say how far a step is, if there is something new to say."""
        if not total:
            return
        tenth, now = done * _SHARE // total, self._clock()
        before = self._told.get(step)
        if before is None or tenth > before[0] or now - before[1] >= _PATIENCE_S:
            self._told[step] = (tenth, now)
            self._write(f"{step}: {done:,} of {total:,} ({done * 100 // total} %)")


@contextmanager
def steps() -> Iterator[Callable[[str, int, int], None]]:
    """Show one progress bar a step, or lines where there is no terminal; yields what to call with (step, done, total)."""
    if not errors.is_terminal:
        yield PlainProgress().tell
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), MofNCompleteColumn())
    progress = Progress(*columns, TimeRemainingColumn(), console=errors)
    bars = {}

    def report(step: str, done: int, total: int) -> None:
        if step not in bars and total:
            progress.start()
            bars[step] = progress.add_task(escape(step), total=total)
        if step in bars:
            progress.update(bars[step], completed=done, total=total)

    try:
        yield report
    finally:
        progress.stop()


@contextmanager
def bytes_read() -> Iterator[Callable[[FileProgress], None]]:
    """Show how far the file at work is read: one bar that vanishes at its end, or lines where there is no terminal."""
    if not errors.is_terminal:
        plain = PlainProgress()
        yield lambda state: plain.tell(state.name, state.done, state.total) if state.total > _LARGE else None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    # Without a redirect, results still go to standard output when only standard error is a terminal.
    progress = Progress(*columns, console=errors, transient=True, redirect_stdout=False, redirect_stderr=False)
    bar = progress.add_task("", total=None)
    shown = ""

    def report(state: FileProgress) -> None:
        nonlocal shown
        if state.name != shown:
            shown = state.name
            progress.reset(bar, description=escape(state.name), total=state.total)
            progress.start()
        progress.update(bar, completed=state.done)
        if state.done >= state.total:
            progress.stop()
            shown = ""

    try:
        yield report
    finally:
        progress.stop()


_LARGE: Final = 64 << 20
"""Bytes from which on the reading of a file is told in lines; smaller ones are done before one has read the line."""
