"""Measure how long it takes to plan a day of many instruments: `.venv/bin/python benchmarks/planning.py`.

The ledger has ticks of three streams up to a day of a month, the ledger and the store (a local folder) the bars of all days
but that one: planning reads what there is of the month, compares digests, looks whether the store holds the bars whole, and finds
the tasks of the last day. Ledger and store are made when first needed and kept (`--data`); PostgreSQL gets a copy of the rows.
"""

from __future__ import annotations

import argparse
import platform
import secrets
import sys
import time
from contextlib import ExitStack, closing
from datetime import date, timedelta
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert, select, text

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from aperiodic.catalog import Family
from aperiodic.engine.digests import digest
from aperiodic.engine.fingerprints import bars_digest
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


def filled(folder: Path, symbols: Sequence[Symbol], last: date) -> Path:
    """Return the folder of the installation, after filling it unless a run before has; it is named by what made it, too."""
    engine = digest(map(bars_digest, Family))[:8]
    home = folder / f"planning-{len(symbols)}-{last.day}-{engine}"
    if not home.exists():
        draft = folder / f".draft-{secrets.token_hex(4)}"
        with closing(Lake.open(Settings(home=draft, store=None, ledger=None))) as lake:
            fill(lake, draft, symbols, last)
        draft.rename(home)
    return home


def copy_rows(home: Path, lake: Lake) -> None:
    """Enter all objects of the kept ledger into another."""
    with closing(Lake.open(Settings(home=home, store=None, ledger=None))) as kept, kept.engine.connect() as connection:
        columns = [column for column in objects.c if column is not objects.c.id]
        rows = connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(select(*columns)).mappings()
        with begin_write(lake.engine) as writing:
            for some in rows.partitions():
                writing.execute(insert(objects), [dict(row) for row in some])


def main() -> None:
    """Fill and measure."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--instruments", type=int, default=2_000)
    asked.add_argument("--day", type=int, default=31, help="of the month, which has no days after it")
    asked.add_argument("--on", choices=("sqlite", "postgresql", "both"), default="both")
    asked.add_argument("--times", type=int, default=3, help="how often to plan")
    asked.add_argument(
        "--data",
        type=Path,
        default=Path(gettempdir()) / "aperiodic-benchmarks",
        help="folder that keeps what is planned (default: %(default)s)",
    )
    given = asked.parse_args()
    last = _FIRST.replace(day=given.day)
    symbols = [Symbol.parse(f"perpetual-C{number:05d}-USDT:USDT") for number in range(given.instruments)]
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}", flush=True)
    home = filled(given.data.resolve(), symbols, last)
    for name in ("sqlite", "postgresql") if given.on == "both" else (given.on,):
        with ExitStack() as ending:
            ledger = None
            if name == "postgresql":
                from tests.postgres import postgres_server  # noqa: PLC0415 - only here

                ledger = ending.enter_context(postgres_server()).new_database()
            settings = Settings(home=home, store=None, ledger=ledger)
            lake = ending.enter_context(closing(Lake.open(settings, to_restore=ledger is not None)))
            if ledger is not None:
                copy_rows(home, lake)
            with lake.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("ANALYZE objects"))
            for _ in range(given.times):
                measure(name, lake, symbols, last)


if __name__ == "__main__":
    main()
