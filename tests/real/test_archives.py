"""Rows of the real archives, and recordings in the layout of the archives."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.engine.backfill.archive_server import Archive, archive_server, tarred, zipped
from tests.engine.backfill.conftest import Backfiller

from aperiodic.completeness.gaps import read_gaps
from aperiodic.engine.build import build
from aperiodic.engine.importing import import_recordings
from aperiodic.engine.importing.files import Lines, SourceFile
from aperiodic.engine.importing.lines import read_line
from aperiodic.lake import Lake, ObjectKey, ObjectKind, Settings
from aperiodic.market import Clock, Exchange, Interval, Stream
from aperiodic.venues import Contract, venue_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UM, SPOT, OKX, HYPERLIQUID = (
    Exchange.BINANCE_FUTURES,
    Exchange.BINANCE,
    Exchange.OKX_PERPS,
    Exchange.HYPERLIQUID_PERPS,
)


OKX_TABLES = {table.name: table for table in venue_of(OKX).archives}


@pytest.fixture
def archive() -> Iterator[Archive]:
    with archive_server() as server:
        yield server


@pytest.fixture
def backfiller(lake: Lake, archive: Archive) -> Backfiller:
    return Backfiller(lake, archive)


def at(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)  # type: ignore[arg-type,misc]


def put_binance(archive: Archive, folder: Path, market: str, kind: str, name: str) -> None:
    path = f"{market}/daily/{kind}/{name.partition('-')[0]}/{name}"
    archive.files[path] = (folder / name).read_bytes()
    archive.files[f"{path}.CHECKSUM"] = (folder / f"{name}.CHECKSUM").read_bytes()


def test_trades_of_futures_are_in_ms_though_it_is_2025(
    real_data: Path, archive: Archive, backfiller: Backfiller
) -> None:
    put_binance(archive, real_data / "archives/binance-um", "futures/um", "trades", "BTCUSDT-trades-2025-01-01.zip")
    day = date(2025, 1, 1)
    (report,) = backfiller.run(UM, "BTCUSDT", day, day, Stream.TRADES)
    assert report.ticks == {"trades": 3}
    ticks = backfiller.ticks(UM, "BTCUSDT", Stream.TRADES, day)
    assert ticks is not None
    assert ticks["exchange_timestamp"].to_list() == [
        at(2025, 1, 1, 0, 0, 0, 51_000),
        at(2025, 1, 1, 0, 0, 0, 51_000),
        at(2025, 1, 1, 0, 0, 5, 48_000),
    ]
    assert ticks["side"].to_list() == ["buy", "buy", "sell"]
    assert ticks["id"].to_list() == ["5793017800", "5793017801", "5793017802"]
    assert ticks["price"].to_list() == [93548.8, 93548.8, 93548.7]
    assert ticks["amount"].to_list() == [0.036, 0.02, 0.002]
    assert ticks["local_timestamp"].null_count() == 3


def test_interleaved_halves_of_book_tickers_are_put_in_order(
    real_data: Path, archive: Archive, backfiller: Backfiller
) -> None:
    name = "ETHUSDT-bookTicker-2024-01-15.zip"
    put_binance(archive, real_data / "archives/binance-um", "futures/um", "bookTicker", name)
    day = date(2024, 1, 15)
    backfiller.run(UM, "ETHUSDT", day, day, Stream.QUOTES)
    ticks = backfiller.ticks(UM, "ETHUSDT", Stream.QUOTES, day)
    assert ticks is not None
    assert ticks["sequence"].to_list() == [
        3831603310013,
        3831603310668,
        3831603313269,
        3835812359996,
        3835812361675,
    ]
    # Events of 1705276800005, …016, …050, 1705350085401, …427; ticks have the time of the matching engine.
    milliseconds = (ticks["exchange_timestamp"].to_physical() // 1_000).to_list()
    assert milliseconds == [1705276800000, 1705276800011, 1705276800044, 1705350085394, 1705350085422]
    assert ticks["ask_amount"].to_list() == [44.757, 44.757, 44.412, 14.668, 14.668]


def test_open_interest_is_known_five_minutes_later(real_data: Path, archive: Archive, backfiller: Backfiller) -> None:
    put_binance(archive, real_data / "archives/binance-um", "futures/um", "metrics", "BTCUSDT-metrics-2025-10-07.zip")
    day = date(2025, 10, 7)
    (report,) = backfiller.run(UM, "BTCUSDT", day, day, Stream.OPEN_INTEREST)
    assert report.outcome == "partly"
    ticks = backfiller.ticks(UM, "BTCUSDT", Stream.OPEN_INTEREST, day)
    assert ticks is not None
    assert ticks.select("exchange_timestamp", "open_interest").rows() == [(at(2025, 10, 7, 0, 5), 100243.058)]


def test_trades_of_okx_are_of_the_day_before_in_utc(real_data: Path, archive: Archive, backfiller: Backfiller) -> None:
    content = (real_data / "archives/okx/MATIC-USDT-SWAP-trades-2023-08-21.zip").read_bytes()
    archive.put("okex/traderecords/trades/daily/20230821/MATIC-USDT-SWAP-trades-2023-08-21.zip", content)
    day = date(2023, 8, 20)
    size = {"MATIC-USDT-SWAP": Contract(10, 1, inverse=False)}
    (report,) = backfiller.run(OKX, "MATIC-USDT-SWAP", day, day, Stream.TRADES, contracts=size)
    assert report.outcome == "partly"
    assert report.paths == ("okex/traderecords/trades/daily/20230820/MATIC-USDT-SWAP-trades-2023-08-20.zip",)
    ticks = backfiller.ticks(OKX, "MATIC-USDT-SWAP", Stream.TRADES, day)
    assert ticks is not None
    assert ticks["sequence"].to_list() == list(range(104136693, 104136707))
    minute = ticks.filter(pl.col("exchange_timestamp").dt.truncate("1m") == at(2023, 8, 20, 16, 1))
    prices = minute["price"]
    assert (prices[0], prices.max(), prices.min(), prices[-1]) == (0.5747, 0.5748, 0.5744, 0.5744)
    assert minute["amount"].sum() == pytest.approx(11_990, rel=1e-12)
    assert (minute["amount"] * minute["price"]).sum() == pytest.approx(6_889.352, rel=1e-12)


def test_an_archived_book_of_hyperliquid_has_the_time_of_the_exchange(
    real_data: Path, archive: Archive, backfiller: Backfiller
) -> None:
    content = (real_data / "archives/hyperliquid/l2Book_SOL_20260401_0.lz4").read_bytes()
    archive.put("market_data/20260401/0/l2Book/SOL.lz4", content)
    day = date(2026, 4, 1)
    (report,) = backfiller.run(HYPERLIQUID, "SOL", day, day, Stream.BOOK, Stream.QUOTES)
    assert report.ticks == {"book": 1, "quotes": 1}
    assert len(report.paths) == 23
    quotes = backfiller.ticks(HYPERLIQUID, "SOL", Stream.QUOTES, day)
    assert quotes is not None
    (row,) = quotes.rows(named=True)
    assert (row["bid_price"], row["ask_price"]) == (83.141, 83.158)
    assert row["exchange_timestamp"] == at(2026, 4, 1, 0, 0, 12, 17_000)
    assert archive.headers[0]["x-amz-request-payer"] == "requester"


def frames(path: Path) -> Iterator[Any]:
    for _, batch in Lines(SourceFile.look_at(path)):
        for text in batch:
            line = read_line(text) if text else None
            if line is not None and line.local is not None and line.frame:
                yield json.loads(line.frame)


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Lake]:
    """Another installation, for recordings."""
    opened = Lake.open(Settings(home=tmp_path / "recorded"))
    yield opened
    opened.close()


def ticks_of(lake: Lake, exchange: Exchange, native: str, stream: Stream, day: date) -> pl.DataFrame:
    record = lake.find(ObjectKey.ticks(stream, exchange, venue_of(exchange).symbol(native), day))
    assert record is not None
    return lake.store.read_parquet(record.path).drop("local_timestamp")


def test_recorded_trades_in_the_layout_of_the_archive_give_the_same_ticks(
    real_data: Path, archive: Archive, backfiller: Backfiller, recorded: Lake
) -> None:
    paths = [real_data / f"binance-usdm/ws_raw/btcusdt_202304{day}.dat.gz" for day in ("04", "05")]
    import_recordings(recorded, UM, paths)
    days: dict[date, list[str]] = {}
    left_out = []
    for path in paths:
        for frame in frames(path):
            trade = frame.get("data", {})
            if trade.get("e") != "trade":
                continue
            if trade["X"] != "MARKET":
                left_out.append(trade["t"])
                continue
            day = datetime.fromtimestamp(trade["T"] / 1000, UTC).date()
            maker = str(trade["m"]).lower()
            days.setdefault(day, []).append(f"{trade['t']},{trade['p']},{trade['q']},0,{trade['T']},{maker}")
    for day, rows in days.items():
        name = f"BTCUSDT-trades-{day}"
        # As the archive did at times: one file with a header, one without.
        header = "id,price,qty,quote_qty,time,is_buyer_maker\n" if day.day == 4 else ""
        content = header + "\n".join(rows) + "\n"
        archive.put(f"futures/um/daily/trades/BTCUSDT/{name}.zip", zipped(f"{name}.csv", content), checksum=True)
    reports = backfiller.run(UM, "BTCUSDT", date(2023, 4, 4), date(2023, 4, 5), Stream.TRADES)
    assert [report.outcome for report in reports] == ["imported", "imported"]
    for day in days:
        expected = ticks_of(recorded, UM, "BTCUSDT", Stream.TRADES, day)
        assert_frame_equal(ticks_of(backfiller.lake, UM, "BTCUSDT", Stream.TRADES, day), expected)
    assert [sum(report.ticks.values()) for report in reports] == [2_197, 10_737]
    with backfiller.lake.engine.connect() as connection:
        gaps = read_gaps(connection, UM, str(venue_of(UM).symbol("BTCUSDT")), Stream.TRADES)
    assert [(gap.before_sequence, gap.cause) for gap in gaps] == [(number, "not_in_archive") for number in left_out]
    assert len(left_out) == 1


def test_archived_trades_give_the_official_candle_and_no_bars_on_the_true_clock(
    real_data: Path, archive: Archive, backfiller: Backfiller
) -> None:
    path = real_data / "binance-usdm/trades/BTCUSDT.trades.20241028T1542_1700.csv.gz"
    trades = pl.read_csv(path).with_row_index("id", 1)
    rows = trades.select(
        pl.concat_str(
            "id",
            "price",
            "size",
            pl.lit("0"),
            pl.col("time") // 1_000_000,
            pl.when(pl.col("side") < 0).then(pl.lit("true")).otherwise(pl.lit("false")),
            separator=",",
        )
    ).to_series()
    name = "BTCUSDT-trades-2024-10-28"
    content = "\n".join(rows) + "\n"
    archive.put(f"futures/um/daily/trades/BTCUSDT/{name}.zip", zipped(f"{name}.csv", content), checksum=True)
    day = date(2024, 10, 28)
    (report,) = backfiller.run(UM, "BTCUSDT", day, day, Stream.TRADES)
    assert report.ticks == {"trades": 75_596}
    build(backfiller.lake, workers=None)
    held = {record.key.clock for record in backfiller.lake.current(ObjectKind.BARS)}
    assert held == {Clock.EXCHANGE}
    symbol = venue_of(UM).symbol("BTCUSDT")
    key = ObjectKey.bars("ohlcv", Clock.EXCHANGE, Interval("15m"), UM, symbol, day)
    record = backfiller.lake.find(key)
    assert record is not None
    assert record.source == "archive"
    bars = backfiller.lake.store.read_parquet(record.path)
    official = pl.read_ipc(real_data / "binance-usdm/klines_15m/BTC_USDT_USDT-15m-futures.20241028T12_17.feather")
    moment = at(2024, 10, 28, 16, 45)
    (bar,) = bars.filter(pl.col("time") == moment.replace(tzinfo=None)).rows(named=True)
    (candle,) = official.filter(pl.col("date") == moment).rows(named=True)
    for field in ("open", "high", "low", "close"):
        assert bar[field] == candle[field]
    assert bar["volume"] == pytest.approx(2_627.097, rel=1e-12)


def test_recorded_books_and_trades_of_okx_in_the_layout_of_the_archive_give_the_same_ticks(
    real_data: Path, archive: Archive, backfiller: Backfiller, recorded: Lake
) -> None:
    folder = real_data / "okx/ws_raw_20210722"
    import_recordings(recorded, OKX, [folder / "OKEX.ws.1.0", folder / "OKEX.0"])
    day, name = date(2021, 7, 22), "XMR-USDT-SWAP"
    trades, lines = [], []
    for frame in frames(folder / "OKEX.ws.1.0"):
        channel = frame.get("arg", {})
        if channel.get("instId") != name or "data" not in frame:
            continue
        for row in frame["data"]:
            if channel["channel"] == "trades":
                trades.append(f"{name},{row['tradeId']},{row['side']},{row['px']},{row['sz']},{row['ts']},0")
            elif channel["channel"] == "books-l2-tbt":
                sides = {
                    side: [[price, size, orders] for price, size, _, orders in row[side]] for side in ("asks", "bids")
                }
                lines.append(json.dumps({"instId": name, "action": frame["action"], "ts": row["ts"], **sides}))
    header = "instrument_name,trade_id,side,price,size,created_time,source\r\n"
    content = header + "".join(f"{row}\r\n" for row in trades)
    # 23:15 UTC is of the next day there.
    for named, rows in (("2021-07-23", content), ("2021-07-22", header)):
        path = f"okex/traderecords/trades/daily/{named.replace('-', '')}/{name}-trades-{named}.zip"
        archive.put(path, zipped(f"{name}-trades-{named}.csv", rows))
    book = f"okx/match/orderbook/L2/400lv/daily/20210722/{name}-L2orderbook-400lv-2021-07-22"
    archive.put(f"{book}.tar.gz", tarred(f"{name}.data", "".join(f"{line}\n" for line in lines).encode()))
    size = {name: Contract(1, 10, inverse=False)}
    table, books = OKX_TABLES["trades"], OKX_TABLES["L2orderbook-400lv"]
    for each, streams in ((table, (Stream.TRADES,)), (books, (Stream.BOOK, Stream.QUOTES))):
        (report,) = backfiller.run_table(OKX, name, each, day, *streams, contracts=size)
        assert (report.outcome, report.rejected) == ("imported", {})
    for stream in (Stream.BOOK, Stream.QUOTES):
        expected = ticks_of(recorded, OKX, name, stream, day).drop("sequence")
        assert expected.height > 50
        assert_frame_equal(ticks_of(backfiller.lake, OKX, name, stream, day).drop("sequence"), expected)
    expected = ticks_of(recorded, OKX, name, Stream.TRADES, day)
    # The recording leaves out what its first frame tells of the time before it.
    archived = ticks_of(backfiller.lake, OKX, name, Stream.TRADES, day)
    assert archived.height >= expected.height > 0
    assert_frame_equal(archived.filter(pl.col("sequence").is_in(expected["sequence"].to_list())), expected)
