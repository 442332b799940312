from __future__ import annotations

import gzip
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING

import polars as pl
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.engine.importing.frames import T, aggregate, depth, line, mark, quote, snapshot, trade, write

from aperiodic.completeness.gaps import read_gaps
from aperiodic.engine.errors import ImportSourceError
from aperiodic.engine.importing import FileReport, import_recordings
from aperiodic.engine.importing.lines import Line, read_line
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.lake.imports import read_imports
from aperiodic.market import Exchange
from aperiodic.venues import RejectedFrameError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from pathlib import Path

FUTURES = Exchange.BINANCE_FUTURES


def take(lake: Lake, *paths: Path, again: bool = False) -> list[FileReport]:
    return import_recordings(lake, FUTURES, paths, again=again)


def ticks(lake: Lake, stream: str) -> pl.DataFrame:
    return pl.concat([lake.store.read_parquet(held.path) for held in lake.current(ObjectKind.TICKS, dataset=stream)])


def digests(lake: Lake) -> dict[str, str]:
    return {record.key.path("-" * 16): record.sha256 for record in lake.current(ObjectKind.TICKS)}


def gaps(lake: Lake, stream: str = "trades") -> list[tuple[int, int, str]]:
    with lake.engine.connect() as connection:
        found = read_gaps(connection, FUTURES, stream=stream)
    return [(gap.after_sequence, gap.before_sequence, gap.cause) for gap in found]


def quarantine(lake: Lake) -> pl.DataFrame:
    (record,) = lake.current(ObjectKind.QUARANTINE)
    return lake.store.read_parquet(record.path)


def whole(start: int = 1, end: int = 40) -> list[bytes]:
    lines = [snapshot(start)]
    for number in range(start + 1, end + 1):
        lines += [trade(number), quote(number), depth(number)]
    return [*lines, mark(end)]


def test_a_recording_becomes_tick_objects(lake: Lake, tmp_path: Path) -> None:
    (report,) = take(lake, write(tmp_path / "a", *whole()))
    assert report.lines == 1 + 3 * 39 + 1
    assert report.ticks == {
        "book": 39,
        "quotes": 39,
        "trades": 39,
        "mark_price": 1,
        "index_price": 1,
        "funding_rate": 1,
    }
    assert (report.rejected, report.gaps, report.already_imported) == ({}, [], False)
    first = ticks(lake, "trades").row(0)
    assert first[2:] == ("2", "sell", 100.5, 2.0, 2)
    book = ticks(lake, "book")
    assert book.select("bid_price_01", "bid_amount_01", "bid_price_02", "ask_price_01", "ask_price_02").row(0) == (
        *(52.0, 2.0, 40.0, 200.0, None),
    )


@pytest.mark.parametrize("form", ["plain", "gzip", "zstd", "ns"])
def test_every_form_of_a_recording_gives_the_same_ticks(lake: Lake, tmp_path: Path, form: str) -> None:
    data = b"".join(whole())
    take(lake, write(tmp_path / "plain", data))
    wanted = digests(lake)
    with closing(Lake.open(Settings(home=tmp_path / "other"))) as other:
        if form == "ns":  # the same microsecond, later within it
            data = b"".join(line.replace(b" ", b"999 ", 1) for line in data.splitlines(keepends=True))
        forms: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstandard.compress}
        take(other, write(tmp_path / "file", forms.get(form, bytes)(data)))
        assert digests(other) == wanted


def test_importing_again_changes_nothing(lake: Lake, tmp_path: Path) -> None:
    path = write(tmp_path / "a", *whole())
    take(lake, path)
    before = {record.key: record for kind in ObjectKind for record in lake.current(kind)}
    (second,) = take(lake, path)
    assert second.already_imported
    assert second.ticks["trades"] == 39
    (third,) = take(lake, path, again=True)
    assert not third.already_imported
    assert {record.key: record for kind in ObjectKind for record in lake.current(kind)} == before
    with lake.engine.connect() as connection:
        (record,) = read_imports(connection)
    assert (record.name, record.lines, record.first_received) == ("a", 119, (T + 1) * 1000 + 7)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 150), min_size=1, max_size=3), shuffle=st.randoms(use_true_random=False))
