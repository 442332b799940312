"""What frames and rows mean where venues are least regular: names, numbers that begin anew, values out of range."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from tests.engine.importing.frames import depth, line, quote, snapshot, trade, write

from aperiodic.completeness.gaps import read_gaps
from aperiodic.engine.importing import FileReport, import_recordings, import_tardis
from aperiodic.lake import Lake, ObjectKind
from aperiodic.market import Exchange, Stream

if TYPE_CHECKING:
    from pathlib import Path

FUTURES = Exchange.BINANCE_FUTURES
BTC = "perpetual-BTC-USDT:USDT"
LIFE = "币安人生USDT"
TARDIS_TRADES = b"exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
MIDNIGHT = 1_760_918_400_000_000
HOUR_MS = 3_600_000


def take(lake: Lake, path: Path, exchange: Exchange = FUTURES) -> FileReport:
    (report,) = import_recordings(lake, exchange, [path])
    return report


def ticks(lake: Lake, stream: Stream, symbol: str | None = None) -> pl.DataFrame:
    days = lake.current(ObjectKind.TICKS, dataset=stream, symbol=symbol)
    return pl.concat([lake.store.read_parquet(day.path) for day in days])


def held(lake: Lake, stream: Stream) -> list[str]:
    return sorted({record.key.symbol for record in lake.current(ObjectKind.TICKS, dataset=stream)})


def gaps(lake: Lake, exchange: Exchange = FUTURES) -> list[tuple[str, int, int]]:
    with lake.engine.connect() as connection:
        return [(gap.stream, gap.after_sequence, gap.before_sequence) for gap in read_gaps(connection, exchange)]


def update(at: int, first: int, last: int, previous: int, bid: tuple[str, str], symbol: str = "BTCUSDT") -> bytes:
    data = {"e": "depthUpdate", "E": 1_680_652_700_000 + at, "T": 1_680_652_700_000 + at, "s": symbol}
    levels = {"U": first, "u": last, "pu": previous, "b": [bid], "a": []}
    return line(at, {"stream": f"{symbol.lower()}@depth@0ms", "data": data | levels})


def rest_book(at: int, number: int, bids: list[tuple[str, str]]) -> bytes:
    return line(at, {"lastUpdateId": number, "bids": bids, "asks": [("999999", "1")]})


@pytest.mark.parametrize("escaped", [False, True])
def test_a_snapshot_of_one_coin_never_becomes_the_book_of_another(lake: Lake, tmp_path: Path, *, escaped: bool) -> None:
    lines = [
        update(1, 1000, 1010, 999, ("110000.0", "1.0")),
        update(2, 1011, 1020, 1005, ("0.30", "100"), LIFE),
        update(3, 1011, 1030, 1010, ("109999.9", "2.0")),
        rest_book(4, 1020, [("0.30", "100"), ("0.29", "200")]),
        update(5, 1031, 1040, 1020, ("0.30", "150"), LIFE),
        update(6, 1041, 1050, 1030, ("110000.0", "1.5")),
    ]
    if not escaped:
        lines = [each.decode().encode().replace(b"\\u5e01\\u5b89\\u4eba\\u751f", "币安人生".encode()) for each in lines]
    report = take(lake, write(tmp_path / "a", *lines))
    assert report.rejected == {"unattributed_snapshot": 1}
    assert held(lake, Stream.BOOK) == []


def test_a_name_that_is_not_ascii_has_its_book(lake: Lake, tmp_path: Path) -> None:
    lines = [
        update(1, 1011, 1020, 1005, ("0.30", "100"), LIFE),
        rest_book(2, 1035, [("0.30", "100"), ("0.29", "200")]),
        update(3, 1021, 1040, 1020, ("0.30", "150"), LIFE),
        update(4, 1041, 1050, 1040, ("0.30", "151"), LIFE),
    ]
    take(lake, write(tmp_path / "a", *lines))
    book = ticks(lake, Stream.BOOK)
    assert held(lake, Stream.BOOK) == ["perpetual-币安人生-USDT:USDT"]
    assert book.select("bid_price_01", "bid_amount_01").rows() == [(0.3, 150.0), (0.3, 151.0)]


@pytest.mark.parametrize("split", [False, True])
def test_trades_whose_numbers_begin_anew_are_all_kept(lake: Lake, tmp_path: Path, *, split: bool) -> None:
    old = [trade(number, q="1") for number in range(1, 6)]
    new = [trade(number, q="1000000", T=1_680_652_700_000 + 6 * HOUR_MS + number) for number in range(1, 6)]
    if split:  # the later file first: nothing in either tells of a restart
        reports = [take(lake, write(tmp_path / "b", *new)), take(lake, write(tmp_path / "a", *old))]
    else:
        reports = [take(lake, write(tmp_path / "a", *old, *new))]
        assert reports[0].notes == ["sequence_reset"]
    assert [report.duplicates for report in reports] == [{}] * len(reports)
    assert [report.gaps for report in reports] == [[]] * len(reports)
    held_trades = ticks(lake, Stream.TRADES)
    assert held_trades["sequence"].to_list() == [1, 2, 3, 4, 5] * 2
    assert held_trades["amount"].sum() == 5_000_005
    assert gaps(lake) == []


def test_books_and_quotes_go_on_where_numbers_begin_anew(lake: Lake, tmp_path: Path) -> None:
    def best(at: int, number: int, price: int) -> bytes:
        data = {"e": "bookTicker", "u": number, "s": "BTCUSDT", "b": str(price), "B": "2", "a": "999", "A": "1"}
        return line(at, {"stream": "btcusdt@bookTicker", "data": data | {"T": 1_680_652_700_000 + at}})

    later = HOUR_MS
    lines = [
        update(0, 991, 1000, 990, ("100", "1")),
        rest_book(1, 1000, [("100", "1")]),
        update(2, 1001, 1010, 1000, ("100", "2")),
        best(3, 1010, 100),
        update(later, 1, 10, 0, ("200", "1")),
        rest_book(later + 1, 10, [("200", "1")]),
        update(later + 2, 11, 20, 10, ("200", "3")),
        best(later + 3, 20, 200),
        update(later + 4, 21, 30, 20, ("200", "4")),
        best(later + 5, 1010, 200),
    ]
    report = take(lake, write(tmp_path / "a", *lines))
    book = ticks(lake, Stream.BOOK)
    assert book["sequence"].to_list() == [1010, 20, 30]
    assert book.select("bid_price_01", "bid_amount_01").rows() == [(100.0, 2.0), (200.0, 3.0), (200.0, 4.0)]
    assert ticks(lake, Stream.QUOTES)["sequence"].to_list() == [1010, 20, 1010]
    assert (report.notes, report.late, report.gaps, gaps(lake)) == (["sequence_reset"], {}, [], [])


def test_numbers_of_tardis_trades_may_begin_anew(lake: Lake, tmp_path: Path) -> None:
    rows = [
        f"binance-futures,LUNAUSDT,{at},{at + 5000},{number},sell,80,0.01\n".encode()
        for begin in (MIDNIGHT, MIDNIGHT + 6 * 3_600_000_000)
        for number in range(1, 6)
        for at in [begin + number * 1_000_000]
    ]
    (report,) = import_tardis(lake, [write(tmp_path / "a", TARDIS_TRADES, *rows)])
    assert (report.ticks, report.duplicates, report.gaps) == ({"trades": 10}, {}, [])
    assert report.notes == ["sequence_reset"]
    assert ticks(lake, Stream.TRADES).height == 10


def test_an_empty_id_is_no_id(lake: Lake, tmp_path: Path) -> None:
    ids = ["", "", "", "7", "7", ""]
    rows = [
        f"hyperliquid,kPEPE,{MIDNIGHT + place},{MIDNIGHT + place + 5},{name},sell,0.01,0.01\n".encode()
        for place, name in enumerate(ids)
    ]
    (report,) = import_tardis(lake, [write(tmp_path / "a", TARDIS_TRADES, *rows)])
    assert report.duplicates == {"trades": 1}
    assert ticks(lake, Stream.TRADES).height == 5


def test_rows_left_out_by_rule_are_rejected_and_no_gap(lake: Lake, tmp_path: Path) -> None:
    rows = [
        f"binance-futures,BTCUSDT,{MIDNIGHT + place},{MIDNIGHT + place + 5},{100 + place},sell,50000,{amount}\n".encode()
        for place, amount in enumerate(["1", "0", "0.0", "1"])
    ]
    (tardis,) = import_tardis(lake, [write(tmp_path / "a", TARDIS_TRADES, *rows)])
    assert (tardis.rejected, tardis.gaps, gaps(lake)) == ({"not_positive": 2}, [], [])
    lines = [trade(1), trade(2, q="0", X="NA"), trade(3, q="0"), trade(4)]
    recorded = take(lake, write(tmp_path / "b", *lines))
    assert (recorded.rejected, recorded.gaps) == ({"not_positive": 1, "off_book_trade": 1}, [])


def spot_trade(number: int, symbol: str) -> bytes:
    data = {"e": "trade", "T": 1_680_652_700_000, "s": symbol, "t": number, "p": "1.5", "q": "1", "m": True, "M": True}
    return line(number, {"stream": f"{symbol.lower()}@trade", "data": data})


def test_names_are_split_at_the_quote_asset_that_fits(lake: Lake, tmp_path: Path) -> None:
    names = ["BTCAEUR", "ETHAEUR", "BTCBUSD", "ADAEUR", "XYZAEUR"]
    report = take(lake, write(tmp_path / "a", *(spot_trade(1, name) for name in names)), Exchange.BINANCE)
    wanted = ["spot-ADA-EUR", "spot-BTC-AEUR", "spot-BTC-BUSD", "spot-ETH-AEUR"]
    assert (held(lake, Stream.TRADES), report.rejected) == (wanted, {"unknown_symbol": 1})


def test_the_list_of_instruments_beside_a_recording_splits_every_name(lake: Lake, tmp_path: Path) -> None:
    listed = b'{"timezone":"UTC","symbols":[{"symbol":"XYZAEUR","baseAsset":"XYZA","quoteAsset":"EUR"}]}\n'
    paths = [write(tmp_path / "exchangeInfo", listed), write(tmp_path / "a", spot_trade(1, "XYZAEUR"))]
    reports = import_recordings(lake, Exchange.BINANCE, paths)
    assert [report.ignored for report in reports] == [{"instruments": 1}, {}]
    assert held(lake, Stream.TRADES) == ["spot-XYZA-EUR"]


def test_futures_frames_are_refused_as_spot(lake: Lake, tmp_path: Path) -> None:
    at = 1_680_652_700_000
    frames = [
        {"e": "trade", "T": at, "s": "BTCUSDT", "t": 1, "p": "100", "q": "1", "X": "MARKET", "m": True},
        {"e": "aggTrade", "E": at, "s": "BTCUSDT", "a": 9, "p": "100", "q": "1", "f": 1, "l": 1, "T": at, "m": True},
        {"e": "bookTicker", "u": 5, "s": "BTCUSDT", "b": "99", "B": "1", "a": "101", "A": "1", "T": at, "E": at},
        {"e": "markPriceUpdate", "E": at, "s": "BTCUSDT", "p": "100.5", "i": "100", "r": "0.0001", "T": at},
        {"symbol": "BTCUSDT", "openInterest": "10", "time": at},
    ]
    path = write(tmp_path / "a", *(line(place, frame) for place, frame in enumerate(frames)))
    report = take(lake, path, Exchange.BINANCE)
    assert (report.ticks, report.rejected) == ({}, {"other_venue": 5})


def test_levels_of_a_book_may_have_a_third_element(lake: Lake, tmp_path: Path) -> None:
    def levels(*given: tuple[str, str]) -> list[list[object]]:
        return [[price, amount, []] for price, amount in given]

    head = {"e": "depthUpdate", "E": 1, "T": 1_680_652_700_001, "s": "BTCUSDT"}
    lines = [
        line(0, {"lastUpdateId": 1000, "bids": levels(("0.0024", "10")), "asks": levels(("0.0026", "100"))}),
        line(1, head | {"U": 1001, "u": 1005, "pu": 1000, "b": levels(("0.0024", "12")), "a": []}),
        line(2, head | {"U": 1006, "u": 1009, "pu": 1005, "b": levels(("0.0023", "1")), "a": []}),
    ]
    report = take(lake, write(tmp_path / "a", *lines))
    assert report.rejected == {}
    columns = [f"bid_{what}_{level:02d}" for level in (1, 2) for what in ("price", "amount")]
    assert ticks(lake, Stream.BOOK).select(columns).rows() == [(0.0024, 12, None, None), (0.0024, 12, 0.0023, 1)]


@pytest.mark.parametrize("price", ["1e308", "1e-300"])
def test_values_beyond_any_market_are_refused(lake: Lake, tmp_path: Path, price: str) -> None:
    bid = {"b": price, "B": "1"}
    data = {"e": "bookTicker", "u": 1, "s": "BTCUSDT", "a": "101", "A": "1", "T": 1_680_652_700_001} | bid
    lines = [trade(1, p=price), trade(2, q=price), line(3, data), update(4, 2, 2, 1, (price, "1")), quote(5)]
    report = take(lake, write(tmp_path / "a", *lines))
    assert (report.rejected, report.ticks) == ({"bad_number": 4}, {"quotes": 1})
    row = f"binance-futures,ETHUSDT,{MIDNIGHT},{MIDNIGHT},1,sell,{price},1\n".encode()
    (tardis,) = import_tardis(lake, [write(tmp_path / "b", TARDIS_TRADES, row)])
    assert tardis.ticks == {}


def test_a_book_found_a_moment_after_the_recording_began_is_no_gap(lake: Lake, tmp_path: Path) -> None:
    report = take(lake, write(tmp_path / "a", depth(1), depth(2), snapshot(2), depth(3)))
    assert (report.notes, report.gaps) == ([], [])
