from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from aperiodic.completeness.gaps import read_gaps
from aperiodic.engine.errors import ImportSourceError
from aperiodic.engine.importing import FileReport, import_recordings
from aperiodic.engine.importing.lines import read_line
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.market import Exchange
from aperiodic.venues import RejectedFrameError

if TYPE_CHECKING:
    from pathlib import Path

T = 1_700_000_000_000
NAME = "BTC-USDT-SWAP"
ADDRESS = "https://www.okx.com/api/v5"


def line(number: int, frame: object) -> bytes:
    return f"{(T + number) * 1000 + 7} {json.dumps(frame)}\n".encode()


def trade(number: int) -> bytes:
    data = {"instId": NAME, "tradeId": str(number), "px": "50000", "sz": "5", "side": "buy", "ts": str(T + number)}
    return line(number, {"arg": {"channel": "trades", "instId": NAME}, "data": [data]})


def book(number: int, action: str = "update") -> bytes:
    levels = {"bids": [[str(100 + number), str(number), "0", "1"]], "asks": []}
    numbers = {"seqId": number, "prevSeqId": -1 if action == "snapshot" else number - 1, "checksum": 0}
    data = levels | numbers | {"ts": str(T + number)}
    return line(number, {"arg": {"channel": "books", "instId": NAME}, "action": action, "data": [data]})


def write(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(lines))
    return path


@pytest.fixture
def instruments(tmp_path: Path) -> Path:
    row = {"instId": NAME, "instType": "SWAP", "ctVal": "0.01", "ctMult": "1", "ctType": "linear"}
    return write(tmp_path / "instruments.json", json.dumps({"code": "0", "data": [row]}).encode())


def take(lake: Lake, *paths: Path) -> list[FileReport]:
    return import_recordings(lake, Exchange.OKX_PERPS, paths)


def ticks(lake: Lake, stream: str) -> pl.DataFrame:
    return pl.concat([lake.store.read_parquet(held.path) for held in lake.current(ObjectKind.TICKS, dataset=stream)])


def digests(lake: Lake) -> dict[str, str]:
    return {record.key.path("-" * 16): record.sha256 for record in lake.current(ObjectKind.TICKS)}


def gaps(lake: Lake) -> list[tuple[str, int, int]]:
    with lake.engine.connect() as connection:
        found = read_gaps(connection, Exchange.OKX_PERPS)
    return [(gap.stream, gap.after_sequence, gap.before_sequence) for gap in found]


def test_a_saved_answer_tells_the_sizes_in_whatever_place(lake: Lake, tmp_path: Path, instruments: Path) -> None:
    reports = take(lake, write(tmp_path / "a", trade(1), trade(2)), instruments)
    assert [(report.name, report.ticks) for report in reports] == [("instruments.json", {}), ("a", {"trades": 1})]
    assert reports[0].ignored == {"instruments": 1}
    assert ticks(lake, "trades")["amount"].to_list() == [0.05]


