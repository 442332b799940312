"""Days out of archives: what is imported, what is missing, what is refused."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from tests.engine.backfill.archive_server import Archive, framed, tarred, zipped

from aperiodic.completeness.conditions import read_conditions
from aperiodic.completeness.gaps import read_gaps
from aperiodic.completeness.judgement import Judgement
from aperiodic.lake.imports import read_imports
from aperiodic.lake.instruments import remember_instruments
from aperiodic.lake.ledger import begin_write
from aperiodic.market import DAY_US, Clock, Exchange, Source, Stream
from aperiodic.market.instrument import Instrument
from aperiodic.market.time import day_start_us
from aperiodic.venues import Contract, venue_of

if TYPE_CHECKING:
    from tests.engine.backfill.conftest import Backfiller

UM, SPOT, OKX, HYPERLIQUID = (
    Exchange.BINANCE_FUTURES,
    Exchange.BINANCE,
    Exchange.OKX_PERPS,
    Exchange.HYPERLIQUID_PERPS,
)
DAY = date(2025, 5, 1)
HEADER = "id,price,qty,quote_qty,time,is_buyer_maker\n"
SWAP = "BTC-USDT-SWAP"
SIZES = {SWAP: Contract(1, 100, inverse=False)}


def ms(day: date, seconds: float = 0.0) -> int:
    return day_start_us(day) // 1_000 + round(seconds * 1_000)


def put_trades(archive: Archive, day: date, rows: str, *, header: bool = True, native: str = "BTCUSDT") -> str:
    name = f"{native}-trades-{day}"
    path = f"futures/um/daily/trades/{native}/{name}.zip"
    archive.put(path, zipped(f"{name}.csv", (HEADER if header else "") + rows), checksum=True)
    return path


def trade(number: int, time: int, price: str = "100.5", amount: str = "0.01", maker: str = "false") -> str:
    return f"{number},{price},{amount},1.0,{time},{maker}\n"


def put_okx_trades(archive: Archive, day: date, rows: str) -> str:
    path = f"okex/traderecords/trades/daily/{day:%Y%m%d}/{SWAP}-trades-{day}.zip"
    header = "instrument_name,trade_id,side,price,size,created_time\n"
    archive.put(path, zipped(f"{SWAP}-trades-{day}.csv", header + rows))
    return path


def okx_trade(number: int, time: int, size: str = "38.0") -> str:
    return f"{SWAP},{number},buy,100.0,{size},{time}\n"


def condition(
    backfiller: Backfiller, exchange: Exchange, native: str, stream: Stream, day: date
) -> tuple[str, list[str]]:
    symbol = str(venue_of(exchange).symbol(native))
    with backfiller.lake.engine.connect() as connection:
        (found,) = read_conditions(connection, exchange, symbol, [stream], day, day)
    return found.condition, [f"{cause.code}:{cause.detail or ''}" for cause in found.causes]


@pytest.mark.parametrize("header", [True, False])
def test_a_day_is_imported_with_or_without_a_header(archive: Archive, backfiller: Backfiller, *, header: bool) -> None:
    rows = trade(1, ms(DAY)) + trade(2, ms(DAY, 86_399.999), maker="true")
    put_trades(archive, DAY, rows, header=header)
    (report,) = backfiller.run(UM, "BTCUSDT", DAY, DAY, Stream.TRADES)
    assert (report.outcome, report.ticks, report.rejected) == ("imported", {"trades": 2}, {})
    ticks = backfiller.ticks(UM, "BTCUSDT", Stream.TRADES, DAY)
    assert ticks is not None
    assert ticks["side"].to_list() == ["buy", "sell"]
    assert ticks["local_timestamp"].null_count() == 2
    assert condition(backfiller, UM, "BTCUSDT", Stream.TRADES, DAY) == ("degraded", ["no_arrival_time:"])
    with backfiller.lake.engine.connect() as connection:
        (record,) = read_imports(connection)
    assert (record.source, record.ticks, record.lines) == (Source.ARCHIVE, {"trades": 2}, 2 + header)
    assert not (backfiller.lake.home / "archives" / "binance_vision").exists()


def test_spot_has_no_header_and_microseconds_since_2025(archive: Archive, backfiller: Backfiller) -> None:
    for day, unit in ((date(2024, 12, 31), 1), (date(2025, 1, 1), 1_000)):
        name = f"BTCUSDT-trades-{day}"
        row = f"7,94000.10000000,0.00100000,94.0,{ms(day, 1) * unit + unit // 2},True,True\n"
        archive.put(f"spot/daily/trades/BTCUSDT/{name}.zip", zipped(f"{name}.csv", row), checksum=True)
    backfiller.run(SPOT, "BTCUSDT", date(2024, 12, 31), date(2025, 1, 1))
    for day, microseconds in ((date(2024, 12, 31), 0), (date(2025, 1, 1), 500)):
        ticks = backfiller.ticks(SPOT, "BTCUSDT", Stream.TRADES, day)
        assert ticks is not None
        (tick,) = ticks.rows(named=True)
        assert tick["exchange_timestamp"] == datetime(day.year, day.month, day.day, 0, 0, 1, microseconds, UTC)
        assert (tick["side"], tick["price"], tick["amount"]) == ("sell", 94000.1, 0.001)


def test_bad_rows_are_put_aside_and_the_others_imported(archive: Archive, backfiller: Backfiller) -> None:
    rows = [
        trade(1, ms(DAY, 1)),
        trade(2, ms(DAY, 2), price="0"),
        trade(3, ms(DAY, 3), price="nonsense"),
        trade(4, ms(DAY, 4), maker="perhaps"),
        trade(5, ms(DAY, -1)),
        "6,1.0,1.0\n",
        f"7,1.0,1.0,1.0,{ms(DAY, 7)},true,and,more\n",
        trade(8, 0),
        trade(9, ms(DAY, 9)),
        trade(9, ms(DAY, 9)),
    ]
    put_trades(archive, DAY, "".join(rows))
    (report,) = backfiller.run(UM, "BTCUSDT", DAY, DAY, Stream.TRADES)
    assert report.ticks == {"trades": 2}
    assert report.duplicates == {"trades": 1}
    assert report.rejected == {
        "bad_number": 1,
        "bad_time": 1,
        "malformed": 2,
        "not_positive": 1,
        "other_day": 1,
        "unknown_side": 1,
    }
    # A trade of price 0 is there, and left out by rule: number 2 is not missing, 3 to 8 are.
    with backfiller.lake.engine.connect() as connection:
        (gap,) = read_gaps(connection, UM, str(venue_of(UM).symbol("BTCUSDT")), Stream.TRADES)
    assert (gap.after_sequence, gap.before_sequence, gap.cause) == (2, 8, "not_in_archive")


def test_a_header_with_other_names_is_refused(archive: Archive, backfiller: Backfiller) -> None:
    name = f"BTCUSDT-trades-{DAY}"
    content = "id,price,quantity,quote_qty,time,is_buyer_maker\n" + trade(1, ms(DAY))
    archive.put(f"futures/um/daily/trades/BTCUSDT/{name}.zip", zipped(f"{name}.csv", content), checksum=True)
    (report,) = backfiller.run(UM, "BTCUSDT", DAY, DAY, Stream.TRADES)
    assert report.error is not None
    assert (report.outcome, report.error.code) == ("refused", "unknown_columns")
    assert backfiller.ticks(UM, "BTCUSDT", Stream.TRADES, DAY) is None


def test_open_interest_is_put_in_order_and_once(archive: Archive, backfiller: Backfiller) -> None:
    header = "create_time,symbol,sum_open_interest,sum_open_interest_value,a,b,c,d\n".replace(
        "a,b,c,d",
        "count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,count_long_short_ratio,"
        "sum_taker_long_short_vol_ratio",
    )
    days = (date(2025, 4, 30), DAY)
    rows = {
        days[0]: "2025-04-30 23:55:00,BTCUSDT,90.5,1,1,1,1,1\n",
        days[1]: "2025-05-01 00:10:00,BTCUSDT,92,1,1,1,1,1\n"
        "2025-05-01 00:05:00,BTCUSDT,91,1,1,1,1,1\n"
        "2025-05-01 00:05:00,BTCUSDT,91,1,1,1,1,1\n"
        "2025-05-01 23:55:00,BTCUSDT,99,1,1,1,1,1\n",
    }
    for day, content in rows.items():
        name = f"BTCUSDT-metrics-{day}"
        path = f"futures/um/daily/metrics/BTCUSDT/{name}.zip"
        archive.put(path, zipped(f"{name}.csv", header + content), checksum=True)
    (report,) = backfiller.run(UM, "BTCUSDT", DAY, DAY, Stream.OPEN_INTEREST)
    assert (report.outcome, report.duplicates) == ("imported", {"open_interest": 1})
    ticks = backfiller.ticks(UM, "BTCUSDT", Stream.OPEN_INTEREST, DAY)
    assert ticks is not None
    assert ticks["open_interest"].to_list() == [90.5, 91, 92]
    assert ticks["exchange_timestamp"].dt.to_string("%H:%M").to_list() == ["00:00", "00:10", "00:15"]
    assert condition(backfiller, UM, "BTCUSDT", Stream.OPEN_INTEREST, DAY) == (
        "degraded",
        ["no_arrival_time:", "note:open_interest_every_5m"],
    )


def test_settled_funding_of_a_month_is_imported_day_by_day(archive: Archive, backfiller: Backfiller) -> None:
    header = "calc_time,funding_interval_hours,last_funding_rate\n"
    second = date(2025, 5, 2)
    rows = f"{ms(DAY) + 7},8,0.0001\n{ms(DAY, 28_800)},8,-0.0002\n{ms(second)},8,0.00030000\n"
    name = "BTCUSDT-fundingRate-2025-05"
    path = f"futures/um/monthly/fundingRate/BTCUSDT/{name}.zip"
    archive.put(path, zipped(f"{name}.csv", header + rows), checksum=True)
    reports = backfiller.run(UM, "BTCUSDT", DAY, second, Stream.FUNDING_RATE)
    assert [report.ticks for report in reports] == [{"funding_rate": 2}, {"funding_rate": 1}]
    assert archive.count(".zip") == 1
    ticks = backfiller.ticks(UM, "BTCUSDT", Stream.FUNDING_RATE, DAY)
    assert ticks is not None
    assert ticks["funding_rate"].to_list() == [0.0001, -0.0002]
    with backfiller.lake.engine.connect() as connection:
        (record,) = read_imports(connection)
    assert record.ticks == {"funding_rate": 3}


def test_a_utc_day_of_okx_needs_two_files(archive: Archive, backfiller: Backfiller) -> None:
    first, second = date(2025, 5, 1), date(2025, 5, 2)
    put_okx_trades(archive, first, okx_trade(1, ms(DAY, -8 * 3_600)) + okx_trade(2, ms(DAY)) + okx_trade(3, ms(DAY, 9)))
    backfiller.now = day_start_us(second) + DAY_US
    (report,) = backfiller.run(OKX, SWAP, DAY, DAY, Stream.TRADES, contracts=SIZES)
    assert (report.outcome, report.paths) == (
        "not_yet",
        (f"okex/traderecords/trades/daily/20250502/{SWAP}-trades-2025-05-02.zip",),
    )
    assert backfiller.ticks(OKX, SWAP, Stream.TRADES, DAY) is None
    put_okx_trades(archive, second, okx_trade(4, ms(DAY, 16 * 3_600)) + okx_trade(5, ms(second)))
    (report,) = backfiller.run(OKX, SWAP, DAY, DAY, Stream.TRADES, contracts=SIZES)
    assert (report.outcome, report.ticks) == ("imported", {"trades": 3})
    ticks = backfiller.ticks(OKX, SWAP, Stream.TRADES, DAY)
    assert ticks is not None
    assert ticks["sequence"].to_list() == [2, 3, 4]
    assert ticks["amount"].to_list() == [0.38] * 3
    assert condition(backfiller, OKX, SWAP, Stream.TRADES, DAY) == ("degraded", ["no_arrival_time:"])


def test_rows_of_another_instrument_are_put_aside(archive: Archive, backfiller: Backfiller) -> None:
    rows = okx_trade(1, ms(DAY)) + okx_trade(2, ms(DAY)).replace("BTC", "ETH")
    put_okx_trades(archive, DAY, rows)
    put_okx_trades(archive, date(2025, 5, 2), "")
    (report,) = backfiller.run(OKX, SWAP, DAY, DAY, Stream.TRADES, contracts=SIZES)
    assert (report.ticks, report.rejected) == ({"trades": 1}, {"other_instrument": 1})


def test_half_a_day_is_imported_as_such_when_the_archive_lacks_the_other(
    archive: Archive, backfiller: Backfiller
) -> None:
    put_okx_trades(archive, DAY, okx_trade(2, ms(DAY)) + okx_trade(3, ms(DAY, 9)))
    (report,) = backfiller.run(OKX, SWAP, DAY, DAY, Stream.TRADES, contracts=SIZES)
    assert (report.outcome, report.ticks) == ("partly", {"trades": 2})
    with backfiller.lake.engine.connect() as connection:
        (missing,) = Judgement(connection, OKX, [str(venue_of(OKX).symbol(SWAP))], [Stream.TRADES], DAY, DAY).missing(
            str(venue_of(OKX).symbol(SWAP)), Stream.TRADES
        )
    assert missing.detail == "not_in_archive"
    assert missing.begin == day_start_us(DAY) + 16 * 3_600 * 1_000_000
    # Once the other one is there, the day is made whole.
    put_okx_trades(archive, date(2025, 5, 2), okx_trade(4, ms(DAY, 16 * 3_600)))
    (report,) = backfiller.run(OKX, SWAP, DAY, DAY, Stream.TRADES, contracts=SIZES)
    assert (report.outcome, report.ticks) == ("imported", {"trades": 3})
    assert condition(backfiller, OKX, SWAP, Stream.TRADES, DAY) == ("degraded", ["no_arrival_time:"])


def put_candles(archive: Archive, day: date, *rows: str, header: bool = True) -> None:
    name = f"{SWAP}-candlesticks-{day}"
    columns = "instrument_name,open,high,low,close,vol,vol_ccy,vol_quote,open_time,confirm\n"
    content = (columns if header else "") + "".join(f"{SWAP},1,1,1,1,{row},1,1746057600000,1\n" for row in rows)
    archive.put(f"okex/traderecords/candlesticks/daily/{day:%Y%m%d}/{name}.zip", zipped(f"{name}.csv", content))


@pytest.mark.parametrize("header", [True, False])
def test_the_size_of_a_contract_is_that_of_the_day(archive: Archive, backfiller: Backfiller, *, header: bool) -> None:
    for day in (DAY, date(2025, 5, 2)):
        put_okx_trades(archive, day, okx_trade(day.day, ms(DAY, 3_600 * 12 * day.day), size="2"))
    put_candles(archive, DAY, "1199,1199.0", "0,0", "3,3", header=header)
    (report,) = backfiller.run(OKX, SWAP, DAY, DAY, Stream.TRADES, contracts=SIZES)
    assert report.outcome == "imported"
    ticks = backfiller.ticks(OKX, SWAP, Stream.TRADES, DAY)
    assert ticks is not None
    assert ticks["amount"].to_list() == [2.0]
    assert not (backfiller.lake.home / "archives" / "okx_static").exists()


def test_the_ledger_remembers_the_size_that_a_contract_had(archive: Archive, backfiller: Backfiller) -> None:
    for day in (DAY, date(2025, 5, 2)):
        put_okx_trades(archive, day, okx_trade(day.day, ms(DAY, 3_600 * 12), size="2"))
    symbol = venue_of(OKX).symbol(SWAP)
    for size, time in ((Fraction(10), DAY_US * 10_000), (Fraction(1), day_start_us(date(2025, 6, 1)))):
        with begin_write(backfiller.lake.engine) as connection:
            remember_instruments(connection, OKX, [Instrument(SWAP, symbol, size)], time, whole=True)
    (report,) = backfiller.run(OKX, SWAP, DAY, DAY, Stream.TRADES)
    assert report.outcome == "imported"
    ticks = backfiller.ticks(OKX, SWAP, Stream.TRADES, DAY)
    assert ticks is not None
    assert ticks["amount"].to_list() == [20.0]


def test_a_day_on_which_the_size_of_a_contract_changed_is_refused(archive: Archive, backfiller: Backfiller) -> None:
    for day in (DAY, date(2025, 5, 2)):
        put_okx_trades(archive, day, okx_trade(day.day, ms(DAY, 3_600 * 12)))
    put_candles(archive, DAY, "100,1", "100,10")
    (report,) = backfiller.run(OKX, SWAP, DAY, DAY, Stream.TRADES, contracts=SIZES)
    assert report.error is not None
    assert report.error.code == "contract_size_changed"


def test_contracts_of_unknown_size_are_refused(archive: Archive, backfiller: Backfiller) -> None:
    for day in (DAY, date(2025, 5, 2)):
        put_okx_trades(archive, day, okx_trade(day.day, ms(DAY, 3_600 * 12)))
    (report,) = backfiller.run(OKX, SWAP, DAY, DAY, Stream.TRADES)
    assert report.error is not None
    assert report.error.code == "contract_size_needed"


def book_line(action: str, time: int, bids: list[list[str]], asks: list[list[str]]) -> str:
    return json.dumps({"instId": SWAP, "action": action, "ts": str(time), "bids": bids, "asks": asks}) + "\n"


@pytest.mark.parametrize(
    ("day", "folder"),
    [
        (date(2026, 6, 14), "L2"),
        (date(2026, 6, 14), "pro/L2"),
        (date(2026, 6, 15), "pro/L2"),
        (date(2026, 6, 15), "L2"),
        (date(2026, 9, 1), "pro/L2"),
    ],
)
def test_books_of_okx_are_kept_and_found_at_either_place(
    archive: Archive, backfiller: Backfiller, day: date, folder: str
) -> None:
    lines = [
        book_line("snapshot", ms(day, 0.001), [["100", "5", "1"], ["99", "7", "2"]], [["101", "2", "1"]]),
        book_line("update", ms(day, 1), [["98", "1", "1"]], []),
        book_line("update", ms(day, 2), [["98", "1", "1"]], []),
        "not json\n",
        book_line("update", ms(day, 3), [["100", "0", "0"]], [["101", "4", "1"]]),
        book_line("update", ms(day, 86_400), [["97", "1", "1"]], []),
    ]
    name = f"{SWAP}-L2orderbook-400lv-{day}"
    path = f"okx/match/orderbook/{folder}/400lv/daily/{day:%Y%m%d}/{name}.tar.gz"
    archive.put(path, tarred(f"{SWAP}.data", "".join(lines).encode()))
    (report,) = backfiller.run(OKX, SWAP, day, day, Stream.BOOK, Stream.QUOTES, contracts=SIZES)
    assert (report.outcome, report.ticks) == ("imported", {"book": 3, "quotes": 2})
    assert (report.rejected, report.ignored) == ({"malformed": 1}, {"other_day": 1})
    book = backfiller.ticks(OKX, SWAP, Stream.BOOK, day)
    assert book is not None
    last = book.rows(named=True)[-1]
    assert (last["bid_price_01"], last["bid_amount_01"], last["ask_amount_01"]) == (99.0, 0.07, 0.04)
    assert last["bid_price_03"] is None
    quotes = backfiller.ticks(OKX, SWAP, Stream.QUOTES, day)
    assert quotes is not None
    assert quotes.select("bid_price", "bid_amount", "ask_price", "ask_amount").rows() == [
        (100.0, 0.05, 101.0, 0.02),
        (99.0, 0.07, 101.0, 0.04),
    ]


def test_a_book_is_unknown_until_its_first_snapshot(archive: Archive, backfiller: Backfiller) -> None:
    lines = [
        book_line("update", ms(DAY), [["98", "1", "1"]], []),
        book_line("snapshot", ms(DAY, 900), [["100", "5", "1"]], [["101", "2", "1"]]),
    ]
    path = f"okx/match/orderbook/L2/400lv/daily/20250501/{SWAP}-L2orderbook-400lv-2025-05-01.tar.gz"
    archive.put(path, tarred(f"{SWAP}.data", "".join(lines).encode()))
    (report,) = backfiller.run(OKX, SWAP, DAY, DAY, Stream.BOOK, contracts=SIZES)
    assert (report.ticks, report.ignored) == ({"book": 1}, {"update_of_unknown_book": 1})
    assert condition(backfiller, OKX, SWAP, Stream.BOOK, DAY)[1][0] == "gap:no_snapshot"


def test_funding_of_okx_is_read_of_both_days(archive: Archive, backfiller: Backfiller) -> None:
    for day, hours in ((DAY, (-8, 0, 8)), (date(2025, 5, 2), (16, 24, 32))):
        rows = "".join(
            f"{name},0.000{hour % 7 + 1},{ms(DAY, hour * 3_600)}\n" for hour in hours for name in (SWAP, "X-USDT-SWAP")
        )
        name = f"allswap-fundingrates-{day}"
        path = f"okex/traderecords/swaprates/daily/{day:%Y%m%d}/{name}.zip"
        archive.put(path, zipped(f"{name}.csv", "instrument_name,funding_rate,funding_time\n" + rows))
    (report,) = backfiller.run(OKX, SWAP, DAY, DAY, Stream.FUNDING_RATE)
    assert (report.outcome, report.ticks) == ("imported", {"funding_rate": 3})
    ticks = backfiller.ticks(OKX, SWAP, Stream.FUNDING_RATE, DAY)
    assert ticks is not None
    assert ticks["exchange_timestamp"].dt.hour().to_list() == [0, 8, 16]


def fill(number: int, time: int, *, crossed: bool, side: str = "B", coin: str = "BTC") -> dict[str, object]:
    told = {"coin": coin, "px": "100.5", "sz": "0.2", "side": side, "time": time, "tid": number, "crossed": crossed}
    return told | {"hash": "0x", "oid": 1, "fee": "0", "dir": "Open Long"}


def test_trades_of_hyperliquid_are_the_fills_of_takers_once(archive: Archive, backfiller: Backfiller) -> None:
    day = date(2025, 8, 2)
    pairs: dict[tuple[date, int], list[tuple[int, float]]] = {
        (date(2025, 8, 1), 23): [(1, -5), (2, 1)],
        (day, 0): [(2, 1), (3, 2)],
        (date(2025, 8, 3), 0): [(4, 86_399.9), (5, 86_400)],
    }
    for hour in range(1, 24):
        pairs[day, hour] = []
    for (each, hour), fills in pairs.items():
        events: list[list[object]] = [
            ["0xwallet", fill(number, ms(day, second), crossed=crossed, side="B" if crossed else "A")]
            for number, second in fills
            for crossed in (False, True)
        ]
        events.append(["0xwallet", fill(99, ms(day, 3), crossed=True, coin="ETH")])
        block = json.dumps({"local_time": "x", "block_number": 1, "events": events}) + "\n"
        archive.put(f"node_fills_by_block/hourly/{each:%Y%m%d}/{hour}.lz4", framed(block.encode()))
    (report,) = backfiller.run(HYPERLIQUID, ("BTC", "ETH"), day, day, Stream.TRADES)
    assert report.outcome == "imported"
    ticks = backfiller.ticks(HYPERLIQUID, "BTC", Stream.TRADES, day)
    assert ticks is not None
    assert ticks["id"].to_list() == ["2", "3", "4"]
    assert set(ticks["side"]) == {"buy"}
    assert ticks["sequence"].null_count() == 3
    other = backfiller.ticks(HYPERLIQUID, "ETH", Stream.TRADES, day)
    assert other is not None
    assert other["id"].to_list() == ["99"]


def test_older_trades_of_hyperliquid_have_forms_of_their_own(archive: Archive, backfiller: Backfiller) -> None:
    day = date(2025, 5, 25)
    for hour in range(24):
        if hour < 14:
            parties = [{"user": "a", "oid": 7}, {"user": "b", "oid": 8}]
            line = {"coin": "BTC", "side": "A", "time": f"2025-05-25T{hour:02}:00:01.123456789", "px": "1.5", "sz": "2"}
            text = json.dumps(line | {"hash": f"0x{hour}", "side_info": parties})
            folder = "node_trades"
        else:
            text = json.dumps(["0xwallet", fill(hour, ms(day, hour * 3_600), crossed=hour % 2 == 0)])
            folder = "node_fills"
        archive.put(f"{folder}/hourly/20250525/{hour}.lz4", framed(text.encode()))
    (report,) = backfiller.run(HYPERLIQUID, "BTC", day, day, Stream.TRADES)
    assert (report.outcome, report.ticks) == ("imported", {"trades": 14 + 5})
    ticks = backfiller.ticks(HYPERLIQUID, "BTC", Stream.TRADES, day)
    assert ticks is not None
    first = ticks.rows(named=True)[0]
    assert (first["id"], first["side"]) == ("0x0-7-8", "sell")
    assert first["exchange_timestamp"] == datetime(2025, 5, 25, 0, 0, 1, 123_456, UTC)


def test_contexts_of_hyperliquid_leave_out_what_is_absent(archive: Archive, backfiller: Backfiller) -> None:
    day = date(2023, 6, 8)
    header = (
        "time,coin,funding,open_interest,prev_day_px,day_ntl_vlm,premium,oracle_px,mark_px,mid_px,impact_bid_px,"
        "impact_ask_px\n"
    )
    rows = (
        "2023-06-08T00:00:00Z,BTC,0.0008,10,1,1,0,101,100,1,1,1\n"
        "2023-06-08 00:10:00,BTC,0.0001,11,1,1,0,102,0,1,1,1\n"
        "2023-06-08 00:10:20.5,BTC,0.0001,12,1,1,0,102,103,1,1,1\n"
        "2023-06-08 00:11:00,BTC,0.0001,-3,1,1,0,102,104,1,1,1\n"
        "2023-06-08 00:11:00,ETH,0.0001,3,1,1,0,102,104,1,1,1\n"
    )
    archive.put("asset_ctxs/20230608.csv.lz4", framed((header + rows).encode()))
    streams = (Stream.MARK_PRICE, Stream.INDEX_PRICE, Stream.FUNDING_RATE, Stream.OPEN_INTEREST)
    (report,) = backfiller.run(HYPERLIQUID, "BTC", day, day, *streams)
    assert report.rejected == {"bad_number": 1}
    found = {stream: backfiller.ticks(HYPERLIQUID, "BTC", stream, day) for stream in streams}
    values = {stream: None if ticks is None else ticks[stream].to_list() for stream, ticks in found.items()}
    assert values == {
        Stream.MARK_PRICE: [100, 103],
        Stream.INDEX_PRICE: [101, 102, 102],
        Stream.FUNDING_RATE: [0.0001, 0.0001],
        Stream.OPEN_INTEREST: [10, 11, 12],
    }
    marks = found[Stream.MARK_PRICE]
    assert marks is not None
    assert marks["exchange_timestamp"].dt.second().to_list() == [3, 23]


def test_a_day_without_any_trade_is_a_day_that_was_read(archive: Archive, backfiller: Backfiller) -> None:
    put_trades(archive, DAY, "")
    for outcome in ("imported", "held"):
        (report,) = backfiller.run(UM, "BTCUSDT", DAY, DAY, Stream.TRADES)
        assert (report.outcome, report.ticks) == (outcome, {})


def test_days_of_an_archive_count_as_missing_on_the_true_clock(archive: Archive, backfiller: Backfiller) -> None:
    put_trades(archive, DAY, trade(1, ms(DAY)))
    backfiller.run(UM, "BTCUSDT", DAY, DAY, Stream.TRADES)
    symbol = str(venue_of(UM).symbol("BTCUSDT"))
    missing = {}
    for clock in Clock:
        with backfiller.lake.engine.connect() as connection:
            judgement = Judgement(connection, UM, [symbol], [Stream.TRADES], DAY, DAY, clock)
        missing[clock] = judgement.verdict(symbol, [Stream.TRADES], DAY, DAY).days_missing
    assert missing == {Clock.EXCHANGE: (), Clock.TRUE: (DAY,)}
