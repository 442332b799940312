"""A recording of Hyperliquid, and another reading of recorded frames."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.venues.test_binance_mapper import Collected

from aperiodic.engine.importing import import_recordings
from aperiodic.lake import Lake, ObjectKind
from aperiodic.market import Exchange, Stream
from aperiodic.venues.hyperliquid.mapper import HyperliquidMapper

if TYPE_CHECKING:
    from pathlib import Path

SET_E = "hyperliquid/ws_raw/btcusd_20250126.gz"


def test_every_frame_of_set_e_is_accounted_for(lake: Lake, real_data: Path) -> None:
    kinds: Counter[str] = Counter()
    fills: list[dict[str, Any]] = []
    books = []
    for line in gzip.decompress((real_data / SET_E).read_bytes()).splitlines():
        frame = json.loads(line.partition(b" ")[2])
        kinds[frame["channel"]] += 1
        if frame["channel"] == "trades":
            fills += frame["data"]
        else:
            books.append(frame["data"]["levels"])
    assert kinds == {"l2Book": 46, "trades": 9}
    (report,) = import_recordings(lake, Exchange.HYPERLIQUID_PERPS, [real_data / SET_E])
    assert (report.lines, report.rejected, report.gaps) == (55, {}, [])
    assert report.ignored == {"backlog_trade": 30}
    held = {record.key.dataset: lake.store.read_parquet(record.path) for record in lake.current(ObjectKind.TICKS)}
    trades = held[Stream.TRADES]
    assert trades["id"].to_list() == [str(fill["tid"]) for fill in fills[30:]]
    assert trades["amount"].to_list() == [float(fill["sz"]) for fill in fills[30:]]
    assert trades["side"].to_list() == ["buy" if fill["side"] == "B" else "sell" for fill in fills[30:]]
    assert trades["sequence"].null_count() == 34
    prices = [[[(level["px"], level["sz"]) for level in side] for side in each] for each in books]
    changes = [now for before, now in zip([None, *prices], prices, strict=False) if now != before]
    assert held[Stream.BOOK].height == len(changes) == 45
    last = held[Stream.BOOK].row(-1, named=True)
    assert (last["bid_price_20"], last["bid_amount_20"]) == tuple(map(float, changes[-1][0][19]))
    assert last["bid_price_21"] is None
    assert held[Stream.QUOTES].height == report.ticks["quotes"] == 28


def test_frames_are_read_as_tardis_reads_them(real_data: Path) -> None:
    text = (real_data / "tardis_raw_to_normalized/hyperliquid.jsonl").read_text(encoding="utf-8")
    sink = Collected()
    mapper = HyperliquidMapper(sink)
    compared: Counter[str] = Counter()
    for case in map(json.loads, text.splitlines()):
        before = len(sink.ticks)
        local = int(datetime.fromisoformat(case["local_timestamp"]).timestamp() * 1_000_000)
        mapper.read(local, json.dumps(case["message"]).encode())
        told = [(stream, row) for stream, _, row in sink.ticks[before:]]
        for event in case["expected_normalized"]:
            if event["symbol"].startswith("@") or (event["type"] == "book_change" and not event["bids"]):
                # Spot, and the empty book of a coin that is not traded: no ticks here.
                assert told == []
                continue
            for stream, wanted in _wanted(event):
                (got,) = [row for kind, row in told if kind is stream]
                assert got[2 : 2 + len(wanted)] == wanted
            compared[event["type"]] += 1
        if not case["expected_normalized"]:
            assert told == []
    assert compared == {"trade": 2, "book_change": 1, "derivative_ticker": 1, "book_ticker": 1}


def _wanted(event: dict[str, Any]) -> list[tuple[Stream, tuple[Any, ...]]]:
    if event["type"] == "trade":
        return [(Stream.TRADES, tuple(event[name] for name in ("id", "side", "price", "amount")))]
    if event["type"] == "book_ticker":
        names = ("bidPrice", "bidAmount", "askPrice", "askAmount")
        return [(Stream.QUOTES, tuple(event[name] for name in names))]
    if event["type"] == "book_change":
        bids = tuple(value for level in event["bids"] for value in (level["price"], level["amount"]))
        return [(Stream.BOOK, bids)]
    fields = {
        Stream.MARK_PRICE: "markPrice",
        Stream.INDEX_PRICE: "indexPrice",
        Stream.FUNDING_RATE: "fundingRate",
        Stream.OPEN_INTEREST: "openInterest",
    }
    return [(stream, (event[name],)) for stream, name in fields.items()]
