"""The command: measures the rows, one after the other, and prints them as a table."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from datetime import UTC, datetime
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import gettempdir
from traceback import print_exc
from typing import Final

import psutil
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.inputs import FULL, QUICK, Inputs
from benchmarks.rows import ROWS, Result, Row

__all__ = ["main"]

_LEAST_PAIRS: Final = 5
_PACKAGES: Final = ("polars", "numba", "numpy", "duckdb", "pandas", "litestar", "fastapi", "uvicorn")
_WIDTH: Final = 200


def main() -> int:
    """Run the rows that were asked for; 1 when one of them crashed, whether or not goals are met."""
    arguments = _arguments()
    console = Console(width=_WIDTH if arguments.markdown or not sys.stdout.isatty() else None)
    rows = [row for row in ROWS if any(fnmatch(row.name, pattern) for pattern in arguments.rows)]
    if not rows:
        console.print(
            f"No row is called {' or '.join(arguments.rows)}; there are {', '.join(row.name for row in ROWS)}."
        )
        return 1
    inputs = Inputs(arguments.data.resolve(), QUICK if arguments.quick else FULL, arguments.pairs)
    inputs.make()
    console.print(_machine(inputs), highlight=False, markup=False)
    results = {}
    for row in rows:
        print(f"{row.name} …", file=sys.stderr, flush=True)
        try:
            results[row] = row.measure(inputs)
        except Exception:  # noqa: BLE001 - a row that crashes is told of, and the others still run
            print_exc()
    console.print(_table(rows, results, markdown=arguments.markdown))
    console.print(f"Load average after it: {_load()}", highlight=False)
    return 0 if len(results) == len(rows) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure speed and memory, side by side with peers.")
    parser.add_argument(
        "--rows", nargs="+", default=["*"], metavar="PATTERN", help="rows to run, by name, for example 'trades-*'"
    )
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK:,} trades instead of {FULL:,}, and so on: a smoke run"
    )
    parser.add_argument("--pairs", type=_pairs, default=11, help=f"interleaved pairs a row, at least {_LEAST_PAIRS}")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(gettempdir()) / "aperiodic-benchmarks",
        help="folder that keeps generated inputs (default: %(default)s)",
    )
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    return parser.parse_args()


def _pairs(text: str) -> int:
    pairs = int(text)
    if pairs < _LEAST_PAIRS:
        raise argparse.ArgumentTypeError(f"at least {_LEAST_PAIRS}")
    return pairs


def _machine(inputs: Inputs) -> str:
    versions = [f"{package} {found}" for package in _PACKAGES if (found := _version(package)) is not None]
    memory = psutil.virtual_memory().total / 2**30
    return "\n".join(
        (
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_cpu()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}",
            f"Python {platform.python_version()}, {', '.join(versions)}",
            f"{inputs.trades:,} trades, {inputs.quotes:,} quotes, {inputs.snapshots:,} books, {inputs.pairs} pairs a row, load average before it: {_load()}",
        )
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _load() -> str:
    return ", ".join(f"{load:.1f}" for load in os.getloadavg())


def _table(rows: list[Row], results: dict[Row, Result], *, markdown: bool) -> Table:
    table = Table(
        "Row",
        "What",
        "Figure",
        "Goal",
        "Stretch",
        "Met",
        "Ours : reference",
        box=box.MARKDOWN if markdown else box.SIMPLE,
    )
    for row in rows:
        bound = "≥" if row.more_is_better else "≤"
        result = results.get(row, Result(None, "crashed"))
        table.add_row(
            row.name,
            row.what,
            "-" if result.figure is None else f"{_number(result.figure)} {row.unit}",
            f"{bound} {row.goal:g} {row.unit}",
            "" if row.stretch is None else f"{bound} {row.stretch:g} {row.unit}",
            _verdict(row, result.figure),
            result.detail,
        )
    return table


def _number(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.2f}"


def _verdict(row: Row, figure: float | None) -> str:
    if figure is None:
        return "not measured"
    if not row.reaches(figure, row.goal):
        return "no"
    return "stretch" if row.stretch is not None and row.reaches(figure, row.stretch) else "yes"
