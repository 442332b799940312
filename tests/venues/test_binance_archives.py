from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from aperiodic.venues.archive import first_monday
from aperiodic.venues.binance.archives import FUTURES_ARCHIVES, SPOT_ARCHIVES

FUTURES = {table.name: table for table in FUTURES_ARCHIVES}


def moment(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1e6, UTC).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("kind", "day", "path"),
    [
        ("trades", date(2026, 9, 22), "futures/um/daily/trades/BTCUSDT/BTCUSDT-trades-2026-09-22.zip"),
        ("bookTicker", date(2024, 1, 15), "futures/um/daily/bookTicker/BTCUSDT/BTCUSDT-bookTicker-2024-01-15.zip"),
        ("fundingRate", date(2024, 2, 29), "futures/um/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2024-02.zip"),
    ],
)
def test_paths_are_those_of_the_archive(kind: str, day: date, path: str) -> None:
    (file,) = FUTURES[kind].files("BTCUSDT", day)
    assert file.paths == (path,)


def test_spot_has_a_folder_of_its_own() -> None:
    (table,) = SPOT_ARCHIVES
    (file,) = table.files("BTCUSDT", date(2017, 8, 17))
    assert file.path == "spot/daily/trades/BTCUSDT/BTCUSDT-trades-2017-08-17.zip"


def test_a_day_is_there_by_noon_and_a_month_by_its_first_monday() -> None:
    (file,) = FUTURES["trades"].files("BTCUSDT", date(2026, 9, 22))
    assert [moment(each) for each in (file.begin, file.end, file.published_by)] == [
        "2026-09-22 00:00",
        "2026-09-23 00:00",
        "2026-09-23 12:00",
    ]
    (file,) = FUTURES["fundingRate"].files("BTCUSDT", date(2026, 9, 22))
    assert [moment(each) for each in (file.begin, file.end, file.published_by)] == [
        "2026-09-01 00:00",
        "2026-10-01 00:00",
        "2026-10-06 12:00",
    ]


@pytest.mark.parametrize(("month", "monday"), [((2026, 10), 5), ((2026, 6), 1), ((2026, 11), 2), ((2026, 9), 7)])
def test_the_first_monday(month: tuple[int, int], monday: int) -> None:
    assert first_monday(date(*month, 1)).day == monday


def test_open_interest_of_a_day_is_of_two_files() -> None:
    before, own = FUTURES["metrics"].files("BTCUSDT", date(2025, 10, 7))
    assert [each.name for each in (before, own)] == ["BTCUSDT-metrics-2025-10-06.zip", "BTCUSDT-metrics-2025-10-07.zip"]
    assert (moment(before.end), moment(own.begin)) == ("2025-10-07 00:05", "2025-10-07 00:05")


def test_book_tickers_ended() -> None:
    offered = [
        FUTURES["bookTicker"].offers(date(*day)) for day in ((2023, 5, 15), (2023, 5, 16), (2024, 3, 30), (2024, 3, 31))
    ]
    assert offered == [False, True, True, False]
