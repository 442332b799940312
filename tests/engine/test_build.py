"""Building: the same bytes every time, and never more work than is needed."""

from __future__ import annotations

import shutil
from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
import pytest
from tests.lakes import hashes, published, put_trades
from tests.oracle import assert_bars_equal, bars_python, random_trades, trades_frame

from aperiodic.catalog import Family
from aperiodic.engine.build import BuildReport, build
from aperiodic.engine.day import DayTask
from aperiodic.engine.executors.in_process import InProcess
from aperiodic.engine.executors.tasks import run_task
from aperiodic.engine.plan import Selection
from aperiodic.lake import Lake, LakeError, ObjectKind, Settings
from aperiodic.market import Clock, Exchange, Symbol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aperiodic.engine.executors.tasks import Task, Written

ETH = Symbol.parse("perpetual-ETH-USDT:USDT")
NOON = 1_746_100_800_000_000
DAYS = 4
DATASETS_OF_TRADES = 9
INTERVALS = 7 + 10  # none below a minute on the exchange clock


class Built(NamedTuple):
    """An installation, and what its build said."""

    home: Path
    report: BuildReport


def days_of_trades() -> pl.DataFrame:
    return random_trades(1, 4_000, date(2025, 4, 29), days=DAYS)


@pytest.fixture
def trades() -> pl.DataFrame:
    return days_of_trades()


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """All days put and built at once, in a folder that tests copy."""
    home = tmp_path_factory.mktemp("built") / "home"
    with closing(Lake.open(Settings(home=home))) as lake:
        put_trades(lake, days_of_trades())
        return Built(home, build(lake))


@pytest.fixture
def built(at_once: Built, tmp_path: Path) -> Iterator[Lake]:
    """A copy of what was built at once."""
    shutil.copytree(at_once.home, tmp_path / "built")
    with closing(Lake.open(Settings(home=tmp_path / "built"))) as lake:
        yield lake


def test_two_workers_and_none_write_the_same_bytes(lake: Lake, built: Lake, trades: pl.DataFrame) -> None:
    put_trades(lake, trades)
    build(lake, workers=2)
    assert hashes(lake) == hashes(built)
    assert len(hashes(lake, ObjectKind.BARS)) == 2 * DATASETS_OF_TRADES * INTERVALS


def test_bars_below_a_minute_are_neither_stored_nor_published_on_the_exchange_clock(
    built: Lake,
) -> None:
    kinds = {(record.key.clock, record.key.interval) for record in built.current(ObjectKind.BARS)}
    assert kinds == {(clock, interval) for clock in Clock for interval in clock.intervals}
    assert ("exchange", "30s") not in kinds
    stored = pl.concat(
        [built.store.read_parquet(record.path, ["clock", "interval"]) for record in built.current(ObjectKind.DAY_BARS)]
    )
    shortest = stored.group_by("clock").agg(pl.col("interval").min()).sort("clock")
    assert shortest["interval"].to_list() == [60, 1]


def test_a_build_says_how_many_prices_have_no_decimal_step(lake: Lake) -> None:
    at = 1_746_144_000_000_000
    rows = [(at + k, at + k, "buy", price, 1.0) for k, price in enumerate((100.1, 0.1 + 0.2, 100.3))]
    put_trades(lake, trades_frame(rows))
    report = build(lake)
    (note,) = report.notes
    assert note.startswith("binance-futures perpetual-BTC-USDT:USDT 2025-05-02: 1 of the prices have no decimal step")
    assert any("no decimal step" in record.reason for record in lake.current(ObjectKind.DAY_BARS))
    assert build(lake).notes == ()


def test_a_second_build_does_nothing(at_once: Built, built: Lake) -> None:
    assert at_once.report == BuildReport(days=DAYS, months=2, files=2 * DATASETS_OF_TRADES * INTERVALS)
    before = hashes(built)
    assert build(built) == BuildReport(days=0, months=0, files=0)
    assert hashes(built) == before


def test_files_rebuilt_from_nothing_but_ticks_are_the_same(built: Lake) -> None:
    before = hashes(built)
    batch = built.batch()
    for kind in (ObjectKind.DAY_BARS, ObjectKind.BARS):
        for record in built.current(kind):
            batch.retire(record.key)
    batch.commit()
    build(built)
    assert hashes(built) == before


def test_a_new_day_rebuilds_its_neighbours_and_months_only(lake: Lake, trades: pl.DataFrame) -> None:
    days = trades["exchange_timestamp"].dt.date()
    put_trades(lake, trades.filter(days < date(2025, 5, 2)))
    build(lake)
    april = {path: digest for path, digest in hashes(lake).items() if "month=04" in path}
    put_trades(lake, trades.filter(days == date(2025, 5, 2)))
    report = build(lake)
    assert report.days <= 3
    assert report.months == 1
    assert april.items() <= hashes(lake).items()
    assert build(lake).files == 0


