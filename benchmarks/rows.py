"""The rows of the table: what is measured, how, and what is aimed at. A new figure is one more row."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from aperiodic.engine.executors.processes import workers_environment
from benchmarks import family_bars, mapping, peers, receiving, service_load, serving, trade_bars, whole_builds
from benchmarks.measure import Pairs, in_fresh_process, processor_seconds, timed_pairs
from benchmarks.quoted import DAYS, make_book, make_days, make_quotes

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.inputs import Inputs

__all__ = ["ROWS", "Result", "Row"]

_ROOT: Final = Path(__file__).resolve().parents[1]
_CAPTURED: Final = 100_000
_WORKERS: Final = 2
_SETTLED: Final = 3
"""Days after which a worker has allocated what a day takes."""


@dataclass(frozen=True, slots=True)
class Result:
    """A figure and what it was made of.

    Attributes:
        figure: In the row's unit; None when it could not be measured here.
        detail: Medians of the two sides, or why there is no figure.
    """

    figure: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        name: Selects the row.
        what: What is measured, against what.
        unit: Of figure, goal and stretch.
        goal: What the figure should reach.
        stretch: What it had better reach; None where none is set.
        measure: Takes the figure.
        more_is_better: Whether goals are lower bounds.
    """

    name: str
    what: str
    unit: str
    goal: float
    stretch: float | None
    measure: Callable[[Inputs], Result]
    more_is_better: bool = False

    def reaches(self, figure: float, goal: float) -> bool:
        """Whether a figure reaches a goal."""
        return figure >= goal if self.more_is_better else figure <= goal


def _all_over_scan(inputs: Inputs) -> Result:
    pairs = _trades_and_scan(inputs)[0]
    return Result(pairs.cost, _milliseconds(pairs))


def _flow_over_scan(inputs: Inputs) -> Result:
    pairs = _trades_and_scan(inputs)[1]
    return Result(pairs.cost, _milliseconds(pairs))


@cache
def _trades_and_scan(inputs: Inputs) -> tuple[Pairs, Pairs]:
    return in_fresh_process(trade_bars.compared_with_scan, inputs)


def _memory(inputs: Inputs) -> Result:
    peaks = [in_fresh_process(trade_bars.memory_of_all_bars, inputs) for _ in range(inputs.pairs)]
    after, before = (median(figures) for figures in zip(*peaks, strict=True))
    return Result(after, f"whole process; {after - before:,.0f} MB more than after the imports")


def _all_over_duckdb(inputs: Inputs) -> Result:
    pairs = in_fresh_process(peers.all_against_duckdb_flow, inputs)
    return Result(pairs.gain, _milliseconds(pairs))


def _both_clocks(inputs: Inputs) -> Result:
    pairs = in_fresh_process(trade_bars.both_clocks_and_one, inputs)
    return Result(pairs.cost, _milliseconds(pairs))


def _ohlcv_over_duckdb(inputs: Inputs) -> Result:
    pairs = in_fresh_process(peers.ohlcv_against_duckdb, inputs)
    return Result(pairs.gain, _milliseconds(pairs))


def _ohlcv_over_pandas(inputs: Inputs) -> Result:
    if not peers.installed("pandas"):
        return Result(None, "pandas is not installed")
    pairs = in_fresh_process(peers.ohlcv_against_pandas, inputs)
    return Result(pairs.gain, _milliseconds(pairs))


def _slippage_over_decode(inputs: Inputs) -> Result:
    pairs = in_fresh_process(family_bars.slippage_and_decode, inputs, make_quotes(inputs))
    return Result(pairs.cost, _milliseconds(pairs))


def _quotes_over_scan(inputs: Inputs) -> Result:
    pairs = in_fresh_process(family_bars.quotes_and_scan, inputs, make_quotes(inputs))
    return Result(pairs.cost, _milliseconds(pairs))


def _book_over_scan(inputs: Inputs) -> Result:
    pairs = in_fresh_process(family_bars.book_and_scan, inputs, make_book(inputs))
    return Result(pairs.cost, _milliseconds(pairs))


def _memory_of_days(inputs: Inputs) -> Result:
    days = make_days(inputs)
    with workers_environment():
        peaks = in_fresh_process(family_bars.peaks_of_days, inputs, days)
    last, settled = peaks[-1], peaks[_SETTLED - 1]
    return Result(last / settled, f"{last:,.0f} MB : {settled:,.0f} MB")


def _cold_start(inputs: Inputs) -> Result:
    def run(*arguments: str) -> None:
        subprocess.run([sys.executable, *arguments], cwd=_ROOT, check=True)

    pairs = timed_pairs(lambda: run("-m", "benchmarks.worker"), lambda: run("-c", "import polars"), inputs.pairs)
    return Result(pairs.excess, _milliseconds(pairs))


def _day(inputs: Inputs) -> Result:
    works, _ = _days(inputs)
    return Result(median(works), f"{min(works):.2f} to {max(works):.2f} s")