def test_without_sizes_the_recording_is_refused_and_nothing_of_it_is_kept(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(ImportSourceError, match=NAME) as caught:
        take(lake, write(tmp_path / "a", trade(1)))
    assert caught.value.code == "contract_size_needed"
    assert "instruments" in (caught.value.hint or "")
    assert lake.store.paths() == []


def test_importing_again_changes_nothing_and_needs_no_sizes(lake: Lake, tmp_path: Path, instruments: Path) -> None:
    path = write(tmp_path / "a", *map(trade, range(1, 9)))
    take(lake, path, instruments)
    before = digests(lake)
    (second,) = take(lake, path)
    assert second.already_imported
    assert digests(lake) == before


def test_a_later_recording_carries_on_without_a_backlog(lake: Lake, tmp_path: Path, instruments: Path) -> None:
    take(lake, instruments, write(tmp_path / "a", *map(trade, range(1, 6))))
    take(lake, instruments, write(tmp_path / "b", *map(trade, range(4, 9))))
    assert ticks(lake, "trades")["sequence"].to_list() == list(range(2, 9))
    assert gaps(lake) == []


def test_recordings_in_any_order_end_in_the_same_bytes(lake: Lake, tmp_path: Path, instruments: Path) -> None:
    first = write(tmp_path / "a", book(1, "snapshot"), *map(book, range(2, 20)), *map(trade, range(20, 25)))
    second = write(tmp_path / "b", *map(book, range(20, 40)), *map(trade, range(40, 45)))
    take(lake, instruments, first, second)
    assert ticks(lake, "book").height == 39
    with closing(Lake.open(Settings(home=tmp_path / "other"))) as other:
        take(other, instruments, second)
        assert "book" not in {record.key.dataset for record in other.current(ObjectKind.TICKS)}
        take(other, instruments, first)
        (_, again) = take(other, instruments, second)
        assert not again.already_imported
        assert take(other, second)[0].already_imported
        assert digests(other) == digests(lake)
        assert gaps(other) == gaps(lake)


def test_a_break_is_a_gap_until_the_next_snapshot(lake: Lake, tmp_path: Path, instruments: Path) -> None:
    lines = [book(1, "snapshot"), book(2), book(5), book(6), book(7, "snapshot"), book(8)]
    (_, report) = take(lake, instruments, write(tmp_path / "a", *lines))
    assert ticks(lake, "book")["sequence"].to_list() == [1, 2, 7, 8]
    assert report.ignored == {"update_of_unknown_book": 2}
    assert gaps(lake) == [("book", 2, 6)]


def test_a_rest_book_beside_the_recording_seeds_it(lake: Lake, tmp_path: Path, instruments: Path) -> None:
    levels = {"bids": [["90", "1", "0", "1"]], "asks": [["200", "1", "0", "1"]], "ts": str(T + 4), "seqId": 4}
    url = f"{ADDRESS}/market/books?instId={NAME}&sz=400"
    answer = f"{url} -> {(T + 5) / 1000:.3f}: {json.dumps({'code': '0', 'data': [levels]})}\n".encode()
    take(lake, write(tmp_path / "rest", answer), instruments, write(tmp_path / "a", *map(book, range(2, 9))))
    assert ticks(lake, "book")["sequence"].to_list() == [5, 6, 7, 8]
    first = ticks(lake, "book").row(0, named=True)
    assert (first["bid_price_01"], first["bid_price_02"]) == (105, 90)


def test_bad_lines_are_kept_aside_and_the_rest_is_imported(lake: Lake, tmp_path: Path, instruments: Path) -> None:
    bad = [b"what is this", b'1700000000000007 {"arg":{"channel":"mystery"},"data":[]}', b'17.5: {"arg"']
    lines = [trade(1), trade(2), *(each + b"\n" for each in bad), trade(3)]
    (_, report) = take(lake, instruments, write(tmp_path / "a", *lines))
    assert (report.ticks, report.rejected) == (
        {"trades": 2},
        {"bad_receive_time": 1, "malformed": 1, "unknown_channel": 1},
    )
    (record,) = lake.current(ObjectKind.QUARANTINE)
    assert lake.store.read_parquet(record.path)["frame"].to_list() == bad


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (b"1626995753337475 {}", (1626995753337475, b"{}", "", "")),
        (b"1626995753337475999 {}", (1626995753337475, b"{}", "", "")),
        (b"1626995753.3371751: {}", (1626995753337175, b"{}", "", "")),
        (b"1626995753.3: {}", (1626995753300000, b"{}", "", "")),
        (b"1626995753: {}", (1626995753000000, b"{}", "", "")),
        (b"1626995752.9999999: {}", (1626995752999999, b"{}", "", "")),
        (b"wss://a/b <-> 1626995752.3", (1626995752300000, b"", "", "connection")),
        (b"wss://a/b <- 1626995752.3: {}", (1626995752300000, b"", "", "outgoing")),
        (b"https://a/b?c=d -> 1626995752.3: {}", (1626995752300000, b"{}", "https://a/b?c=d", "")),
        (b"configuration: {}", (None, b"", "", "configuration")),
        (b'{"code": 1}', (None, b'{"code": 1}', "", "")),
    ],
)
def test_forms_of_lines(text: bytes, wanted: tuple[Any, ...]) -> None:
    assert read_line(text) == (*wanted, "", "")


@pytest.mark.parametrize("text", [b"1e9: {}", b"-1626995753.3: {}", b": {}", b"wss://a nothing", b"x"])
def test_lines_of_no_form(text: bytes) -> None:
    with pytest.raises(RejectedFrameError) as caught:
        read_line(text)
    assert caught.value.code == "malformed"


def test_sizes_of_contracts_are_remembered(lake: Lake, tmp_path: Path, instruments: Path) -> None:
    take(lake, instruments, write(tmp_path / "1.txt", book(1, "snapshot"), book(2)))
    report = take(lake, write(tmp_path / "2.txt", book(3), trade(7)))[0]
    assert report.ticks["book"] == 1
    amounts = ticks(lake, "book").sort("sequence")["bid_amount_01"]
    assert amounts.to_list() == [0.01, 0.02, 0.03]


def test_sizes_are_those_of_the_time_of_the_recording(lake: Lake, tmp_path: Path) -> None:
    def answer(size: str, number: int) -> bytes:
        row = {"instId": NAME, "instType": "SWAP", "ctVal": size, "ctMult": "1", "ctType": "linear"}
        told = json.dumps({"code": "0", "data": [row]})
        return f"{ADDRESS}/public/instruments?instType=SWAP -> {T / 1000 + number}: {told}\n".encode()

    take(lake, write(tmp_path / "a.txt", answer("0.01", 0), answer("0.5", 5)))
    take(lake, write(tmp_path / "b.txt", book(1_000, "snapshot")), write(tmp_path / "c.txt", book(9_000, "snapshot")))
    assert ticks(lake, "book").sort("sequence")["bid_amount_01"].to_list() == [10.0, 4_500.0]