def test_overlapping_parts_in_any_order_give_the_bytes_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], shuffle: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    lines = [each for number in range(1, 41) for each in (trade(number), quote(number), mark(number), trade(number))]
    parts = []
    edges = [0, *sorted(cuts), len(lines)]
    for place, (start, end) in enumerate(pairwise(edges)):
        parts.append(write(folder / str(place), *lines[max(0, start - 5) : end]))
    shuffle.shuffle(parts)
    with (
        closing(Lake.open(Settings(home=folder / "one"))) as one,
        closing(Lake.open(Settings(home=folder / "two"))) as two,
    ):
        take(one, write(folder / "whole", *lines))
        for part in parts:
            take(two, part)
        assert digests(two) == digests(one)
        assert gaps(two) == gaps(one) == []


def test_bad_lines_are_kept_aside_with_their_bytes_and_the_rest_is_imported(lake: Lake, tmp_path: Path) -> None:
    bad = [
        b"not a line at all",
        b'1680652700000007 {"stream":"btcusdt@trade","data":{"e":"trade"',
        b'1680652700000007 {"e":"trade","s":"\xff\xfe"}',
        trade(3, X="INSURANCE_FUND").rstrip(b"\n"),
        b'12 {"e":"trade"}',
        b'1680652700000007 {"stream":"btcusdt@mystery","data":{}}',
    ]
    lines = [trade(1), trade(2), *(each + b"\n" for each in bad), trade(4), b"\n", line(5, {"result": None, "id": 1})]
    (report,) = take(lake, write(tmp_path / "a", *lines))
    codes = ["malformed", "malformed", "malformed", "off_book_trade", "bad_receive_time", "unknown_channel"]
    assert report.rejected == {code: codes.count(code) for code in sorted(set(codes))}
    assert report.ticks == {"trades": 3}
    assert report.ignored == {"acknowledgement": 1}
    assert report.gaps == []
    kept = quarantine(lake)
    assert kept["line"].to_list() == [3, 4, 5, 6, 7, 8]
    assert kept["frame"].to_list() == bad
    assert kept["code"].to_list() == codes
    assert kept["local_timestamp"].is_null().to_list() == [True, False, False, False, True, False]


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_cut_file_keeps_the_lines_before_the_cut(
    lake: Lake, tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    data = compress(b"".join(trade(number, q=str(number**5 % 9_973 + 1)) for number in range(1, 3001)))
    (report,) = take(lake, write(tmp_path / "a", data[: len(data) * 2 // 3]))
    assert report.rejected == {"truncated_file": 1}
    assert 1000 < report.ticks["trades"] < 3000
    assert quarantine(lake)["line"].item() == report.lines


def test_a_gap_opens_and_closes_when_the_missing_file_arrives(lake: Lake, tmp_path: Path) -> None:
    take(lake, write(tmp_path / "a", *map(trade, range(1, 11))))
    take(lake, write(tmp_path / "c", *map(trade, [*range(21, 31), *range(33, 36)])))
    assert gaps(lake) == [(10, 20, "not_recorded"), (30, 32, "sequence_break")]
    (report,) = take(lake, write(tmp_path / "b", *map(trade, range(8, 24))))
    assert (report.gaps, gaps(lake)) == ([], [(30, 32, "sequence_break")])
    take(lake, write(tmp_path / "d", *map(trade, range(31, 33))))
    assert gaps(lake) == []


def test_repeated_and_late_events_are_counted_and_kept_once(lake: Lake, tmp_path: Path) -> None:
    lines = [trade(1), trade(2), trade(2), trade(5), trade(3), trade(4), quote(7), quote(7), quote(6)]
    (report,) = take(lake, write(tmp_path / "a", *lines))
    assert report.duplicates == {"quotes": 1, "trades": 1}
    assert report.late == {"quotes": 1, "trades": 1}
    assert report.gaps == []
    assert ticks(lake, "trades")["sequence"].to_list() == [1, 2, 3, 4, 5]
    assert ticks(lake, "quotes")["sequence"].to_list() == [6, 7]


def test_aggregated_trades_count_as_one_each_and_say_so(lake: Lake, tmp_path: Path) -> None:
    # Trade 4 was off the book, so that no aggregate holds it; aggregate 3 is missing.
    (report,) = take(lake, write(tmp_path / "a", aggregate(1, 1, 3), aggregate(2, 5, 6), aggregate(4, 9, 9)))
    assert (report.ticks, report.notes) == ({"trades": 3}, ["aggregated_trades"])
    assert ticks(lake, "trades").select("id", "sequence").rows() == [("1", 3), ("2", 6), ("4", 9)]
    assert gaps(lake) == [(6, 8, "sequence_break")]


def test_where_single_trades_are_recorded_too_aggregates_are_left_out(lake: Lake, tmp_path: Path) -> None:
    (report,) = take(lake, write(tmp_path / "a", trade(1), trade(2), aggregate(1, 1, 2), trade(3)))
    assert (report.ticks, report.ignored, report.notes) == ({"trades": 3}, {"aggTrade": 1}, [])


def test_a_break_in_one_book_is_a_gap_of_that_book_only(lake: Lake, tmp_path: Path) -> None:
    both = {
        symbol: [
            line(1, {"stream": f"{symbol.lower()}@depthSnapshot", "data": {"lastUpdateId": 1, "bids": [], "asks": []}}),
            *(depth(number, symbol=symbol) for number in range(2, 9)),
            line(8, {"stream": f"{symbol.lower()}@depthSnapshot", "data": {"lastUpdateId": 8, "bids": [], "asks": []}}),
            *(depth(number, symbol=symbol) for number in range(9, 12)),
        ]
        for symbol in ("BTCUSDT", "ETHUSDT")
    }
    del both["BTCUSDT"][3]
    lines = [each for pair in zip(both["BTCUSDT"], both["ETHUSDT"], strict=False) for each in pair]
    (report,) = take(lake, write(tmp_path / "a", *lines))
    assert [(gap.symbol, gap.after_sequence, gap.cause) for gap in report.gaps] == [
        ("perpetual-BTC-USDT:USDT", 3, "sequence_break")
    ]
    assert report.ignored["update_of_unknown_book"] == 4


def test_a_book_is_carried_on_across_commands(lake: Lake, tmp_path: Path) -> None:
    lines = [snapshot(1), *map(depth, range(2, 60))]
    take(lake, write(tmp_path / "whole", *lines))
    wanted = digests(lake)
    with closing(Lake.open(Settings(home=tmp_path / "other"))) as other:
        (first,) = take(other, write(tmp_path / "a", *lines[:20]))
        (second,) = take(other, write(tmp_path / "b", *lines[20:]))
        assert (first.ticks["book"], second.ticks["book"]) == (19, 39)
        assert digests(other) == wanted
        assert gaps(other, "book") == []


def test_files_of_one_command_are_taken_in_the_order_they_were_recorded(lake: Lake, tmp_path: Path) -> None:
    lines = [snapshot(1), *map(depth, range(2, 60))]
    later, earlier = write(tmp_path / "a", *lines[20:]), write(tmp_path / "b", *lines[:20])
    assert [report.name for report in take(lake, later, earlier)] == ["b", "a"]
    assert ticks(lake, "book").height == 58


def test_a_book_that_was_unknown_is_carried_on_once_the_file_before_has_come(lake: Lake, tmp_path: Path) -> None:
    lines = [snapshot(1), *map(depth, range(2, 60))]
    earlier, later = write(tmp_path / "a", *lines[:20]), write(tmp_path / "b", *lines[20:])
    (alone,) = take(lake, later)
    assert alone.ticks == {}
    assert alone.notes == ["book_awaits:perpetual-BTC-USDT:USDT:20"]
    assert take(lake, later)[0].already_imported
    (report,) = take(lake, earlier)
    assert report.notes == ["book_carried_on:perpetual-BTC-USDT:USDT:20"]
    assert ticks(lake, "book").height == 58
    assert gaps(lake, "book") == []
    (again,) = take(lake, later)
    assert (again.already_imported, again.notes) == (True, [])
    with closing(Lake.open(Settings(home=tmp_path / "in_order"))) as other:
        take(other, earlier, later)
        assert digests(other) == digests(lake)


def test_books_are_carried_on_from_file_to_file_in_any_order(lake: Lake, tmp_path: Path) -> None:
    lines = [snapshot(1), *map(depth, range(2, 61))]
    first, *rest = (write(tmp_path / str(start), *lines[start : start + 20]) for start in (0, 20, 40))
    for path in reversed(rest):
        take(lake, path)
    (report,) = take(lake, first)
    assert report.notes == [f"book_carried_on:perpetual-BTC-USDT:USDT:{number}" for number in (20, 40)]
    assert ticks(lake, "book")["sequence"].to_list() == list(range(2, 61))


def test_updates_before_a_book_are_added_when_the_file_before_has_come(lake: Lake, tmp_path: Path) -> None:
    lines = [snapshot(1), *map(depth, range(2, 25)), snapshot(24), *map(depth, range(25, 40))]
    earlier, later = write(tmp_path / "a", *lines[:20]), write(tmp_path / "b", *lines[20:])
    (alone,) = take(lake, later)
    assert (alone.notes, alone.gaps) == ([], [])  # the book is found a moment later
    assert ticks(lake, "book")["sequence"].to_list() == list(range(25, 40))
    take(lake, earlier)
    assert ticks(lake, "book")["sequence"].to_list() == list(range(2, 40))
    assert gaps(lake, "book") == []


def test_a_missing_file_leaves_the_book_unknown_instead_of_wrong(lake: Lake, tmp_path: Path) -> None:
    lines = [snapshot(1), *map(depth, range(2, 60))]
    take(lake, write(tmp_path / "a", *lines[:20]), write(tmp_path / "c", *lines[40:], snapshot(59), depth(60)))
    assert ticks(lake, "book")["sequence"].to_list() == [*range(2, 21), 60]
    assert gaps(lake, "book") == [(20, 59, "no_snapshot")]


def test_a_failure_leaves_everything_as_it_was(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = write(tmp_path / "a", *whole(1, 20)), write(tmp_path / "b", *whole(20, 40))
    take(lake, first)
    before = digests(lake)
    with monkeypatch.context() as patch:
        patch.setattr("aperiodic.engine.importing.report.record_import", _fail)
        with pytest.raises(OSError, match="no space"):
            take(lake, second)
    assert digests(lake) == before
    assert gaps(lake) == []
    take(lake, second)
    assert ticks(lake, "trades").height == 39


def _fail(*_arguments: object, **_named: object) -> None:
    raise OSError("no space left on the device")


@pytest.mark.parametrize(
    ("exchange", "lines", "code"),
    [
        (Exchange.HYPERLIQUID_PERPS, [b"exchange,symbol\nhyperliquid,BTC\n"], "not_a_recording"),
        (FUTURES, [b"exchange,symbol\nbinance,BTCUSDT\n"], "not_a_recording"),
    ],
)
def test_what_cannot_be_imported_is_refused_before_anything_is_written(
    lake: Lake, tmp_path: Path, exchange: Exchange, lines: Sequence[bytes], code: str
) -> None:
    good = write(tmp_path / "good", trade(1))
    with pytest.raises(ImportSourceError) as caught:
        import_recordings(lake, exchange, [good, write(tmp_path / "bad", *lines)])
    assert caught.value.code == code
    assert caught.value.hint
    assert lake.store.paths() == []


def test_an_empty_recording_is_no_error(lake: Lake, tmp_path: Path) -> None:
    (report,) = take(lake, write(tmp_path / "a"))
    assert (report.lines, report.ticks) == (0, {})


def test_another_import_at_work_is_an_error(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aperiodic.engine.importing.report._WAIT_S", 0)
    path = write(tmp_path / "a", trade(1))
    with lake.writing(), pytest.raises(Exception, match="Another import or build is running"):
        take(lake, path)


def test_a_refused_recording_does_not_stop_the_others(lake: Lake, tmp_path: Path) -> None:
    mixed = write(tmp_path / "mixed", *map(trade, range(1, 4)))
    bad = [write(tmp_path / "1", b"exchange,symbol\n"), write(tmp_path / "2", b"PK\x03\x04"), tmp_path / "none"]
    refused: list[tuple[Path, str | None]] = []
    reports = import_recordings(
        lake, FUTURES, [*bad, mixed], refused=lambda path, error: refused.append((path, error.code))
    )
    assert refused == list(zip(bad, ["not_a_recording", "archive", "file_unreadable"], strict=True))
    assert [report.ticks for report in reports] == [{"trades": 3}]


def test_a_file_of_another_venue_says_nothing_of_this_one(lake: Lake, tmp_path: Path) -> None:
    path = write(tmp_path / "a", *map(trade, range(1, 4)))
    (report,) = import_recordings(lake, Exchange.HYPERLIQUID_PERPS, [path])
    assert report.unusable
    assert (report.ticks, sum(report.rejected.values())) == ({}, 3)
    with lake.engine.connect() as connection:
        (record,) = read_imports(connection)
    assert (record.first_received, record.last_received) == (None, None)


@pytest.mark.parametrize(
    ("frame", "asked"),
    [
        (b'{"stream":"btcusdt@trade","data":{}}', Exchange.OKX_PERPS),
        (b'{"stream":"btcusdt@trade","data":{}}', Exchange.HYPERLIQUID_PERPS),
        (b'{"channel":"trades","data":[]}', Exchange.BINANCE_FUTURES),
        (b'{"channel":"trades","data":[{}]}', Exchange.OKX_PERPS),
        (b'{"arg":{"channel":"trades","instId":"BTC-USDT-SWAP"},"data":[]}', Exchange.BINANCE),
    ],
)
def test_a_frame_with_the_form_of_another_venue_is_named(
    lake: Lake, tmp_path: Path, frame: bytes, asked: Exchange
) -> None:
    (report,) = import_recordings(lake, asked, [write(tmp_path / "a", b"1680652700000007 " + frame + b"\n")])
    assert (report.rejected, report.unusable) == ({"other_venue": 1}, True)


@pytest.mark.parametrize(
    ("stamp", "us"),
    [
        ("1680652700441", 1_680_652_700_441_000),
        ("1680652700441533", 1_680_652_700_441_533),
        ("1680652700441533999", 1_680_652_700_441_533),
        ("1680652700.4415339", 1_680_652_700_441_533),
        ("1680652700441.5339", 1_680_652_700_441_533),
        ("1680652700441533.9", 1_680_652_700_441_533),
        ("1680652700441533999.9", 1_680_652_700_441_533),
        ("1680652700.5", 1_680_652_700_500_000),
    ],
)
def test_the_unit_of_a_receive_time_is_told_by_its_size(stamp: str, us: int) -> None:
    assert read_line(f"{stamp} {{}}".encode()) == Line(us, b"{}")


@pytest.mark.parametrize("stamp", ["1680652700", "12", "1", "12.5", "1230767999999", "4102444800000.0", "9" * 20])
def test_a_receive_time_outside_this_century_is_refused(stamp: str) -> None:
    with pytest.raises(RejectedFrameError) as caught:
        read_line(f"{stamp} {{}}".encode())
    assert caught.value.code == "bad_receive_time"
