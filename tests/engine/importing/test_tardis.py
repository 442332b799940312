from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import polars as pl
import pytest
from tests.engine.importing.frames import trade, write

from aperiodic.completeness.gaps import read_gaps
from aperiodic.engine.errors import ImportSourceError
from aperiodic.engine.importing import FileReport, import_recordings, import_tardis
from aperiodic.lake import Lake, ObjectKind
from aperiodic.market import Exchange, Stream, tick_schema

if TYPE_CHECKING:
    from pathlib import Path

T = 1_582_329_602_111_000
TRADES = b"exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
QUOTES = b"exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount\n"
TICKER = (
    b"exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,predicted_funding_rate,"
    b"open_interest,last_price,index_price,mark_price\n"
)


def row(*values: object, symbol: str = "BTCUSDT", exchange: str = "binance-futures", at: int = 0) -> bytes:
    return ",".join(map(str, (exchange, symbol, T + at, T + at + 5, *values))).encode() + b"\n"


def ticks(lake: Lake, stream: Stream, symbol: str = "perpetual-BTC-USDT:USDT") -> pl.DataFrame:
    days = lake.current(ObjectKind.TICKS, dataset=stream, symbol=symbol)
    frame = pl.concat([lake.store.read_parquet(day.path) for day in days])
    assert frame.schema == tick_schema(stream)
    return frame


def code_of(lake: Lake, *paths: Path) -> str | None:
    with pytest.raises(ImportSourceError) as caught:
        import_tardis(lake, paths)
    assert caught.value.hint
    return caught.value.code


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["csv", "csv.gz"])
def test_trades_of_several_symbols(lake: Lake, tmp_path: Path, compress: type[bytes]) -> None:
    data = TRADES + row(8, "buy", 9682, "0.132") + row(3, "sell", 200.5, 1, symbol="ETHUSDT") + row(9, "sell", 9681, 2)
    (report,) = import_tardis(lake, [write(tmp_path / "a", compress(data))])
    assert (report.lines, report.ticks, report.rejected) == (4, {"trades": 3}, {})
    assert ticks(lake, Stream.TRADES)["id", "side", "price", "amount", "sequence"].rows() == [
        ("8", "buy", 9682.0, 0.132, 8),
        ("9", "sell", 9681.0, 2.0, 9),
    ]
    assert ticks(lake, Stream.TRADES, "perpetual-ETH-USDT:USDT").height == 1
    assert lake.current(ObjectKind.TICKS)[0].source == "tardis"
    assert import_tardis(lake, [tmp_path / "a"])[0].already_imported


def test_bad_rows_are_kept_aside_with_their_bytes_and_the_rest_is_imported(lake: Lake, tmp_path: Path) -> None:
    bad = {
        row(2, "unknown", 1, 1): "unknown_side",
        row(3, "buy", "nan", 1): "bad_number",
        row(4, "buy", 1e308, "1e999"): "bad_number",
        row(5, "buy", 0, 1): "not_positive",
        row(6, "buy", "", 1): "not_positive",
        row("six", "buy", 1, 1): "bad_id",
        row(7, "buy", 1, 1, symbol="???"): "unknown_symbol",
        row(7, "buy", 1, 1, exchange="bitmex"): "other_exchange",
        row(7, "buy", 1, 1, at=-T): "bad_time",
        row(7, "buy", 1): "malformed",
        row(7, "buy", 1, 1, 1): "malformed",
        b"\xff\xfe" + row(7, "buy", 1, 1): "malformed",
    }
    data = TRADES + row(1, "buy", 1, 1) + b"".join(bad) + b"\n" + row(8, "buy", 1, 1)
    (report,) = import_tardis(lake, [write(tmp_path / "a", data)])
    assert report.ticks == {"trades": 2}
    (record,) = lake.current(ObjectKind.QUARANTINE)
    kept = lake.store.read_parquet(record.path)
    assert kept["line"].to_list() == list(range(3, 3 + len(bad)))
    assert dict(zip(kept["frame"].to_list(), kept["code"].to_list(), strict=True)) == {
        line.rstrip(b"\n"): code for line, code in bad.items()
    }
    assert report.rejected == dict(sorted(kept["code"].value_counts().rows()))


def test_missing_ids_are_gaps_until_a_file_covers_them(lake: Lake, tmp_path: Path) -> None:
    def rows(*numbers: int) -> bytes:
        return b"".join(row(number, "buy", 1, 1, at=number) for number in numbers)

    (report,) = import_tardis(lake, [write(tmp_path / "a", TRADES + rows(1, 2, 2, 6, 5, 9))])
    assert (report.duplicates, report.late) == ({"trades": 1}, {"trades": 1})
    assert [(gap.after_sequence, gap.before_sequence) for gap in report.gaps] == [(2, 4), (6, 8)]
    import_tardis(lake, [write(tmp_path / "b", TRADES + rows(3, 4, 5))])
    with lake.engine.connect() as connection:
        left = [(gap.after_sequence, gap.cause) for gap in read_gaps(connection, Exchange.BINANCE_FUTURES)]
    assert left == [(6, "sequence_break")]


