"""Runs that are broken off, and files that several days share."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.engine.backfill.test_days import DAY, OKX, SIZES, SWAP, UM, ms, okx_trade, put_okx_trades, put_trades, trade

from aperiodic.engine.backfilling.addresses import read_addresses
from aperiodic.market import InvalidInputError, Stream
from aperiodic.market.time import day_start_us

if TYPE_CHECKING:
    from tests.engine.backfill.archive_server import Archive
    from tests.engine.backfill.conftest import Backfiller

    from aperiodic.engine.backfilling.report import DayReport


def test_a_file_of_two_days_is_fetched_once_and_goes_after_the_second(archive: Archive, backfiller: Backfiller) -> None:
    days = [DAY + timedelta(days=number) for number in range(4)]
    for day in days:
        put_okx_trades(archive, day, okx_trade(day.day, ms(day)))
    reports = backfiller.run(OKX, SWAP, days[0], days[2], Stream.TRADES, contracts=SIZES, threads=4)
    assert [report.ticks for report in reports] == [{"trades": 1}] * 3
    assert [archive.count(f"trades-{day}.zip") for day in days] == [1] * 4
    assert [path for path in (backfiller.lake.home / "archives").rglob("*") if path.is_file()] == []


def test_what_was_finished_before_an_interruption_is_kept(archive: Archive, backfiller: Backfiller) -> None:
    days = [DAY + timedelta(days=number) for number in range(6)]
    for day in days:
        put_trades(archive, day, trade(day.day, ms(day)))

    def interrupt(report: DayReport) -> None:
        if report.day == days[2]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfiller.run(UM, "BTCUSDT", days[0], days[-1], Stream.TRADES, finished=interrupt)
    reports = backfiller.run(UM, "BTCUSDT", days[0], days[-1], Stream.TRADES)
    assert [report.outcome for report in reports] == ["held"] * 3 + ["imported"] * 3
    assert [path for path in (backfiller.lake.home / "archives").rglob("*") if path.is_file()] == []


def test_what_a_killed_run_left_of_a_day_that_it_finished_is_removed(archive: Archive, backfiller: Backfiller) -> None:
    path = put_trades(archive, DAY, trade(1, ms(DAY)))
    backfiller.run(UM, "BTCUSDT", DAY, DAY, Stream.TRADES, keep=True)
    assert (backfiller.lake.home / "archives" / "binance_vision" / path).exists()
    (report,) = backfiller.run(UM, "BTCUSDT", DAY, DAY, Stream.TRADES)
    assert report.outcome == "held"
    assert [path for path in (backfiller.lake.home / "archives").rglob("*") if path.is_file()] == []


def test_days_to_come_are_not_asked_for(archive: Archive, backfiller: Backfiller) -> None:
    backfiller.now = day_start_us(DAY)
    reports = backfiller.run(UM, "BTCUSDT", date(2025, 5, 2), date(2025, 5, 20), Stream.TRADES)
    assert {report.outcome for report in reports} == {"not_yet"}
    assert archive.asked == []


def test_instruments_of_one_day_are_imported_each_for_itself(archive: Archive, backfiller: Backfiller) -> None:
    put_trades(archive, DAY, trade(1, ms(DAY)))
    put_trades(archive, DAY, trade(1, ms(DAY)) + trade(2, ms(DAY)), native="ETHUSDT")
    reports = backfiller.run(UM, ("BTCUSDT", "ETHUSDT", "XRPUSDT"), DAY, DAY, Stream.TRADES)
    assert [(report.symbols, report.outcome, report.ticks) for report in reports] == [
        (("perpetual-BTC-USDT:USDT",), "imported", {"trades": 1}),
        (("perpetual-ETH-USDT:USDT",), "imported", {"trades": 2}),
        (("perpetual-XRP-USDT:USDT",), "absent", {}),
    ]


def test_a_file_of_another_day_is_refused_and_fetched_again(archive: Archive, backfiller: Backfiller) -> None:
    put_trades(archive, DAY, trade(1, ms(DAY + timedelta(days=2))))
    (report,) = backfiller.run(UM, "BTCUSDT", DAY, DAY, Stream.TRADES)
    assert (report.outcome, report.error and report.error.code) == ("refused", "no_valid_rows")
    put_trades(archive, DAY, trade(1, ms(DAY)))
    (report,) = backfiller.run(UM, "BTCUSDT", DAY, DAY, Stream.TRADES)
    assert (report.outcome, report.ticks) == ("imported", {"trades": 1})


def test_a_setting_of_no_archive_names_the_nearest() -> None:
    slip = {"APERIODIC_ARCHIVE_BINANCE_VISON": "http://127.0.0.1:1"}
    with pytest.raises(InvalidInputError, match="BINANCE_VISON") as refused:
        read_addresses([], slip)
    assert "APERIODIC_ARCHIVE_BINANCE_VISION" in (refused.value.hint or "")
    known = {"APERIODIC_ARCHIVE_TARDIS": "http://127.0.0.1:1", "APERIODIC_ARCHIVE_OKX_STATIC": "http://127.0.0.1:1"}
    assert read_addresses([], known) == {}