def test_building_in_steps_ends_where_building_at_once_does(lake: Lake, built: Lake, trades: pl.DataFrame) -> None:
    days = trades["exchange_timestamp"].dt.date()
    for day in days.unique().sort(descending=True):
        put_trades(lake, trades.filter(days == day))
        build(lake)
    assert hashes(lake) == hashes(built)


def test_only_the_selection_is_built(lake: Lake, trades: pl.DataFrame) -> None:
    put_trades(lake, trades)
    put_trades(lake, trades, symbol=ETH)
    build(lake, Selection(symbol=ETH, start=date(2025, 4, 30), end=date(2025, 4, 30)))
    assert {(record.key.symbol, record.key.period) for record in lake.current(ObjectKind.BARS)} == {
        (str(ETH), "2025-04")
    }
    build(lake, Selection(exchange=Exchange.OKX_PERPS))
    assert {record.key.symbol for record in lake.current(ObjectKind.BARS)} == {str(ETH)}


def test_republishing_keeps_the_file_that_was_published_before(lake: Lake, trades: pl.DataFrame) -> None:
    put_trades(lake, trades.head(2_000))
    build(lake)
    old = lake.current(ObjectKind.BARS, dataset="ohlcv", clock="exchange", interval="1d")[0]
    put_trades(lake, trades)
    build(lake)
    new = lake.find(old.key)
    assert new is not None
    assert (old.revision, new.revision) == (1, 2)
    assert lake.store.exists(old.path)
    assert lake.store.exists(new.path)


def test_replaced_ticks_and_day_bars_leave_no_files_behind(lake: Lake, trades: pl.DataFrame) -> None:
    put_trades(lake, trades.head(2_000))
    build(lake)
    put_trades(lake, trades)
    build(lake)
    for kind in (ObjectKind.TICKS, ObjectKind.DAY_BARS):
        assert lake.store.paths(kind) == sorted(record.path for record in lake.current(kind))


def test_a_bar_that_vanishes_on_one_clock_is_no_longer_published(lake: Lake) -> None:
    last_of_april, first_of_may = 1_746_057_599_999_000, 1_746_057_600_500_000
    put_trades(lake, trades_frame([(last_of_april, first_of_may, "buy", 100.0, 1.0)]))
    build(lake)
    assert {record.key.period for record in lake.current(ObjectKind.BARS, clock="true")} == {"2025-05"}
    put_trades(lake, trades_frame([(last_of_april, last_of_april + 10, "buy", 100.0, 1.0)]))
    build(lake)
    trues = lake.current(ObjectKind.BARS, clock="true")
    assert {record.key.period for record in trues} == {"2025-04"}


def test_ties_in_arrival_across_days_keep_the_venues_order(lake: Lake) -> None:
    midnight = 1_746_144_000_000_000
    trades = trades_frame(
        [
            (midnight + 1_000, midnight + 9_000, "buy", 101.0, 1.0),
            (midnight - 1_000, midnight + 9_000, "sell", 99.0, 1.0),
            (midnight + 2_000, midnight + 9_000, "sell", 100.0, 1.0),
        ]
    )
    put_trades(lake, trades)
    build(lake)
    assert_bars_equal(published(lake, "ohlcv", "true", "1s"), bars_python(trades, "true", "1s")["ohlcv"])
    assert published(lake, "ohlcv", "true", "1s")["open"].item() == 101.0


@pytest.mark.parametrize(("times", "code"), [(4, None), (5, "busy")])
def test_ticks_that_give_way_while_they_are_built_are_built_as_they_are_then(
    lake: Lake, times: int, code: str | None
) -> None:
    written = [trades_frame([(NOON, NOON, "buy", 100.0 + number, 1.0)]) for number in range(times + 1)]
    put_trades(lake, written[0])
    left = written[1:]

    def run_late(store_url: str, task: Task) -> Written:
        if left and isinstance(task, DayTask) and task.family is Family.TRADES:
            with closing(Lake.open(Settings(home=lake.home))) as other:
                put_trades(other, left.pop(0))
        return run_task(store_url, task)

    said = None
    try:
        build(lake, executor=InProcess(lake.store.url, run_late))
    except LakeError as error:
        said = error.code
    assert said == code
    assert not left
    if code is None:
        assert published(lake, "ohlcv", "true", "1d")["open"].to_list() == [100.0 + times]


def test_a_second_writer_is_turned_away(lake: Lake, trades: pl.DataFrame) -> None:
    put_trades(lake, trades.head(10))
    with lake.writing(), pytest.raises(LakeError) as refused:
        build(lake)
    assert refused.value.code == "busy"
