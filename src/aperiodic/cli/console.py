"""Terminal output: results on stdout, progress and errors on stderr."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["errors", "out", "steps"]

_WIDTH_OF_A_FILE = 200

# Tables that go to a file or a pipe must not be cut to the width of a terminal that is not there.
out = Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_FILE)
errors = Console(stderr=True)


@contextmanager
def steps() -> Iterator[Callable[[str, int, int], None]]:
    """Show one progress bar a step; yields a function to call with (step, done, total)."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), MofNCompleteColumn())
    progress = Progress(*columns, TimeRemainingColumn(), console=errors)
    bars = {}

    def report(step: str, done: int, total: int) -> None:
        if step not in bars and total:
            progress.start()
            bars[step] = progress.add_task(step, total=total)
        if step in bars:
            progress.update(bars[step], completed=done, total=total)

    try:
        yield report
    finally:
        progress.stop()
