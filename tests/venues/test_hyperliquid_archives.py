from __future__ import annotations

from datetime import date

import pytest

from aperiodic.market import DAY_US
from aperiodic.market.time import day_start_us
from aperiodic.venues import all_venues
from aperiodic.venues.hyperliquid.archives import HYPERLIQUID_ARCHIVES
from aperiodic.venues.tardis import tardis_archives

TABLES = {table.name: table for table in HYPERLIQUID_ARCHIVES}


def test_hours_are_not_padded() -> None:
    files = TABLES["l2Book"].files("SOL", date(2026, 4, 1))
    assert [files[hour].path for hour in (0, 23)] == [
        "market_data/20260401/0/l2Book/SOL.lz4",
        "market_data/20260401/23/l2Book/SOL.lz4",
    ]


@pytest.mark.parametrize(
    ("day", "first", "last", "count"),
    [
        (date(2025, 5, 24), "node_trades/hourly/20250524/0.lz4", "node_trades/hourly/20250524/23.lz4", 24),
        (date(2025, 5, 25), "node_trades/hourly/20250525/0.lz4", "node_fills/hourly/20250525/23.lz4", 24),
        (date(2025, 7, 27), "node_fills/hourly/20250727/0.lz4", "node_fills_by_block/hourly/20250727/23.lz4", 24),
        (
            date(2025, 7, 28),
            "node_fills_by_block/hourly/20250727/23.lz4",
            "node_fills_by_block/hourly/20250729/0.lz4",
            26,
        ),
    ],
)
def test_trades_are_in_three_kinds_of_files(day: date, first: str, last: str, count: int) -> None:
    files = TABLES["node_fills"].files("BTC", day)
    assert (files[0].path, files[-1].path, len(files)) == (first, last, count)
    # Together they are of the day, without a hole, and of nothing else.
    edges = sorted({edge for file in files for edge in (file.begin, file.end)})
    assert (edges[0], edges[-1], len(edges)) == (day_start_us(day), day_start_us(day) + DAY_US, 25)


def test_everything_of_hyperliquid_costs_money() -> None:
    assert all(file.base.paid for table in TABLES.values() for file in table.files("BTC", date(2026, 1, 1)))


def test_tardis_has_first_days_of_months() -> None:
    paths = {
        str(venue.exchange): [table.files("a/b:c", date(2025, 5, 1))[0].path for table in tardis_archives(venue)]
        for venue in all_venues()
        if venue.tardis is not None
    }
    assert paths["binance"] == [
        f"binance/{kind}/2025/05/01/A-B-C.csv.gz" for kind in ("trades", "quotes", "book_snapshot_25")
    ]
    assert paths["okx-perps"][-1] == "okex-swap/derivative_ticker/2025/05/01/A-B-C.csv.gz"
    assert all(
        (table.offers(date(2025, 5, 1)), table.offers(date(2025, 5, 2))) == (True, False)
        for venue in all_venues()
        for table in tardis_archives(venue)
    )
