"""A ledger of some size: 10,000 keys, 500 symbols with 24 months of bars and the tick days behind them."""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice, product
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert

from aperiodic.accounts.keys import create_key
from aperiodic.catalog import DATASETS
from aperiodic.lake import Lake, ObjectKey, ObjectKind
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.schema import plans
from aperiodic.market import Clock, Exchange, Interval
from aperiodic.server import Secrets
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["KEYS", "MONTHS", "Service", "make_service"]

KEYS: Final = 10_000
MONTHS: Final = [f"{year}-{month:02d}" for year in (2023, 2024) for month in range(1, 13)]

_VERSION: Final = 1
_SYMBOLS: Final = 500
_INTERVALS: Final = (Interval.M1, Interval.H1)
_EXCHANGE: Final = Exchange.BINANCE_FUTURES
_DAYS: Final = [(date(2023, 1, 1) + timedelta(days=number)).isoformat() for number in range(731)]
_BATCH: Final = 50_000
_NO_TIMES: Final = (None,) * 4
_COLUMNS: Final = (
    *("kind", "dataset", "exchange", "symbol", "clock", "interval", "period"),
    *("revision", "is_current", "path", "size", "sha256", "rows"),
    *("first_exchange", "last_exchange", "first_local", "last_local"),
    *("source", "fingerprint", "reason", "created_at"),
)


@dataclass(frozen=True, slots=True)
class Service:
    """An installation whose ledger is full and whose store is empty: links are made from the ledger alone.

    Attributes:
        home: Its folder.
        keys: API keys, of a plan that has everything and no limit that matters.
        symbols: All symbols.
        series: Metric, clock and interval of all bars.
        exchange: The one exchange.
        objects: Rows about objects.
    """

    home: Path
    keys: list[str]
    symbols: list[str]
    series: list[tuple[str, str, str]]
    exchange: str
    objects: int


def make_service(folder: Path) -> Service:
    """Return the installation, after making it unless it is there."""
    folder = folder.resolve()
    home = folder / f"service-{KEYS}-{_SYMBOLS}-v{_VERSION}"
    if not home.exists():
        print("filling the ledger, once …", flush=True)
        draft = folder / f".draft-{secrets.token_hex(4)}"
        with closing(Lake.open(_settings(draft))) as lake:
            keys = _make_keys(lake)
        (draft / "keys.json").write_text(json.dumps(keys), encoding="ascii")
        _add_objects(draft / "ledger.sqlite")
        draft.rename(home)
    with closing(sqlite3.connect(home / "ledger.sqlite")) as ledger:
        held = ledger.execute("SELECT count(*) FROM objects").fetchone()[0]
    keys = json.loads((home / "keys.json").read_text(encoding="ascii"))
    return Service(home, keys, _symbols(), list(_series()), _EXCHANGE, held)


def _settings(home: Path) -> ServerSettings:
    return ServerSettings(home=home, store=None, ledger=None, public_url=None, secret=None)


def _symbols() -> list[str]:
    return [f"perpetual-C{number:03d}-USDT:USDT" for number in range(_SYMBOLS)]


def _series() -> Iterator[tuple[str, str, str]]:
    return product(DATASETS, map(str, Clock), map(str, _INTERVALS))


def _make_keys(lake: Lake) -> list[str]:
    pepper = Secrets.load(_settings(lake.home)).pepper
    everything = {
        "position": 9,
        "tier": 3,
        "sub_minute": True,
        "raw": True,
        "live": 0,
        "requests_per_minute": 1_000_000,
    }
    with begin_write(lake.engine) as connection:
        connection.execute(insert(plans).values(name="load", **everything))
        return [create_key(connection, pepper, "load", f"key {number}") for number in range(KEYS)]


def _add_objects(file: Path) -> None:
    """Insert all objects; their indexes are made afterwards, which takes a fraction of the time."""
    with closing(sqlite3.connect(file)) as ledger:
        found = ledger.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'objects'")
        indexes = found.fetchall()
        for name, _ in indexes:
            ledger.execute(f"DROP INDEX {name}")
        names = ", ".join(f'"{name}"' for name in _COLUMNS)
        statement = f"INSERT INTO objects ({names}) VALUES ({', '.join('?' * len(_COLUMNS))})"
        rows = _rows()
        while batch := list(islice(rows, _BATCH)):
            ledger.executemany(statement, batch)
            ledger.commit()
        for _, sql in indexes:
            ledger.execute(sql)
        ledger.commit()
        ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _rows() -> Iterator[tuple[object, ...]]:
    streams = sorted({str(dataset.driving) for dataset in DATASETS.values()})
    for symbol in _symbols():
        for stream, day in product(streams, _DAYS):
            yield _row(ObjectKey(ObjectKind.TICKS, stream, _EXCHANGE, symbol, "", "", day))
        for (metric, clock, interval), month in product(_series(), MONTHS):
            yield _row(ObjectKey(ObjectKind.BARS, metric, _EXCHANGE, symbol, clock, interval, month))


def _row(key: ObjectKey) -> tuple[object, ...]:
    digest = hashlib.sha256(repr(key).encode()).hexdigest()
    names = (key.kind, key.dataset, key.exchange, key.symbol, key.clock, key.interval, key.period)
    what = (1, True, key.path(digest), 1_000_000, digest, 40_000)
    return (*map(str, names), *what, *_NO_TIMES, "simulated", digest, "load test", 1)