def test_quotes_keep_an_empty_side_empty(lake: Lake, tmp_path: Path) -> None:
    data = QUOTES + row(0.84, 9682, 9681.92, 0.67) + row("", "", 9681.92, 0.5, at=9)
    import_tardis(lake, [write(tmp_path / "a", data)])
    values = ticks(lake, Stream.QUOTES)["bid_price", "bid_amount", "ask_price", "ask_amount"]
    assert values.rows() == [(9681.92, 0.67, 9682.0, 0.84), (9681.92, 0.5, None, None)]


def test_derivative_tickers_make_a_tick_where_a_field_changed(lake: Lake, tmp_path: Path) -> None:
    rows = [
        (T + 99, 0.0001, "", 500, 99, 100.5, 100.25),
        (T + 99, 0.0001, "", 500, 98, 100.5, 100.5),
        (T + 99, 0.0001, "", "", 98, 100.5, 100.25),
        (T + 199, 0.0001, "", 501, 98, 100.5, 100.25),
    ]
    data = TICKER + b"".join(row(*values, at=place) for place, values in enumerate(rows))
    (report,) = import_tardis(lake, [write(tmp_path / "a", data)])
    assert report.ticks == {"funding_rate": 1, "index_price": 1, "mark_price": 3, "open_interest": 2}
    assert ticks(lake, Stream.MARK_PRICE)["mark_price"].to_list() == [100.25, 100.5, 100.25]
    # A new time of funding alone is no update of the rate.
    assert ticks(lake, Stream.FUNDING_RATE)["next_funding_time"].to_physical().to_list() == [T + 99]


@pytest.mark.parametrize(
    ("parts", "order"),
    [
        ([0] * 6, [0]),
        ([0, 1, 2, 3, 4, 5], [5, 3, 1, 4, 2, 0]),
        ([0, 1, 0, 1, 0, 1], [1, 0]),
        ([0, 0, 1, 1, 2, 2], [2, 0, 1]),
    ],
    ids=["whole", "a file a row", "every other row", "a file a day"],
)
def test_derivative_tickers_give_the_same_ticks_however_their_rows_are_split(
    lake: Lake, tmp_path: Path, parts: list[int], order: list[int]
) -> None:
    hours = 12 * 3_600_000_000  # rows half a day apart: three days
    values = [(10, 100.0), (10, 100.0), (11, 100.0), (10, 101.0), (10, 101.0), (12, 101.0)]
    rows = [
        row(T + place * hours + 99, 0.0001, "", interest, 99, 100.5, mark, at=place * hours)
        for place, (interest, mark) in enumerate(values)
    ]
    for file in order:
        lines = b"".join(row for row, part in zip(rows, parts, strict=True) if part == file)
        import_tardis(lake, [write(tmp_path / str(file), TICKER + lines)])
    assert ticks(lake, Stream.OPEN_INTEREST)["open_interest"].to_list() == [10.0, 11.0, 10.0, 12.0]
    assert ticks(lake, Stream.MARK_PRICE)["mark_price"].to_list() == [100.0, 101.0]
    assert ticks(lake, Stream.FUNDING_RATE).height == 1


def test_book_snapshots_fill_the_levels_that_they_have(lake: Lake, tmp_path: Path) -> None:
    names = [
        f"{side}s[{level}].{what}" for level in range(5) for side in ("ask", "bid") for what in ("price", "amount")
    ]
    header = TRADES.removesuffix(b"id,side,price,amount\n") + ",".join(names).encode() + b"\n"
    levels = [value for level in range(5) for value in (101 + level, 1, 100 - level, 2)]
    import_tardis(lake, [write(tmp_path / "a", header + row(*levels[:16], "", "", "", ""))])
    book = ticks(lake, Stream.BOOK).row(0, named=True)
    assert [book[name] for name in ("bid_price_01", "bid_amount_04", "ask_price_04")] == [100.0, 2.0, 104.0]
    assert [book[name] for name in ("bid_price_05", "ask_price_06", "ask_price_25", "sequence")] == [None] * 4


def test_a_day_does_not_mix_recordings_with_tardis_files(lake: Lake, tmp_path: Path) -> None:
    import_recordings(lake, Exchange.BINANCE_FUTURES, [write(tmp_path / "a", trade(1))])
    at = 1_680_652_700_001_000 - T
    assert code_of(lake, write(tmp_path / "b", TRADES + row(2, "buy", 1, 1, at=at))) == "source_conflict"
    assert ticks(lake, Stream.TRADES).height == 1


def test_hyperliquid_trades_keep_their_order_and_have_no_sequence(lake: Lake, tmp_path: Path) -> None:
    rows = [row(number, "buy", 1, 1, symbol="BTC", exchange="hyperliquid") for number in (7, 3, 5)]
    (report,) = import_tardis(lake, [write(tmp_path / "a", TRADES, *rows)])
    assert report.gaps == []
    frame = ticks(lake, Stream.TRADES, "perpetual-BTC-USDC:USDC")
    assert frame["id", "sequence"].rows() == [("7", None), ("3", None), ("5", None)]


