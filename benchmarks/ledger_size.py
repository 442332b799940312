"""Measure what the ledger is asked at size: made by INSERT … SELECT, in SQLite and in PostgreSQL.

Of `--objects` rows, a twentieth are revisions that gave way. Rows are of instruments with `--years` years of bars (19
datasets, both clocks, ten intervals) and days of ticks, so that there are about 24,000 objects an instrument in five years.
"""

from __future__ import annotations

import argparse
import platform
import resource
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import event, func, select, text
from sqlalchemy.schema import CreateIndex

from aperiodic.catalog import DATASETS
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.lake.objects import Series, current_objects, read_periods, superseded_before
from aperiodic.lake.pruning import count_prunable, prune_history
from aperiodic.lake.schema import objects
from aperiodic.lake.tick_files import ticks_around
from aperiodic.market import Clock, Exchange, Interval, Stream
from aperiodic.market.time import day_start_us, now_us
from aperiodic.server.queries.published import judge_months, published_symbols
from aperiodic.server.site.catalog_state import read_newest
from aperiodic.server.site.incidents import read_revisions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine

_EXCHANGE: Final = Exchange.BINANCE_FUTURES
_LAST: Final = date(2026, 10, 31)
_STREAMS: Final = ("trades", "quotes", "book")
_INTERVALS: Final = tuple(map(str, list(Interval)[:10]))
_WEIGHTS: Final = (1, 3, 7, 11, 13)
_DIGEST: Final = "0123456789abcdef" * 4
_AT_ONCE: Final = 20
"""Instruments that a plan reads together."""
_REPLACED: Final = 20
"""Every 20th object has a revision that gave way."""


@dataclass(frozen=True)
class Shape:
    """How many instruments, and what each has."""

    instruments: int
    months: tuple[str, ...]
    days: tuple[str, ...]

    @property
    def symbols(self) -> list[str]:
        return [f"perpetual-C{number:05d}-USDT:USDT" for number in range(self.instruments)]


def shape_of(wanted: int, years: int) -> Shape:
    """Return how many instruments make about so many objects."""
    first = date(_LAST.year - years, _LAST.month, 1)
    days = tuple((first + timedelta(days=n)).isoformat() for n in range((_LAST - first).days + 1))
    months = tuple(sorted({day[:7] for day in days}))
    each = len(months) * len(DATASETS) * 2 * len(_INTERVALS) + len(days) * len(_STREAMS)
    return Shape(max(1, round(wanted / (each * (1 + 1 / _REPLACED)))), months, days)


def fill(engine: Engine, shape: Shape, report: Callable[[str], None]) -> None:
    """Insert everything; indexes are made afterwards, which takes a fraction of the time."""
    is_sqlite = engine.dialect.name == "sqlite"
    indexes = sorted(objects.indexes, key=lambda index: str(index.name))
    with engine.begin() as connection:
        if not is_sqlite:
            connection.execute(text("ALTER TABLE objects SET UNLOGGED"))
        for index in indexes:
            connection.execute(text(f"DROP INDEX IF EXISTS {index.name}"))
        for name, values in (
            ("symbol", shape.symbols),
            ("month", shape.months),
            ("day", shape.days),
            ("dataset", tuple(DATASETS)),
            ("stream", _STREAMS),
            ("clock", tuple(map(str, Clock))),
            ("bars", _INTERVALS),
        ):
            connection.execute(text(f"CREATE TEMPORARY TABLE t_{name} (v VARCHAR, n INTEGER)"))
            connection.execute(
                text(f"INSERT INTO t_{name} VALUES (:v, :n)"), [{"v": value, "n": n} for n, value in enumerate(values)]
            )
        begin = day_start_us(date.fromisoformat(shape.days[0]))
        true, false = ("1", "0") if is_sqlite else ("true", "false")
        for kind, columns, source in (
            (
                "bars",
                "t_dataset.v, t_symbol.v, t_clock.v, t_bars.v, t_month.v",
                "t_symbol, t_dataset, t_clock, t_bars, t_month",
            ),
            ("ticks", "t_stream.v, t_symbol.v, '', '', t_day.v", "t_symbol, t_stream, t_day"),
        ):
            path = " || '/' || ".join(columns.split(", "))
            place = " + ".join(
                f"{table.strip()}.n * {weight}" for table, weight in zip(source.split(","), _WEIGHTS, strict=False)
            )
            replaced = f"({place}) % {_REPLACED} = 0"
            for current, old in ((false, f" WHERE {replaced}"), (true, "")):
                retired = "NULL" if current == true else f"{begin} + {_random(is_sqlite)}"
                revision = f"CASE WHEN {replaced} THEN 2 ELSE 1 END" if current == true else "1"
                connection.execute(
                    text(
                        'INSERT INTO objects (kind, dataset, symbol, clock, "interval", period, exchange, revision,'
                        " is_current, path, size, sha256, rows, first_exchange, last_exchange, first_local, last_local,"
                        " source, fingerprint, reason, created_at, retired_at)"
                        f" SELECT '{kind}', {columns}, '{_EXCHANGE}', {revision}, {current},"
                        f" '{kind}/' || {path} || '/{_DIGEST}', 100000, '{_DIGEST}', 40000,"
                        f" {begin}, {begin} + 86399000000, {begin}, {begin} + 86399000000, 'recording', '{_DIGEST}',"
                        f" 'made to measure', {begin}, {retired} FROM {source}{old}"
                    )
                )
                report(f"{kind}, {'current' if current == true else 'given way'}")
    for index in indexes:
        with engine.begin() as connection:
            connection.execute(CreateIndex(index))
        report(f"index {index.name}")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE objects"))


