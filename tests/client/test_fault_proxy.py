"""Whatever lies between client and server: the right frame or the right error, within the stated times."""

from __future__ import annotations

import random
import threading
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from tests.fault_proxy import FaultProxy, some_of
from tests.servers import Api, serving
from tests.soak import SOAK

import aperiodic
from aperiodic.catalog import DATASETS
from aperiodic.lake import Lake, NewObject, ObjectKey, Settings
from aperiodic.lake.writing import parquet_bytes
from aperiodic.market import Clock, Exchange, Interval, Source, Symbol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BTC = Symbol.parse("perpetual-BTC-USDT:USDT")
MONTHS = (date(2025, 1, 1), date(2025, 2, 1), date(2025, 3, 1))
COLUMNS = ["flow_entropy", "volume_delta"]
SEEDS = 10 * SOAK
LONGEST_S = 120.0
"""Five attempts of a file at half a second each, and as many of its answer: far less than this."""


def flow_of(month: date) -> pl.DataFrame:
    """Bars of five minutes, whose values do not compress."""
    end = pl.Series([month]).dt.month_end()[0]
    times = pl.datetime_range(month, end, "5m", closed="left", time_unit="us", eager=True)
    chance = np.random.default_rng(month.month)
    schema = DATASETS["flow"].schema
    values = {name: chance.random(len(times)) * 1000 for name in schema if name != "time"}
    return pl.DataFrame({"time": times, **values}).cast(schema)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    home = tmp_path_factory.mktemp("home")
    lake = Lake.open(Settings(home=home))
    batch = lake.batch()
    for month in MONTHS:
        bars = flow_of(month)
        key = ObjectKey.bars("flow", Clock.EXCHANGE, Interval.M5, Exchange.BINANCE_FUTURES, BTC, month)
        new = NewObject(key=key, rows=bars.height, source=Source.RECORDING, fingerprint=str(month), reason="test")
        batch.put(new, parquet_bytes(bars))
    batch.commit()
    lake.close()
    with serving(home) as running:
        yield running


@pytest.fixture(scope="module")
def truth() -> pl.DataFrame:
    return pl.concat([flow_of(month) for month in MONTHS])


def asked(**changes: Any) -> dict[str, Any]:
    return {
        "interval": "5m",
        "exchange": "binance-futures",
        "symbol": str(BTC),
        "start_date": "2025-01-01",
        "end_date": "2025-03-31",
        "on_incomplete": "ignore",
        **changes,
    }


def whole(client: aperiodic.Client) -> pl.DataFrame:
    frame: pl.DataFrame = client.get_metrics("flow", **asked())
    return frame


def narrow(client: aperiodic.Client) -> pl.DataFrame:
    frame: pl.DataFrame = client.get_metrics("flow", **asked(columns=COLUMNS))
    return frame


def few_days(client: aperiodic.Client) -> pl.DataFrame:
    frame: pl.DataFrame = client.get_metrics("flow", **asked(start_date="2025-01-30", end_date="2025-02-02"))
    return frame


def lazy(client: aperiodic.Client) -> pl.DataFrame:
    return client.scan_metrics("flow", **asked()).select("time", *COLUMNS).collect()


def right_of(work: Callable[[aperiodic.Client], pl.DataFrame], truth: pl.DataFrame) -> pl.DataFrame:
    if work is few_days:
        return truth.filter(pl.col("time").dt.date().is_between(date(2025, 1, 30), date(2025, 2, 2)))
    if work is lazy:
        return truth.select("time", *COLUMNS)
    return truth.select("time", *(name for name in truth.columns if name in COLUMNS)) if work is narrow else truth


@pytest.mark.parametrize("cached", [False, True], ids=["uncached", "cached"])
@pytest.mark.parametrize("work", [whole, narrow, few_days, lazy])
def test_the_right_frame_or_the_right_error(
    api: Api, truth: pl.DataFrame, tmp_path: Path, work: Callable[[aperiodic.Client], pl.DataFrame], *, cached: bool
) -> None:
    right = right_of(work, truth)
    outcomes: dict[str, int] = {}
    done: dict[str, int] = {}
    target = api.url.removesuffix("/api/v1")
    for seed in range(SEEDS):
        chance = random.Random(seed)  # noqa: S311 - which faults
        with FaultProxy(target, some_of(chance, chance.choice((0.1, 0.3, 0.6)))) as proxy:
            outcome = run(proxy, api.key, work, right, tmp_path / str(seed % 3) if cached else False)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        for fault, count in proxy.done.items():
            done[fault] = done.get(fault, 0) + count
    assert outcomes.get("right", 0) > 0
    print(f"{work.__name__}: {outcomes}; faults {done}")  # noqa: T201 - `pytest -rP` shows it


def run(
    proxy: FaultProxy,
    key: str,
    work: Callable[[aperiodic.Client], pl.DataFrame],
    right: pl.DataFrame,
    cache: Path | bool,
) -> str:
    """Do the work within the time; return `right`, or the name of the error."""
    found: list[str] = []

    def go() -> None:
        base_url = f"{proxy.url}/api/v1"
        with aperiodic.Client(key, base_url=base_url, cache=cache, timeout=0.5, show_progress=False) as client:
            try:
                frame = work(client)
            except aperiodic.AperiodicDataError as error:
                assert error.code  # noqa: PT017 - told by its place in the list
                found.append(error.code)
            except pl.exceptions.ComputeError as error:  # of a lazy frame, with ours inside
                found.append(f"lazy: {str(error).partition(':')[0]}")
            else:
                found.append("right" if frame.equals(right) else "WRONG")

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    thread.join(LONGEST_S)
    assert not thread.is_alive(), "it hangs"
    assert found, "something that is not ours was raised"
    assert found[0] != "WRONG"
    return found[0]


def test_a_month_with_other_columns_is_an_error_that_names_it(tmp_path: Path) -> None:
    """One month was published by an older version: never a frame of some of the months."""
    home = tmp_path / "home"
    lake = Lake.open(Settings(home=home))
    batch = lake.batch()
    for month in MONTHS:
        bars = flow_of(month)
        bars = bars.drop("flow_entropy") if month == MONTHS[1] else bars
        key = ObjectKey.bars("flow", Clock.EXCHANGE, Interval.M5, Exchange.BINANCE_FUTURES, BTC, month)
        new = NewObject(key=key, rows=bars.height, source=Source.RECORDING, fingerprint=str(month), reason="test")
        batch.put(new, parquet_bytes(bars))
    batch.commit()
    lake.close()
    with serving(home) as other, aperiodic.Client(other.key, base_url=other.url, show_progress=False) as client:
        for work in (whole, narrow):
            with pytest.raises(aperiodic.DownloadError, match="2025-02") as caught:
                work(client)
            assert caught.value.code == "unexpected_schema"
