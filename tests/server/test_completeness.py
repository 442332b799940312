"""One judgement: links, conditions, coverage, raw ticks, site and status say the same of the same recordings."""

from __future__ import annotations

import json
import zlib
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.completeness.outages import BEGIN_MS, INSTRUMENTS, SYMBOLS, record
from tests.server.in_process import App, application

from aperiodic.catalog import DATASETS
from aperiodic.engine.importing import import_recordings
from aperiodic.lake import NewObject, ObjectKey
from aperiodic.market import Clock, Exchange, Interval, Source, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from aperiodic.lake import Lake

HOUR_MS: Final = 3_600_000
HYPERLIQUID, OKX = Exchange.HYPERLIQUID_PERPS, Exchange.OKX_PERPS
METRICS: Final = ("ohlcv", "slippage", "l1_price", "l2_imbalance", "basis", "funding", "open_interest")


def take(lake: Lake, exchange: Exchange, folder: Path, lines: Sequence[bytes]) -> None:
    """Import a recording and publish a month of one interval of each dataset, whatever is in it."""
    path, beside = folder / "recording.log", folder / "instruments.json"
    path.write_bytes(b"".join(lines))
    beside.write_text(json.dumps({"code": "0", "data": [INSTRUMENTS]}))
    import_recordings(lake, exchange, [beside, path] if exchange is OKX else [path])
    batch = lake.batch()
    for metric in METRICS:
        key = ObjectKey.bars(metric, Clock.EXCHANGE, Interval.H1, exchange, SYMBOLS[exchange], date(2025, 5, 1))
        batch.put(NewObject(key, 1, Source.RECORDING, "f", "test"), metric.encode())
    batch.commit()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Three days of Hyperliquid, which numbers nothing, without 12:00 to 18:00 of the first; quotes from the book."""
    folder = tmp_path_factory.mktemp("home")
    with application(folder / "home") as made:
        frames = record(HYPERLIQUID, 3, quotes=False)
        take(made.lake, HYPERLIQUID, folder, [frame.line for frame in frames if not 12 <= frame.at / HOUR_MS < 18])
        yield made


def ask(app: App, path: str, exchange: Exchange = HYPERLIQUID, **query: str) -> dict[str, Any]:
    given = {"exchange": exchange, "symbol": str(SYMBOLS[exchange]), **query}
    answer = app.client.get(f"/api/v1{path}", params=given, headers=app.headers("prime-raw"))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def file_of(app: App, metric: str, first: str, last: str, exchange: Exchange = HYPERLIQUID) -> dict[str, Any]:
    query = {"timestamp": "exchange", "interval": "1h", "start_date": first, "end_date": last}
    (file,) = ask(app, f"/data/{metric}", exchange, **query)["files"]
    return dict(file)


@pytest.mark.parametrize("metric", METRICS)
def test_a_recorder_that_was_down_is_told_by_every_metric_of_a_venue_without_numbers(app: App, metric: str) -> None:
    three_days = file_of(app, metric, "2025-05-06", "2025-05-08")
    streams = len(DATASETS[metric].streams)
    assert (three_days["complete"], three_days["gaps"], three_days["days_missing"]) == (False, streams, [])
    clean = file_of(app, metric, "2025-05-07", "2025-05-08")
    assert (clean["complete"], clean["gaps"]) == (True, 0)
    days = ask(app, "/metadata/conditions", metric=metric, start_date="2025-05-06", end_date="2025-05-08")["days"]
    partial = [day["day"] for day in days if day["condition"] in {"partial", "missing"}]
    assert partial == ["2025-05-06"]
    told = [cause for cause in days[0]["causes"] if cause["code"] == "not_recorded"]
    assert len(told) == streams
    assert {(cause["start"][:13], cause["end"][:13]) for cause in told} == {("2025-05-06T11", "2025-05-06T18")}


def test_coverage_raw_ticks_and_pages_say_the_same(app: App) -> None:
    (series,) = ask(app, "/metadata/coverage", metric="slippage")["series"]
    assert (series["complete"], series["gaps_total"]) == (False, 2)
    assert [(gap["stream"], gap["cause"], gap["first_missing"]) for gap in series["gaps"]] == [
        ("quotes", "not_recorded", None),
        ("trades", "not_recorded", None),
    ]
    raw = ask(app, "/data/raw/quotes", start_date="2025-05-06", end_date="2025-05-08")["files"]
    assert [(file["gaps"], file["complete"]) for file in raw] == [(1, False), (0, True), (0, True)]
    page = app.client.get("/status", params={"exchange": HYPERLIQUID, "stream": "mark_price"}).text
    assert "nothing was recorded (1 time)" in page
    assert "<td>not recorded</td>" in page
    assert "partial, 2025-05-06" in app.client.get("/status/incidents.atom").text


def okx_book(at_ms: int, amount: int, *, action: str = "update", wrong: bool = False) -> bytes:
    """A frame of an OKX book without numbers: the checksum is all that tells of a lost frame."""
    levels = f"40000:{amount}:60000:1"
    crc = zlib.crc32(levels.encode())
    checksum = (crc - (1 << 32) if crc >> 31 else crc) + wrong
    sides = {"bids": [["40000", str(amount), "0", "1"]], "asks": [["60000", "1", "0", "1"]]}
    data = {**sides, "ts": str(BEGIN_MS + at_ms - 20), "checksum": checksum}
    frame = {"arg": {"channel": "books", "instId": "BTC-USDT-SWAP"}, "action": action, "data": [data]}
    return f"{(BEGIN_MS + at_ms) * 1000} {json.dumps(frame)}\n".encode()


def test_a_book_lost_by_its_checksum_is_told_for_the_book_and_for_quotes_made_from_it(tmp_path: Path) -> None:
    with application(tmp_path / "home") as app:
        lines = []
        for minute in range(3 * 24 * 60):
            begins = minute in {0, 30 * 60}
            wrong = minute == 18 * 60
            lines.append(
                okx_book(60_000 * minute + 200, minute + 1, action="snapshot" if begins else "update", wrong=wrong)
            )
        take(app.lake, OKX, tmp_path, lines)
        for metric in ("l2_imbalance", "l1_price"):
            assert not file_of(app, metric, "2025-05-06", "2025-05-08", OKX)["complete"]
            file = file_of(app, metric, "2025-05-08", "2025-05-08", OKX)
            assert (file["complete"], file["gaps"]) == (True, 0)
        days = {
            stream: ask(
                app, "/metadata/conditions", OKX, stream=stream, start_date="2025-05-06", end_date="2025-05-08"
            )["days"]
            for stream in (Stream.BOOK, Stream.QUOTES)
        }
        for found in days.values():
            assert [day["condition"] for day in found][:2] == ["partial", "partial"]
            (cause,) = [cause for cause in found[0]["causes"] if cause["code"] == "gap"]
            assert cause["detail"] == "checksum_mismatch"
            assert (cause["start"], cause["end"]) == ("2025-05-06T18:00:00.200000Z", "2025-05-07T06:00:00.200000Z")
