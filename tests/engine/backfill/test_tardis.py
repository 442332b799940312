"""Tardis' first day of each month: the only archive with arrival times."""

from __future__ import annotations

import gzip
from datetime import date
from typing import TYPE_CHECKING

from aperiodic.market import Exchange, Stream
from aperiodic.market.time import day_start_us
from aperiodic.venues import Contract

if TYPE_CHECKING:
    from tests.engine.backfill.archive_server import Archive
    from tests.engine.backfill.conftest import Backfiller

OKX, UM = Exchange.OKX_PERPS, Exchange.BINANCE_FUTURES
DAY = date(2025, 5, 1)
AT = day_start_us(DAY) + 5
TRADES = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"


def put(archive: Archive, path: str, content: str) -> None:
    archive.put(f"{path}.csv.gz", gzip.compress(content.encode(), mtime=0))


def test_first_days_of_months_are_imported_with_their_arrival_times(archive: Archive, backfiller: Backfiller) -> None:
    row = f"binance-futures,BTCUSDT,{AT},{AT + 3_000},7,buy,100.5,2\n"
    put(archive, "binance-futures/trades/2025/05/01/BTCUSDT", TRADES + row)
    days = date(2025, 4, 15), date(2025, 6, 15)
    reports = backfiller.run(UM, "BTCUSDT", *days, Stream.TRADES, from_tardis=True)
    assert [(report.day, report.outcome) for report in reports] == [(DAY, "imported"), (date(2025, 6, 1), "absent")]
    ticks = backfiller.ticks(UM, "BTCUSDT", Stream.TRADES, DAY)
    assert ticks is not None
    assert ticks["local_timestamp"].to_physical().to_list() == [AT + 3_000]
    again = backfiller.run(UM, "BTCUSDT", *days, Stream.TRADES, from_tardis=True)
    assert [report.outcome for report in again] == ["held", "absent"]
    put(archive, "binance-futures/trades/2025/05/01/BTCUSDT", TRADES + row * 2)
    again = backfiller.run(UM, "BTCUSDT", *days, Stream.TRADES, from_tardis=True)
    assert [report.outcome for report in again] == ["changed", "absent"]


def test_amounts_of_okx_are_converted(archive: Archive, backfiller: Backfiller) -> None:
    folder = "okex-swap/{}/2025/05/01/UNI-USD-SWAP"
    start = f"okex-swap,UNI-USD-SWAP,{AT},{AT + 3_000}"
    put(archive, folder.format("trades"), f"{TRADES}{start},7,buy,5,4\n")
    quotes = "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount\n"
    put(archive, folder.format("quotes"), f"{quotes}{start},6,8,4,\n")
    levels = "exchange,symbol,timestamp,local_timestamp,asks[0].price,asks[0].amount,bids[0].price,bids[0].amount\n"
    put(archive, folder.format("book_snapshot_25"), f"{levels}{start},8,6,4,2\n")
    streams = (Stream.TRADES, Stream.QUOTES, Stream.BOOK)
    (refused, *_) = backfiller.run(OKX, "UNI-USD-SWAP", DAY, DAY, *streams, from_tardis=True)
    assert refused.error is not None
    assert refused.error.code == "contract_size_needed"
    size = {"UNI-USD-SWAP": Contract(10, 1, inverse=True)}
    reports = backfiller.run(OKX, "UNI-USD-SWAP", DAY, DAY, *streams, from_tardis=True, contracts=size)
    assert [report.outcome for report in reports] == ["imported"] * 3
    found = {stream: backfiller.ticks(OKX, "UNI-USD-SWAP", stream, DAY) for stream in streams}
    trades, quoted, book = (found[stream] for stream in streams)
    assert trades is not None
    assert trades["amount"].to_list() == [8.0]
    assert quoted is not None
    assert quoted.select("bid_amount", "ask_amount").rows() == [(None, 7.5)]
    assert book is not None
    assert book.select("bid_amount_01", "ask_amount_01").rows() == [(5.0, 7.5)]


def test_a_file_that_breaks_off_is_imported_in_part(archive: Archive, backfiller: Backfiller) -> None:
    rows = "".join(
        f"binance-futures,BTCUSDT,{AT + n},{AT + n + 3},{n},buy,{n * 7919 % 997}.5,2\n" for n in range(1, 5_000)
    )
    archive.put("binance-futures/trades/2025/05/01/BTCUSDT.csv.gz", gzip.compress((TRADES + rows).encode())[:-1_000])
    (report,) = backfiller.run(UM, "BTCUSDT", DAY, DAY, Stream.TRADES, from_tardis=True)
    assert (report.outcome, report.rejected) == ("partly", {"truncated_file": 1})
