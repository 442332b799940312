"""An installation to serve: two years of published `flow` bars, and servers of it in processes of their own."""

from __future__ import annotations

import hashlib
import secrets
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date, timedelta
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from aperiodic.accounts.keys import create_key
from aperiodic.accounts.plans import change_plan, find_plan
from aperiodic.catalog import DATASETS
from aperiodic.engine.fields import dataset_frame
from aperiodic.lake import Lake, NewObject, ObjectKey, StoredObject
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.writing import parquet_bytes
from aperiodic.market import DAY_US, Clock, Exchange, Interval, Source, Stream, Symbol
from aperiodic.server import Secrets, serve
from aperiodic.server.settings import ServerSettings
from benchmarks.inputs import SEED, day_of_trades
from benchmarks.trade_bars import day_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path

    from benchmarks.inputs import Inputs

__all__ = [
    "FIRST",
    "LAST",
    "MANY",
    "SYMBOL",
    "VENUE",
    "make_installation",
    "make_installation_of_a_second",
    "make_installation_of_many",
    "make_once",
    "new_key",
    "running",
    "serve_ours",
    "settings_of",
]

VENUE: Final = Exchange.BINANCE_FUTURES
SYMBOL: Final = Symbol.parse("perpetual-BTC-USDT:USDT")
MANY: Final = tuple(Symbol.parse(f"perpetual-A{number}-USDT:USDT") for number in range(50))
"""Instruments of the installation with many."""
FIRST: Final = date(2023, 5, 1)
LAST: Final = date(2025, 4, 30)

_EPOCH: Final = date(1970, 1, 1)
_TRADES_A_DAY: Final = 30_000
_TRADES_OF_SECONDS: Final = 600_000
"""Trades a day of the month with bars of a second: a busy market, in which most seconds have a few."""
_VERSION: Final = 1
_UNLIMITED: Final = 1_000_000
"""Requests a minute; the limits are not what is measured."""

_START_S: Final = 60
_STOP_S: Final = 10


def make_installation(inputs: Inputs) -> Path:
    """Return the folder of the installation, after publishing its 24 months of `flow` at 1m unless they are there."""
    return make_once(inputs, f"installation-{_TRADES_A_DAY}-seed{SEED}-v{_VERSION}", _publish)


def make_installation_of_a_second(inputs: Inputs) -> Path:
    """Return the folder of an installation with a month of `flow` at 1s, of the true clock."""
    return make_once(inputs, f"installation-1s-{_TRADES_OF_SECONDS}-seed{SEED}-v{_VERSION}", _publish_seconds)


def make_installation_of_many(inputs: Inputs) -> Path:
    """Return the folder of an installation with a year of `ohlcv` at 15m of many instruments."""
    return make_once(inputs, f"installation-of-{len(MANY)}-v{_VERSION}", _publish_many)


def make_once(inputs: Inputs, name: str, fill: Callable[[Lake], None]) -> Path:
    """Return the folder of an installation that `fill` has filled, now or in a run before."""
    home = inputs.folder / name
    if not home.exists():
        draft = inputs.folder / f".draft-{secrets.token_hex(4)}"
        with closing(Lake.open(settings_of(draft))) as lake:
            fill(lake)
        draft.rename(home)
    return home


def _publish_seconds(lake: Lake) -> None:
    rng = np.random.default_rng(SEED)
    days = [FIRST + timedelta(days=number) for number in range(31)]
    ticks = (day_of_trades(rng, _TRADES_OF_SECONDS, (day - _EPOCH).days * DAY_US) for day in days)
    partials = [day_of(of_day, Clock.TRUE)[Interval.S1] for of_day in ticks]
    bars = dataset_frame(DATASETS["flow"], pl.concat(partials, rechunk=True))
    batch = lake.batch()
    key = ObjectKey.bars("flow", Clock.TRUE, Interval.S1, VENUE, SYMBOL, FIRST)
    batch.put(_described(key, bars), parquet_bytes(bars))
    batch.commit()


