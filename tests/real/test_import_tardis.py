"""Tardis' own sample files, and its normalised form of recorded frames."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from aperiodic.engine.errors import ImportSourceError
from aperiodic.engine.importing import import_recordings, import_tardis
from aperiodic.lake import Lake, ObjectKind
from aperiodic.market import Exchange

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "stream", "rows"),
    [
        ("trades_2020-02-22_BTCUSDT.csv", "trades", 9_999),
        ("quotes_2020-02-22_BTCUSDT.csv", "quotes", 9_999),
        ("book_snapshot_25_2020-09-01_BTCUSDT.csv", "book", 10),
        ("book_snapshot_5_2020-09-01_BTCUSDT.csv", "book", 10),
    ],
)
def test_every_row_of_a_tardis_file_is_accounted_for(
    lake: Lake, real_data: Path, name: str, stream: str, rows: int
) -> None:
    (report,) = import_tardis(lake, [real_data / "tardis/binance-futures" / name])
    assert (report.lines, report.ticks, report.rejected, report.gaps) == (rows + 1, {stream: rows}, {}, [])
    (record,) = lake.current(ObjectKind.TICKS)
    assert record.rows == rows


def test_books_of_two_depths_are_not_mixed(lake: Lake, real_data: Path) -> None:
    folder = real_data / "tardis/binance-futures"
    import_tardis(lake, [folder / "book_snapshot_25_2020-09-01_BTCUSDT.csv"])
    with pytest.raises(ImportSourceError) as caught:
        import_tardis(lake, [folder / "book_snapshot_5_2020-09-01_BTCUSDT.csv"])
    assert caught.value.code == "source_conflict"


def test_frames_are_read_as_tardis_reads_them(lake: Lake, real_data: Path, tmp_path: Path) -> None:
    text = (real_data / "tardis_raw_to_normalized/binance-futures.jsonl").read_text(encoding="utf-8")
    cases = [json.loads(line) for line in text.splitlines()]
    compared = 0
    for case in cases:
        wanted = next((_wanted(each) for each in case["expected_normalized"] if each["type"] in _COMPARED), None)
        event = case["message"]["data"].get("e")
        if wanted is None or event not in {"trade", "bookTicker", "markPriceUpdate"}:
            continue
        received = _us(case["local_timestamp"]) + compared
        path = tmp_path / str(compared)
        path.write_text(f"{received} {json.dumps(case['message'])}\n")
        (report,) = import_recordings(lake, Exchange.BINANCE_FUTURES, [path])
        assert report.rejected == {}
        got: dict[str, Any] = {}
        for held in lake.current(ObjectKind.TICKS):
            if held.key.dataset in report.ticks and held.first_local == received == held.last_local:
                got |= lake.store.read_parquet(held.path).row(0, named=True)
        assert {name: got.get(name) for name in wanted} == wanted
        compared += 1
    assert compared == 6


_COMPARED = {"trade", "book_ticker", "derivative_ticker"}


def _wanted(event: dict[str, Any]) -> dict[str, Any]:
    if event["type"] == "trade":
        time = {"exchange_timestamp": datetime.fromisoformat(event["timestamp"])}
        return time | {name: event[name] for name in ("id", "side", "price", "amount")}
    if event["type"] == "book_ticker":  # its time is the event time there, the matching engine's here
        names = ("bid_price", "bid_amount", "ask_price", "ask_amount")
        return {name: event[name.replace("_p", "P").replace("_a", "A")] for name in names}
    funding_time = event["fundingTimestamp"]
    return {
        "exchange_timestamp": datetime.fromisoformat(event["timestamp"]),
        "mark_price": event["markPrice"],
        "index_price": event["indexPrice"],
        "funding_rate": event["fundingRate"],
        "next_funding_time": None if funding_time is None else datetime.fromisoformat(funding_time),
    }


def _us(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000)
