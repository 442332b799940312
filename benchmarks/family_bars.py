"""Bars of quotes, order books and slippage, and a worker's days one after the other."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.catalog import Family
from aperiodic.engine.day import DayTask, StreamFiles, compute_day
from aperiodic.engine.families import KERNELS, datasets_of
from aperiodic.engine.fields import dataset_frame
from aperiodic.engine.partials.kernel import DayTicks
from aperiodic.market import DAY_US, Clock, Exchange, Interval, Source, Stream, Symbol
from benchmarks.inputs import FIRST_DAY_US
from benchmarks.measure import Pairs, peak_memory_mb, timed_pairs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aperiodic.lake import Store
    from benchmarks.inputs import Inputs

__all__ = ["book_and_scan", "peaks_of_days", "quotes_and_scan", "slippage_and_decode"]

_VENUE: Final = Exchange.BINANCE_FUTURES
_SYMBOL: Final = Symbol.parse("perpetual-BTC-USDT:USDT")
_CLOCK: Final = Clock.EXCHANGE
_EPOCH: Final = date(1970, 1, 1)


def slippage_and_decode(inputs: Inputs, quotes_path: str) -> Pairs:
    """Time slippage of all intervals against reading the same columns of both files."""
    paths = {Stream.TRADES: inputs.trades_path, Stream.QUOTES: quotes_path}
    return timed_pairs(
        lambda: _bars(inputs, Family.SLIPPAGE, paths), lambda: _decode(inputs, Family.SLIPPAGE, paths), inputs.pairs
    )


def quotes_and_scan(inputs: Inputs, quotes_path: str) -> Pairs:
    """Time all datasets of quotes and all intervals against reading the same columns."""
    paths = {Stream.QUOTES: quotes_path}
    return timed_pairs(
        lambda: _bars(inputs, Family.QUOTES, paths), lambda: _decode(inputs, Family.QUOTES, paths), inputs.pairs
    )


def book_and_scan(inputs: Inputs, book_path: str) -> Pairs:
    """Time all datasets of order books and all intervals against reading the whole file."""
    return timed_pairs(
        lambda: _bars(inputs, Family.BOOK, {Stream.BOOK: book_path}),
        lambda: pl.read_parquet(inputs.folder / book_path),
        inputs.pairs,
    )


def peaks_of_days(inputs: Inputs, paths: Sequence[str]) -> list[float]:
    """Compute days of trades one after the other as a build worker does; return the peak memory after each, MB."""
    peaks = []
    for number, path in enumerate(paths):
        files = {Stream.TRADES: StreamFiles((path,), ())}
        task = DayTask(
            family=Family.TRADES,
            exchange=_VENUE,
            symbol=_SYMBOL,
            day=_EPOCH + timedelta(days=FIRST_DAY_US // DAY_US + number),
            files=dict.fromkeys(Clock, files),
            source=Source.SIMULATED,
            fingerprint="",
        )
        compute_day(inputs.store, task)
        peaks.append(peak_memory_mb())
    return peaks


def _bars(inputs: Inputs, family: Family, paths: Mapping[Stream, str]) -> dict[tuple[str, Interval], pl.DataFrame]:
    day = {stream: _events(inputs.store, family, stream, path) for stream, path in paths.items()}
    kernel = KERNELS[family]
    ticks = DayTicks(
        exchange=_VENUE,
        clock=_CLOCK,
        begin=FIRST_DAY_US,
        day=day,
        before={stream: day[stream].clear() for stream in kernel.looks_back},
    )
    return {
        (dataset.id, interval): dataset_frame(dataset, partials)
        for interval, partials in kernel.bars(ticks).items()
        for dataset in datasets_of(family)
    }


def _events(store: Store, family: Family, stream: Stream, path: str) -> pl.DataFrame:
    """Return the day's events in order of time, as `engine.day` hands them to the kernels."""
    time = pl.col(_CLOCK.column).to_physical().alias("time")
    events = store.read_parquet(path, _columns(family, stream)).select(time, *KERNELS[family].columns[stream])
    if not events["time"].is_sorted():
        events = events.sort("time", maintain_order=True)
    begin, end = (events["time"].search_sorted(bound) for bound in (FIRST_DAY_US, FIRST_DAY_US + DAY_US))
    return events.slice(begin, end - begin)


def _decode(inputs: Inputs, family: Family, paths: Mapping[Stream, str]) -> list[pl.DataFrame]:
    return [pl.read_parquet(inputs.folder / path, columns=_columns(family, stream)) for stream, path in paths.items()]


def _columns(family: Family, stream: Stream) -> list[str]:
    return [_CLOCK.column, *KERNELS[family].columns[stream]]