def _publish_many(lake: Lake) -> None:
    rng = np.random.default_rng(SEED)
    batch = lake.batch()
    for month in (date(2024 + number // 12, number % 12 + 1, 1) for number in range(4, 16)):
        end = (month + timedelta(days=32)).replace(day=1)
        times = pl.datetime_range(month, end, "15m", closed="left", time_unit="us", eager=True)
        schema = DATASETS["ohlcv"].schema
        values = {name: rng.random(len(times)) * 1000 for name in schema if name != "time"}
        bars = pl.DataFrame({"time": times, **values}).cast(schema)
        body = parquet_bytes(bars)
        for symbol in MANY:
            key = ObjectKey.bars("ohlcv", Clock.EXCHANGE, Interval.M15, VENUE, symbol, month)
            batch.put(_described(key, bars), body)
    batch.commit()


def settings_of(home: Path) -> ServerSettings:
    """ServerSettings of an installation in a folder, whatever the environment says."""
    return ServerSettings(
        home=home,
        store=None,
        ledger=None,
        public_url=None,
        secret=None,
        address_requests_per_minute=_UNLIMITED,
        address_pages_per_minute=_UNLIMITED,
    )


def new_key(home: Path, plan_name: str = "starter") -> str:
    """Make a key of a plan that may ask as often as it likes; `starter` reads bars of a minute, `prime` all."""
    settings = settings_of(home)
    with closing(Lake.open(settings)) as lake, begin_write(lake.engine) as connection:
        plan = find_plan(connection, plan_name)
        change_plan(connection, replace(plan, requests_per_minute=_UNLIMITED))
        return create_key(connection, Secrets.load(settings).pepper, plan.name, "benchmark")


def serve_ours(home: Path, ready: Connection) -> None:
    """Serve an installation until SIGTERM, and send the URL."""
    serve(settings_of(home), "127.0.0.1", 0, ready=ready.send)


@contextmanager
def running(server: Callable[[Path, Connection], None], home: Path) -> Iterator[str]:
    """Run a server in a process of its own and yield its URL."""
    context = get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=server, args=(home, sending))
    process.start()
    sending.close()
    try:
        if not receiving.poll(_START_S):
            raise TimeoutError(f"the server did not start within {_START_S} s")
        yield receiving.recv()
    finally:
        process.terminate()
        process.join(_STOP_S)
        process.kill()
        process.join()


def _publish(lake: Lake) -> None:
    rng = np.random.default_rng(SEED)
    month: list[pl.DataFrame] = []
    batch = lake.batch()
    day = FIRST
    while day <= LAST:
        ticks = day_of_trades(rng, _TRADES_A_DAY, (day - _EPOCH).days * DAY_US)
        month.append(day_of(ticks, Clock.EXCHANGE)[Interval.M1])
        # The ledger must hold the ticks' days for the months to be complete; nobody reads the ticks themselves.
        key = ObjectKey.ticks(Stream.TRADES, VENUE, SYMBOL, day)
        digest = hashlib.sha256(day.isoformat().encode()).hexdigest()
        batch.adopt(_described(key, ticks), StoredObject(key.path(digest), 0, digest))
        following = day + timedelta(days=1)
        if following.month != day.month:
            bars = dataset_frame(DATASETS["flow"], pl.concat(month, rechunk=True))
            month = []
            batch.put(
                _described(ObjectKey.bars("flow", Clock.EXCHANGE, Interval.M1, VENUE, SYMBOL, day), bars),
                parquet_bytes(bars),
            )
        day = following
    batch.commit()


def _described(key: ObjectKey, frame: pl.DataFrame) -> NewObject:
    return NewObject(key=key, rows=frame.height, source=Source.SIMULATED, fingerprint=str(_VERSION), reason="benchmark")
