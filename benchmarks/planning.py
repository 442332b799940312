"""Measure how long it takes to plan a day of many instruments: `.venv/bin/python benchmarks/planning.py`.

The ledger has ticks of three streams up to a day of a month, the ledger and the store (a local folder) the bars of all days
but that one: planning reads what there is of the month, compares digests, looks whether the store holds the bars whole, and finds
the tasks of the last day.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from contextlib import ExitStack, closing
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert, text

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from aperiodic.engine.plan import Selection, plan_days
from aperiodic.engine.plan_reading import DaysReader
from aperiodic.lake import Lake, ObjectKey, Settings
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.schema import objects
from aperiodic.market import DAY_US, Exchange, Source, Stream, Symbol
from aperiodic.market.time import day_start_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_EXCHANGE: Final = Exchange.BINANCE_FUTURES
_FIRST: Final = date(2026, 10, 1)
_STREAMS: Final = (Stream.TRADES, Stream.QUOTES, Stream.BOOK)
_SIZE: Final = 1_000
_ROWS_AT_ONCE: Final = 1_000


def _row(key: ObjectKey, day: date, sha256: str, fingerprint: str) -> dict[str, Any]:
    begin = day_start_us(day)
    names = ("kind", "dataset", "exchange", "symbol", "clock", "interval", "period")
    bounds = {"first_exchange": begin, "last_exchange": begin + DAY_US - 1}
    arrived = {"first_local": begin + 5_000, "last_local": begin + DAY_US + 5_000}
    made = {"source": Source.RECORDING, "reason": "made to measure", "created_at": begin, "is_current": True}
    what = {"path": key.path(sha256), "revision": 1, "size": _SIZE, "rows": 1_000, "sha256": sha256}
    return {name: getattr(key, name) for name in names} | bounds | arrived | made | what | {"fingerprint": fingerprint}


def _enter(lake: Lake, rows: Sequence[dict[str, Any]]) -> None:
    with begin_write(lake.engine) as connection:
        for begin in range(0, len(rows), _ROWS_AT_ONCE):
            connection.execute(insert(objects), rows[begin : begin + _ROWS_AT_ONCE])


def fill(lake: Lake, home: Path, symbols: Iterable[Symbol], last: date) -> None:
    """Enter ticks of all days, and bars of all but the last, which the store has too."""
    days = [_FIRST + timedelta(days=number) for number in range(last.day)]
    for number, symbol in enumerate(symbols):
        _enter(
            lake,
            [
                _row(ObjectKey.ticks(stream, _EXCHANGE, symbol, day), day, f"{number:032d}{day.day:032d}", "")
                for day in days
                for stream in _STREAMS
            ],
        )
        rows = [
            _row(
                ObjectKey.day_bars(task.family, _EXCHANGE, symbol, task.day),
                task.day,
                task.fingerprint,
                task.fingerprint,
            )
            for task, _ in plan_days(lake, _EXCHANGE, symbol, Selection(end=last)).tasks
            if task.day != last
        ]
        _enter(lake, rows)
        for row in rows:
            file = home / "store" / row["path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as made:
                made.truncate(_SIZE)


def measure(name: str, lake: Lake, symbols: Sequence[Symbol], last: date) -> None:
    """Plan the last day, and print how long that took."""
    day = Selection(start=last, end=last)
    began, worked, found = time.perf_counter(), time.process_time(), 0
    reader = DaysReader(lake, day.days, [(_EXCHANGE, str(symbol)) for symbol in symbols])
    for symbol in symbols:
        found += len(plan_days(lake, _EXCHANGE, symbol, day, reader=reader).tasks)
    took, worked = time.perf_counter() - began, time.process_time() - worked
    print(
        f"{name}: day {last.day} of a month of {len(symbols):,} instruments planned in {took:.2f} s, {worked:.2f} s of it our processor time;"
        f" {found:,} tasks"
    )


def main() -> None:
    """Fill and measure."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--instruments", type=int, default=2_000)
    asked.add_argument("--day", type=int, default=31, help="of the month, which has no days after it")
    asked.add_argument("--on", choices=("sqlite", "postgresql", "both"), default="both")
    given = asked.parse_args()
    last = _FIRST.replace(day=given.day)
    symbols = [Symbol.parse(f"perpetual-C{number:05d}-USDT:USDT") for number in range(given.instruments)]
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}", flush=True)
    for name in ("sqlite", "postgresql") if given.on == "both" else (given.on,):
        with ExitStack() as ending:
            home, ledger = Path(ending.enter_context(TemporaryDirectory())), None
            if name == "postgresql":
                from tests.postgres import postgres_server  # noqa: PLC0415 - only here

                ledger = ending.enter_context(postgres_server()).new_database()
            lake = ending.enter_context(closing(Lake.open(Settings(home=home, ledger=ledger))))
            fill(lake, home, symbols, last)
            with lake.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("ANALYZE objects"))
            for _ in range(3):
                measure(name, lake, symbols, last)


if __name__ == "__main__":
    main()
