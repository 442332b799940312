"""An instrument whose ticks cannot be read has no bars until they can be; the others go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from tests.engine.live.comparing import Reader
from tests.engine.open_days.test_open_days import Clockwork
from tests.lakes import BTC, VENUE

from aperiodic.engine.live.maker import LiveMaker
from aperiodic.engine.open_days.builder import OpenDayBuilder
from aperiodic.engine.parts import append_ticks
from aperiodic.lake import ObjectKind, Scope
from aperiodic.market import Clock, Interval, Source, Stream, Symbol, tick_schema

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from aperiodic.lake import Lake

SECOND = 1_000_000
MINUTE = 60 * SECOND
BEGIN = 1_746_144_000 * SECOND
ETH = Symbol.parse("perpetual-ETH-USDT:USDT")


def put(lake: Lake, symbol: Symbol, minute: int) -> None:
    """Commit a trade of every second of a minute."""
    rows = [
        (at, at, str(second), "buy", 100.0, 1.0, second)
        for second in range(minute * 60, minute * 60 + 60)
        for at in [BEGIN + second * SECOND]
    ]
    ticks = pl.DataFrame(rows, schema=tick_schema(Stream.TRADES), orient="row")
    with lake.writing(Scope(VENUE, str(symbol), "parts")):
        batch = lake.batch()
        append_ticks(lake, batch, Stream.TRADES, VENUE, symbol, ticks, Source.RECORDING)
        batch.commit()


def file_of(lake: Lake, symbol: Symbol) -> Path:
    """Return the file of the first ticks of an instrument."""
    (record,) = lake.current(ObjectKind.TICK_PARTS, symbol=str(symbol))
    return lake.home / "store" / record.path


def symbols(reader: Reader) -> set[str]:
    return {bar.symbol for bar in reader.rows}


def test_rows_of_the_others_are_told_and_its_own_once_it_can_be_read(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, reader = Clockwork(BEGIN + 2 * MINUTE), Reader()
    monkeypatch.setattr("aperiodic.completeness.judgement.now_us", clock)
    for symbol in (BTC, ETH):
        put(lake, symbol, 0)
    file = file_of(lake, ETH)
    file.rename(aside := file.with_suffix(".aside"))
    maker = LiveMaker(lake, reader, now=clock, hold_us=250_000)
    for minute in (1, 2, 3):
        for symbol in (BTC, ETH):
            put(lake, symbol, minute)
        clock.now = BEGIN + (minute + 1) * MINUTE + SECOND
        maker.round()
    assert symbols(reader) == {str(BTC)}
    assert "instruments without bars, for their ticks cannot be read: 1" in str(maker.trouble)
    aside.rename(file)
    for minute in (4, 5, 6):
        for symbol in (BTC, ETH):
            put(lake, symbol, minute)
        clock.now = BEGIN + (minute + 1) * MINUTE + SECOND
        maker.round()
    assert maker.trouble is None
    told = {
        symbol: {
            (bar.time - BEGIN) // MINUTE: rows[-1].data
            for bar, rows in reader.rows.items()
            if (bar.symbol, bar.dataset, bar.clock, bar.interval) == (str(symbol), "ohlcv", Clock.TRUE, Interval.M1)
        }
        for symbol in (BTC, ETH)
    }
    assert told[ETH].keys() >= {4, 5}
    assert told[BTC].keys() >= {0, 1, 2, 3, 4, 5}
    for minute, data in told[ETH].items():
        assert data.replace(str(ETH).encode(), str(BTC).encode()) == told[BTC][minute]


def test_files_of_open_days_are_written_of_the_others(lake: Lake) -> None:
    clock = Clockwork(BEGIN + 3 * MINUTE)
    for symbol in (BTC, ETH):
        put(lake, symbol, 0)
    file = file_of(lake, ETH)
    file.rename(aside := file.with_suffix(".aside"))
    for symbol in (BTC, ETH):
        for minute in (1, 2, 3):
            put(lake, symbol, minute)
    builder = OpenDayBuilder(lake, now=clock)
    done = builder.round()
    assert "instruments without bars, for their ticks cannot be read: 1" in str(done.trouble)
    assert {record.key.symbol for record in lake.current(ObjectKind.OPEN_BARS)} == {str(BTC)}
    aside.rename(file)
    clock.now += 2 * MINUTE
    for _ in range(2):
        done = builder.round()
    assert done.trouble is None
    assert {record.key.symbol for record in lake.current(ObjectKind.OPEN_BARS)} == {str(BTC), str(ETH)}
    builder.close()