def _random(is_sqlite: bool) -> str:
    return "abs(random() % 1000000)" if is_sqlite else "floor(random() * 1000000)::int"


@dataclass(frozen=True)
class Question:
    """Something the ledger is asked.

    Attributes:
        name: What it is.
        ask: Asks it; the number says which time.
        times: How often it is asked.
    """

    name: str
    ask: Callable[[Connection, int], object]
    times: int = 200


def questions(shape: Shape) -> Iterator[Question]:
    """Yield what is asked on the path of requests, and by those who work."""
    symbols = shape.symbols
    year = shape.months[-12:]
    first, last = date.fromisoformat(f"{year[0]}-01"), date.fromisoformat(shape.days[-1])
    metric = DATASETS["flow"]

    def data(connection: Connection, number: int) -> None:
        symbol = symbols[number * 7919 % len(symbols)]
        series = Series(ObjectKind.BARS, metric.id, _EXCHANGE, symbol, Clock.EXCHANGE, "1m")
        records = read_periods(connection, series, year)
        if len(records) != len(year):
            raise ValueError(records)
        judge_months(connection, _EXCHANGE, symbol, metric.streams, records, (first, last))

    def as_of(connection: Connection, number: int) -> None:
        series = Series(
            ObjectKind.BARS, metric.id, _EXCHANGE, symbols[number * 7919 % len(symbols)], Clock.EXCHANGE, "1m"
        )
        read_periods(connection, series, year, now_us())

    def plan_ticks(connection: Connection, _number: int) -> None:
        month = last.replace(day=1)
        for begin in range(0, 2_000, _AT_ONCE):
            some = [symbols[number % len(symbols)] for number in range(begin, begin + _AT_ONCE)]
            found = ticks_around(connection, _EXCHANGE, some, month, last, [Stream.FUNDING_RATE])
            if any(len(found[symbol]) < len(_STREAMS) * last.day for symbol in some):
                raise ValueError(found)

    def plan_bars(connection: Connection, number: int) -> None:
        symbol = symbols[number * 7919 % len(symbols)]
        current_objects(connection, ObjectKind.BARS, exchange=_EXCHANGE, symbol=symbol, period=year[-1:])

    def plan_history(connection: Connection, number: int) -> None:
        current_objects(connection, ObjectKind.TICKS, exchange=_EXCHANGE, symbol=symbols[number % len(symbols)])

    yield Question("/data over 12 months", data, 2_000)
    yield Question("/data over 12 months, as_of", as_of, 500)
    yield Question("symbols of a venue", lambda connection, _: published_symbols(connection, _EXCHANGE), 5)
    yield Question("ticks to plan a day of 2,000 instruments", plan_ticks, 3)
    yield Question("bars to plan a day of one instrument", plan_bars, 200)
    yield Question("all ticks of an instrument", plan_history, 50)
    yield Question("newest bars of all datasets (catalog)", lambda connection, _: read_newest(connection), 20)
    yield Question("newest revisions (feed of incidents)", lambda connection, _: read_revisions(connection), 20)
    yield Question(
        "files of open days that gave way",
        lambda connection, _: superseded_before(connection, ObjectKind.OPEN_BARS, now_us(), 10_000),
        50,
    )


