from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import polars as pl

from aperiodic.engine.importing import FileReport, import_recordings
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.market import Exchange

if TYPE_CHECKING:
    from pathlib import Path

T = 1_737_918_843_000


def line(number: int, channel: str, data: object) -> bytes:
    return f"{(T + number) * 1_000_000 + 7} {json.dumps({'channel': channel, 'data': data})}\n".encode()


def trades(at: int, *numbers: int) -> bytes:
    fills = [
        {"coin": "BTC", "side": "A", "px": "105056.0", "sz": "0.5", "time": T + number, "tid": number * 7919 % 1_000}
        for number in numbers
    ]
    return line(at, "trades", fills)


def book(at: int) -> bytes:
    levels = [[{"px": str(100 + at), "sz": "1", "n": 1}], [{"px": "200", "sz": "1", "n": 1}]]
    return line(at, "l2Book", {"coin": "BTC", "time": T + at, "levels": levels})


def quote(at: int) -> bytes:
    return line(at, "bbo", {"coin": "BTC", "time": T + at, "bbo": [{"px": "99", "sz": str(at), "n": 1}, None]})


def write(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(lines))
    return path


def take(lake: Lake, *paths: Path, again: bool = False) -> list[FileReport]:
    return import_recordings(lake, Exchange.HYPERLIQUID_PERPS, paths, again=again)


def ticks(lake: Lake, stream: str) -> pl.DataFrame:
    return pl.concat([lake.store.read_parquet(held.path) for held in lake.current(ObjectKind.TICKS, dataset=stream)])


def digests(lake: Lake) -> dict[str, str]:
    return {record.key.path("-" * 16): record.sha256 for record in lake.current(ObjectKind.TICKS)}


def test_importing_again_changes_nothing(lake: Lake, tmp_path: Path) -> None:
    path = write(tmp_path / "a", trades(5, 1, 2), trades(6, 6, 5), book(7), book(8))
    (report,) = take(lake, path)
    assert report.ticks == {"trades": 2, "book": 2, "quotes": 2}
    before = digests(lake)
    assert take(lake, path)[0].already_imported
    assert not take(lake, path, again=True)[0].already_imported
    assert digests(lake) == before


def test_recordings_in_any_order_end_in_the_same_bytes(lake: Lake, tmp_path: Path) -> None:
    lines = [trades(9, 1, 2), *(each for at in range(10, 20) for each in (trades(at, at, at + 100), book(at)))]
    earlier, later = write(tmp_path / "a", *lines[:13]), write(tmp_path / "b", *lines[12:])
    take(lake, earlier, later)
    # The first frame of the second file carries on from the first file: it is no backlog.
    assert ticks(lake, "trades").height == 20
    with closing(Lake.open(Settings(home=tmp_path / "other"))) as other:
        take(other, later)
        take(other, earlier)
        assert digests(other) != digests(lake)
        assert not take(other, later)[0].already_imported
        assert digests(other) == digests(lake)
        assert take(other, later)[0].already_imported


def test_two_recorders_of_the_same_trades_count_them_once(lake: Lake, tmp_path: Path) -> None:
    first = [trades(1, 1), trades(12, 2, 3), trades(15, 4)]
    second = [trades(2, 1), trades(11, 2, 3), trades(16, 4), trades(17, 5)]
    take(lake, write(tmp_path / "a", *first), write(tmp_path / "b", *second))
    held = ticks(lake, "trades")
    assert held["id"].n_unique() == held.height == 4
    assert held["local_timestamp"].dt.epoch("ms").to_list() == [T + at for at in (11, 11, 15, 17)]
    with closing(Lake.open(Settings(home=tmp_path / "other"))) as other:
        take(other, tmp_path / "b")
        take(other, tmp_path / "a")
        take(other, tmp_path / "b")
        assert digests(other) == digests(lake)


def test_where_quotes_are_recorded_the_book_makes_none(lake: Lake, tmp_path: Path) -> None:
    (report,) = take(lake, write(tmp_path / "a", book(1), quote(2), book(3)))
    assert (report.ticks, report.ignored, report.notes) == ({"book": 2, "quotes": 1}, {"quote_from_book": 2}, [])
    assert ticks(lake, "quotes")["bid_price"].to_list() == [99]


def test_bad_lines_are_kept_aside_and_the_rest_is_imported(lake: Lake, tmp_path: Path) -> None:
    bad = [b"nothing", b'1737918843000007 {"channel":"mystery"}', b'1737918843000007 {"channel":"bbo","data":{}}']
    (report,) = take(lake, write(tmp_path / "a", book(1), *(each + b"\n" for each in bad), book(2)))
    assert report.ticks["book"] == 2
    assert report.rejected == {"malformed": 2, "unknown_channel": 1}
    (record,) = lake.current(ObjectKind.QUARANTINE)
    assert lake.store.read_parquet(record.path)["frame"].to_list() == bad