def test_amounts_in_contracts_are_refused_but_prices_are_taken(lake: Lake, tmp_path: Path) -> None:
    def okx(*values: object) -> bytes:
        return row(*values, symbol="BTC-USDT-SWAP", exchange="okex-swap")

    assert code_of(lake, write(tmp_path / "a", TRADES + okx(1, "buy", 1, 1))) == "contract_size_needed"
    (report,) = import_tardis(lake, [write(tmp_path / "b", TICKER + okx(T, 0.0001, "", 5, 1, 2, 3))])
    assert report.ticks == {"funding_rate": 1, "index_price": 1, "mark_price": 1}
    assert report.notes == ["open_interest_in_contracts_left_out"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (gzip.compress(TRADES + row(1, "buy", 1, 1), mtime=0)[:40], "truncated_file"),
        (b"a,b\n1,2\n", "unknown_table"),
        (TRADES + row(1, "buy", 1, 1, exchange="deribit"), "unknown_tardis_exchange"),
        (TRADES.replace(b"amount", b"price") + row(1, "buy", 1, 1), "unknown_table"),
    ],
)
def test_an_unknown_file_is_refused_before_anything_is_written(
    lake: Lake, tmp_path: Path, data: bytes, code: str
) -> None:
    good = write(tmp_path / "good", TRADES + row(1, "buy", 1, 1))
    assert code_of(lake, good, write(tmp_path / "bad", data)) == code
    assert lake.store.paths() == []


def test_the_last_row_of_a_cut_file_is_not_believed(lake: Lake, tmp_path: Path) -> None:
    data = gzip.compress(TRADES + b"".join(row(number, "buy", number**5 % 997 + 1, 1) for number in range(1, 3000)))
    (report,) = import_tardis(lake, [write(tmp_path / "a", data[: len(data) // 2])])
    assert report.rejected == {"truncated_file": 1}
    assert report.ticks["trades"] == report.lines - 2


def test_a_row_without_a_line_break_may_be_cut_and_is_not_believed(lake: Lake, tmp_path: Path) -> None:
    data = TRADES + row(1, "buy", 1, "0.125") + row(2, "buy", 1, "0.125")
    (report,) = import_tardis(lake, [write(tmp_path / "a", data[:-3])])
    assert (report.ticks, report.rejected) == ({"trades": 1}, {"truncated_file": 1})
    assert report.cut_short
    (report,) = import_tardis(lake, [write(tmp_path / "b", data)])
    assert (report.ticks, report.rejected, report.cut_short) == ({"trades": 2}, {}, False)


@pytest.mark.parametrize(
    "empty", [b"", b"\n", TRADES, TRADES.rstrip(b"\n"), gzip.compress(b"", mtime=0), gzip.compress(TRADES, mtime=0)]
)
def test_a_file_without_rows_is_no_error(lake: Lake, tmp_path: Path, empty: bytes) -> None:
    paths = [write(tmp_path / "a", empty), write(tmp_path / "b", TRADES + b"\n" + row(1, "buy", 1, 1))]
    reports = import_tardis(lake, paths)
    assert [report.ticks for report in reports] == [{}, {"trades": 1}]
    assert reports[0].lines == (1 if b"exchange" in empty or len(empty) > 40 else 0)


def test_quotes_byte_order_mark_and_times_as_floats_make_no_difference(lake: Lake, tmp_path: Path) -> None:
    plain = [f"binance-futures,BTCUSDT,{T + at},{T + at + 5},{at},buy,100.5,2" for at in range(1, 5)]
    cells = plain[1].split(",")
    plain[1] = ",".join(f'"{cell}"' for cell in cells)
    plain[2] = plain[2].replace(str(T + 3), f"{T + 3}.0")
    plain[3] = plain[3].replace(str(T + 9), f"{(T + 9) / 1e15!r}e15")
    header = b"\xef\xbb\xbf" + b",".join(b'"%s"' % name for name in TRADES.strip().split(b","))
    text = "\r\n".join(["", *plain, plain[0].replace(str(T + 1), f"{T + 1}.5"), ""])
    (report,) = import_tardis(lake, [write(tmp_path / "a", header, text.encode())])
    assert (report.ticks, report.rejected) == ({"trades": 4}, {"bad_time": 1})
    times = ticks(lake, Stream.TRADES).select(pl.selectors.temporal().to_physical())
    assert times.rows() == [(T + at, T + at + 5) for at in range(1, 5)]


def test_a_refused_file_does_not_stop_the_others(lake: Lake, tmp_path: Path) -> None:
    bad = [write(tmp_path / "1", b"a,b\n1,2\n"), tmp_path / "none", write(tmp_path / "2", b"PK\x03\x04")]
    good = write(tmp_path / "3", TRADES + row(1, "buy", 1, 1))
    refused: list[tuple[Path, str | None]] = []
    finished: list[FileReport] = []
    reports = import_tardis(
        lake,
        [bad[0], good, *bad[1:]],
        refused=lambda path, error: refused.append((path, error.code)),
        finished=finished.append,
    )
    assert refused == list(zip(bad, ["unknown_table", "file_unreadable", "archive"], strict=True))
    assert [report.ticks for report in reports] == [{"trades": 1}]
    assert finished == reports