def measure(engine: Engine, question: Question) -> tuple[list[float], float, float]:
    """Return how long each time took, ms, our processor time of it, ms, and the pages of 8 KiB that PostgreSQL looked at."""
    took = []
    with engine.connect() as connection:
        before = _pages(connection)
        worked = time.process_time()
        for number in range(question.times):
            began = time.perf_counter()
            question.ask(connection, number)
            took.append((time.perf_counter() - began) * 1e3)
            connection.rollback()
        worked = (time.process_time() - worked) * 1e3
        pages = _pages(connection) - before
    return sorted(took), worked / question.times, pages / question.times


def _pages(connection: Connection) -> float:
    if connection.dialect.name != "postgresql":
        return float("nan")
    connection.execute(text("SELECT pg_stat_force_next_flush()"))
    connection.commit()
    seen = connection.execute(
        text("SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()")
    ).scalar_one()
    connection.commit()
    return float(seen)


def run(name: str, engine: Engine, shape: Shape, lake: Lake) -> None:
    """Print a table."""
    with engine.connect() as connection:
        count = connection.execute(select(func.count()).select_from(objects)).scalar_one()
    print(f"\n{name}: {count:,} objects of {shape.instruments:,} instruments, {len(shape.months)} months")
    print(f"{'asked':52} {'times':>6} {'median ms':>10} {'p99 ms':>10} {'ours, ms':>10} {'pages':>10}")
    for question in questions(shape):
        took, worked, pages = measure(engine, question)
        worst = took[min(len(took) - 1, int(len(took) * 0.99))]
        print(
            f"{question.name:52} {len(took):6} {statistics.median(took):10.2f} {worst:10.2f} {worked:10.2f} {pages:10.0f}",
            flush=True,
        )
    began = time.perf_counter()
    found = count_prunable(engine, now_us())
    print(f"{'revisions to prune, counted':52} {found.rows:6,} {(time.perf_counter() - began) * 1e3:10.0f}", flush=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    done = prune_history(lake, now_us(), most=20_000)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    rate = done.rows / (time.perf_counter() - began)
    print(f"pruned {done.rows:,} revisions, {rate:,.0f} a second, {grown:.0f} MiB of memory more", flush=True)


def main() -> None:
    """Fill and measure."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--objects", type=int, default=1_000_000)
    asked.add_argument("--years", type=int, default=5)
    asked.add_argument("--on", choices=("sqlite", "postgresql", "both"), help="default: both, PostgreSQL for --ledger")
    asked.add_argument("--ledger", help="URL of a PostgreSQL database, which stays: filled where it is empty")
    asked.add_argument("--folder", type=Path, help="where the SQLite file lies; default: a temporary folder")
    given = asked.parse_args()
    shape = shape_of(given.objects, given.years)
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}", flush=True)
    with ExitStack() as ending:
        folder = given.folder or Path(ending.enter_context(tempfile.TemporaryDirectory()))
        where = given.on or ("postgresql" if given.ledger else "both")
        for name in ("sqlite", "postgresql") if where == "both" else (where,):
            ledger = given.ledger
            if name == "postgresql" and ledger is None:
                from tests.postgres import postgres_server  # noqa: PLC0415 - only here

                server = ending.enter_context(postgres_server())
                ledger = server.new_database()
                server.execute("ALTER SYSTEM SET max_wal_size = '8GB'")
                server.execute("ALTER SYSTEM SET maintenance_work_mem = '512MB'")
                server.execute("SELECT pg_reload_conf()")
            home = folder / name
            lake = ending.enter_context(
                closing(Lake.open(Settings(home=home, store=None, ledger=ledger), to_restore=True))
            )
            began = time.monotonic()

            def report(step: str, began: float = began) -> None:
                print(f"  {time.monotonic() - began:7.1f} s  {step}", file=sys.stderr, flush=True)

            engine = lake.engine
            if name == "postgresql":
                _without_timeout(engine)
            if not lake.has_objects():
                fill(engine, shape, report)
            run(f"{name}, filled in {time.monotonic() - began:,.0f} s", engine, shape, lake)


def _without_timeout(engine: Engine) -> None:
    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


if __name__ == "__main__":
    main()
