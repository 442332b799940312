"""Compiling the kernels ahead of their use: a fresh installation would otherwise do so in every worker at once."""

from __future__ import annotations

from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING

from aperiodic.catalog import DATASETS
from aperiodic.engine.examples import example_bars
from aperiodic.venues import Levels
from aperiodic.venues.book import Book, Changes, LevelReader

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["compile_kernels", "compiling"]


def compile_kernels() -> None:
    """Compute one small example of every dataset and keep a small book; what that compiles stays on disk and is found by later processes."""
    for dataset in DATASETS.values():
        example_bars(dataset)
    Book(Levels([(1.0, 1.0)], [])).apply(Changes.of([(1.0, 2.0)], []))
    LevelReader(b"", b",").read(b"[],[]")


@contextmanager
def compiling() -> Iterator[None]:
    """Compile in a process of its own while something else is done; wait for it at the end.

    It only saves time: if the process fails, whoever needs a kernel compiles it.
    """
    process = get_context("spawn").Process(target=compile_kernels, daemon=True)
    process.start()
    try:
        yield
        process.join()
    finally:
        process.terminate()
        process.join()
        process.close()