def _nothing_to_do(inputs: Inputs) -> Result:
    _, nothing = _days(inputs)
    return Result(median(nothing), f"{min(nothing):.2f} to {max(nothing):.2f} s")


@cache
def _days(inputs: Inputs) -> tuple[list[float], list[float]]:
    return in_fresh_process(whole_builds.build_days, inputs)


def _month(inputs: Inputs) -> Result:
    took, ticks = in_fresh_process(whole_builds.build_month, inputs, _WORKERS)
    return Result(took, f"{ticks:,} ticks, {_WORKERS} workers")


def _data(inputs: Inputs) -> Result:
    rate, objects = in_fresh_process(service_load.highest_rate, inputs.folder)
    return Result(rate, f"{objects:,} objects in the ledger; beside what asks")


def _import(inputs: Inputs) -> Result:
    """Import what a program uses, not only the package, which loads nothing by itself."""
    ours = ("-c", "import aperiodic; aperiodic.Client, aperiodic.get_metrics")
    theirs = ("-c", "import httpx, polars")
    processor_seconds(*ours)
    processor_seconds(*theirs)
    pairs = Pairs.of((processor_seconds(*ours), processor_seconds(*theirs)) for _ in range(inputs.pairs))
    return Result(pairs.cost, _milliseconds(pairs))


def _help(inputs: Inputs) -> Result:
    run = ("-c", "from aperiodic.cli import main; main()", "--help")
    empty = ("-c", "pass")
    processor_seconds(*run)
    pairs = Pairs.of((processor_seconds(*run), processor_seconds(*empty)) for _ in range(inputs.pairs))
    return Result(median(pairs.ours), _milliseconds(pairs))


def _sdk_time(inputs: Inputs) -> Result:
    if not serving.ORIGINAL.exists():
        return Result(None, "the original client is not there: make conformance")
    times, _ = _sdk(inputs)
    return Result(times.gain, _milliseconds(times))


def _sdk_memory(inputs: Inputs) -> Result:
    if not serving.ORIGINAL.exists():
        return Result(None, "the original client is not there: make conformance")
    _, memory = _sdk(inputs)
    return Result(memory.cost, f"{median(memory.ours):,.0f} MB : {median(memory.theirs):,.0f} MB")


@cache
def _sdk(inputs: Inputs) -> tuple[Pairs, Pairs]:
    return in_fresh_process(serving.sdk_against_original, inputs)


def _sdk_many(inputs: Inputs) -> Result:
    if not serving.ORIGINAL.exists():
        return Result(None, "the original client is not there: make conformance")
    pairs = in_fresh_process(serving.many_against_original, inputs)
    return Result(pairs.gain, _milliseconds(pairs))


def _sdk_columns(inputs: Inputs) -> Result:
    pairs, whole = in_fresh_process(serving.two_columns, inputs)
    least, middle, most = (share / 1e6 for share in (min(pairs), median(pairs), max(pairs)))
    return Result(median(pairs) / whole, f"{middle:,.1f} MB ({least:,.1f} to {most:,.1f}) : {whole / 1e6:,.1f} MB")


def _sdk_second_call(inputs: Inputs) -> Result:
    moved, held, anew = in_fresh_process(serving.again, inputs)
    return Result(held, f"{moved:,.0f} bytes moved; {anew:.2f} s once the first frame is let go")


def _links(inputs: Inputs) -> Result:
    if not (peers.installed("fastapi") and peers.installed("uvicorn")):
        rate = median(in_fresh_process(serving.links_alone, inputs))
        return Result(None, f"{rate:,.0f} requests/s; FastAPI and uvicorn are not installed to compare with")
    pairs = in_fresh_process(serving.links_against_fastapi, inputs)
    rates = [f"{1 / median(side):,.0f}" for side in (pairs.ours, pairs.theirs)]
    return Result(pairs.gain, f"{rates[0]} : {rates[1]} requests/s")


def _capture_loop(inputs: Inputs) -> Result:
    return _capture(inputs, whole=False)


def _capture_disk(inputs: Inputs) -> Result:
    return _capture(inputs, whole=True)


def _capture(inputs: Inputs, *, whole: bool) -> Result:
    pairs = in_fresh_process(receiving.capture_against_websockets, _CAPTURED, inputs.pairs, whole=whole)
    rates = [f"{1 / median(side):,.0f}" for side in (pairs.ours, pairs.theirs)]
    return Result(pairs.gain, f"{rates[0]} : {rates[1]} frames/s of 2 KB on one core")


def _depth_frames(inputs: Inputs) -> Result:
    return _frames(*in_fresh_process(mapping.depth_frames, inputs.pairs))


def _all_frames(inputs: Inputs) -> Result:
    return _frames(*in_fresh_process(mapping.all_frames, inputs.pairs))


