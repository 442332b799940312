"""`aperiodic build` as a command, from ticks to published files: a small day, nothing to do, and a large month."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from compileall import compile_dir
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import polars as pl
from tests.lakes import put_ticks

import aperiodic
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.market import Clock, Stream
from benchmarks.inputs import SEED
from benchmarks.installation import SYMBOL, VENUE, make_once
from benchmarks.measure import processor_seconds
from benchmarks.quoted import make_book, make_quotes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.inputs import Inputs

__all__ = ["DAYS", "SMALL_TICKS", "build_days", "build_month"]

DAYS: Final = 31
SMALL_TICKS: Final = 93_000
"""Ticks of the small day, about: trades, four times as many quotes, and a book for ten trades."""

_TRADES_OF_ALL: Final = 5.1
_OF_TWENTY: Final = 13
"""So many of twenty quotes of the large days are taken: 2.6 for a trade."""
_LARGE: Final = 5
"""A large day has one of so many trades of the day that the kernels are measured on."""
_VERSION: Final = 1
_BUILD: Final = ("-c", "from aperiodic.cli import main; main()", "build")


def build_days(inputs: Inputs) -> tuple[list[float], list[float]]:
    """Return how long the processor works on the build of a small day, and on the one after it, which has nothing to do, s."""
    home = make_once(inputs, f"ticks-of-a-day-{SMALL_TICKS}-seed{SEED}-v{_VERSION}", partial(_put_day, inputs))
    compile_dir(Path(aperiodic.__file__).parent, quiet=1)  # as those of an installation are
    with _copied(home) as copy, _installation(copy):
        processor_seconds(*_BUILD)  # loads kernels, which are compiled the first time
    works, nothing = [], []
    for _ in range(inputs.pairs):
        with _copied(home) as copy, _installation(copy):
            works.append(processor_seconds(*_BUILD))
            nothing.append(processor_seconds(*_BUILD))
    return works, nothing


def build_month(inputs: Inputs, workers: int) -> tuple[float, int]:
    """Return how long the build of a month of large days takes, s, and how many ticks it has."""
    home = make_once(inputs, f"ticks-of-a-month-{inputs.trades}-seed{SEED}-v{_VERSION}", partial(_put_month, inputs))
    with _copied(home) as copy, _installation(copy):
        with closing(Lake.open(Settings(home=copy))) as lake:
            ticks = sum(record.rows for record in lake.current(ObjectKind.TICKS))
        began = time.perf_counter()
        subprocess.run([sys.executable, *_BUILD, "--workers", str(workers)], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began, ticks


def _put_day(inputs: Inputs, lake: Lake) -> None:
    small = replace(inputs, trades=round(SMALL_TICKS / _TRADES_OF_ALL))
    small.make()
    paths = {Stream.TRADES: small.trades_path, Stream.QUOTES: make_quotes(small), Stream.BOOK: make_book(small)}
    for stream, path in paths.items():
        put_ticks(lake, stream, inputs.store.read_parquet(path), exchange=VENUE, symbol=SYMBOL)


def _put_month(inputs: Inputs, lake: Lake) -> None:
    """The same day again and again."""
    large = replace(inputs, trades=inputs.trades // _LARGE)
    large.make()
    trades, quotes = (inputs.store.read_parquet(path) for path in (large.trades_path, make_quotes(large)))
    quotes = quotes.filter(pl.int_range(pl.len()) % 20 < _OF_TWENTY)
    for number in range(DAYS):
        later = [pl.col(clock.column) + timedelta(days=number) for clock in Clock]
        for stream, ticks in ((Stream.TRADES, trades), (Stream.QUOTES, quotes)):
            put_ticks(lake, stream, ticks.with_columns(later), exchange=VENUE, symbol=SYMBOL)


@contextmanager
def _copied(home: Path) -> Iterator[Path]:
    """Yield a copy of an installation; of its objects, which nobody changes, one more name."""
    with TemporaryDirectory(dir=home.parent, prefix=".copy-") as folder:
        copy = Path(folder) / "home"
        shutil.copytree(home, copy, ignore=lambda at, _names: ["store"] if Path(at) == home else [])
        shutil.copytree(home / "store", copy / "store", copy_function=os.link)
        yield copy


@contextmanager
def _installation(home: Path) -> Iterator[None]:
    """Let commands work on an installation, whatever the environment says."""
    before = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("APERIODIC_")}
    os.environ["APERIODIC_HOME"] = str(home)
    try:
        yield
    finally:
        del os.environ["APERIODIC_HOME"]
        os.environ.update(before)