def _frames(pairs: Pairs, recorded: bool) -> Result:
    ours, plain = (1 / median(side) for side in (pairs.ours, pairs.theirs))
    source = "recorded" if recorded else "made up"
    return Result(ours, f"{pairs.gain:.1f} times {plain:,.0f} frames/s of a plain book; {source} frames")


def _milliseconds(pairs: Pairs) -> str:
    return f"{median(pairs.ours) * 1e3:,.0f} ms : {median(pairs.theirs) * 1e3:,.0f} ms"


ROWS: Final = (
    Row("trades-all", "all trade datasets, 10 intervals, one clock ÷ scan", "x", 3.5, 2.5, _all_over_scan),
    Row("trades-memory", "the same: peak memory of a fresh process", "MB", 700, 400, _memory),
    Row(
        "trades-duckdb",
        "the same: times faster than DuckDB on flow 1m alone",
        "x",
        1,
        3,
        _all_over_duckdb,
        more_is_better=True,
    ),
    Row("trades-clocks", "the same: both clocks from one decode ÷ one clock", "x", 1.5, 1.3, _both_clocks),
    Row("flow", "flow 1m alone ÷ scan", "x", 1.2, 1.05, _flow_over_scan),
    Row(
        "ohlcv-duckdb",
        "ohlcv 1m alone: times faster than DuckDB",
        "x",
        2.5,
        None,
        _ohlcv_over_duckdb,
        more_is_better=True,
    ),
    Row(
        "ohlcv-pandas",
        "ohlcv 1m alone: times faster than pandas",
        "x",
        2.5,
        None,
        _ohlcv_over_pandas,
        more_is_better=True,
    ),
    Row("slippage", "slippage, 10 intervals, one clock ÷ decoding both files", "x", 1.3, 1.1, _slippage_over_decode),
    Row(
        "quotes-all",
        "all quote datasets, 10 intervals, one clock ÷ scan of 5 columns",
        "x",
        1.5,
        1.2,
        _quotes_over_scan,
    ),
    Row("book-all", "all book datasets, 10 intervals, one clock ÷ scan of the file", "x", 3.5, 2, _book_over_scan),
    Row("days-memory", f"a worker's peak memory after {DAYS} days ÷ after {_SETTLED}", "x", 1.1, None, _memory_of_days),
    Row("import", "importing the client with its functions ÷ httpx and polars, processor", "x", 1.2, None, _import),
    Row("help", "aperiodic --help, processor; beside it an empty program", "s", 0.15, None, _help),
    Row("cold-start", "new build worker, less importing Polars", "s", 1, 0.5, _cold_start),
    Row(
        "build-day",
        f"aperiodic build, a day of {whole_builds.SMALL_TICKS:,} ticks, both clocks, all datasets they have; processor",
        "s",
        2,
        1,
        _day,
    ),
    Row("build-nothing", "the same once more, which has nothing to do", "s", 0.6, None, _nothing_to_do),
    Row("build-month", f"aperiodic build, {whole_builds.DAYS} days of trades and quotes", "s", 120, None, _month),
    Row("data", "/data over 12 months, one worker", "requests/s", 2_500, 5_000, _data, more_is_better=True),
    Row(
        "sdk-time",
        "SDK, 24 months of flow 1m: times faster than client 4.3.1",
        "x",
        3,
        4,
        _sdk_time,
        more_is_better=True,
    ),
    Row("sdk-memory", "the same: peak memory ÷ that of client 4.3.1", "x", 0.35, None, _sdk_memory),
    Row(
        "sdk-many",
        "SDK, a year of ohlcv 15m of 50 instruments: times faster than client 4.3.1, one by one",
        "x",
        4,
        None,
        _sdk_many,
        more_is_better=True,
    ),
    Row(
        "sdk-columns",
        "two of 36 columns of a month of flow 1s, the median pair of neighbours: bytes ÷ those of the whole",
        "x",
        0.08,
        None,
        _sdk_columns,
    ),
    Row(
        "sdk-again",
        "SDK, 24 months of flow 1m a second time, while the first frame is there",
        "s",
        0.1,
        None,
        _sdk_second_call,
    ),
    Row(
        "capture-loop",
        "capture of 2 KB frames, the event loop's thread: times the rate of `websockets` that throws them away",
        "x",
        1,
        2,
        _capture_loop,
        more_is_better=True,
    ),
    Row(
        "capture-disk",
        "the same with the thread that compresses, hashes and writes",
        "x",
        1,
        2,
        _capture_disk,
        more_is_better=True,
    ),
    Row(
        "depth-frames",
        "depth updates of 1.6 KB into ticks, decoding included, one core",
        "frames/s",
        25_000,
        60_000,
        _depth_frames,
        more_is_better=True,
    ),
    Row(
        "all-frames",
        "frames of all channels into ticks, one core",
        "frames/s",
        150_000,
        None,
        _all_frames,
        more_is_better=True,
    ),
    Row("links", "links to 12 months: times the rate on FastAPI", "x", 1.3, None, _links, more_is_better=True),
)
