"""Recordings of OKX against its own checksums, and against another reading of recorded frames."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.venues.test_binance_mapper import Collected

from aperiodic.engine.importing import import_recordings
from aperiodic.engine.importing.lines import read_line
from aperiodic.lake import Lake, ObjectKind
from aperiodic.market import Exchange, Stream
from aperiodic.venues import Contract
from aperiodic.venues.okx import messages as wire
from aperiodic.venues.okx.book import BookSync, Outcome
from aperiodic.venues.okx.mapper import OkxMapper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

OF_2021 = ("okx/ws_raw_20210722/OKEX.ws.1.0", "okx/ws_raw_20210722/OKEX.0")
OF_2022 = ("okx/ws_raw_20220513/OKX.ws.1.0", "okx/ws_raw_20220513/OKX.0")
XMR = {"XMR-USDT-SWAP": Contract(1, 10, inverse=False)}
UNI = {"UNI-USD-SWAP": Contract(10, 1, inverse=True)}


def frames(path: Path) -> Iterator[tuple[int, bytes]]:
    for text in path.read_bytes().splitlines():
        line = read_line(text)
        if line.local is not None and line.frame:
            yield line.local, line.frame


@pytest.mark.parametrize(
    ("name", "contracts", "swaps", "every"),
    [
        (OF_2021[0], XMR, {"XMR-USDT-SWAP": 318}, 1_504),
        (OF_2022[0], UNI, {"UNI-USD-SWAP": 93}, 290),
    ],
)
def test_every_checksum_agrees_with_the_rebuilt_book(
    real_data: Path, name: str, contracts: dict[str, Contract], swaps: dict[str, int], every: int
) -> None:
    sink = Collected()
    mapper = OkxMapper(sink, contracts)
    for local, frame in frames(real_data / name):
        mapper.read(local, frame)
    assert mapper.verified == swaps
    assert sink.counts["ignored", "checksum_mismatch"] == 0
    # The adapter leaves out spot, options and dated futures: their books are kept directly here.
    books: dict[str, BookSync] = {}
    outcomes: Counter[Outcome] = Counter()
    for _, frame in frames(real_data / name):
        envelope = wire.ENVELOPE.decode(frame)
        if envelope.channel is None or not envelope.channel.name.startswith("books") or not envelope.action:
            continue
        sync = books.setdefault(envelope.channel.instrument, BookSync())
        take = sync.snapshot if envelope.action == "snapshot" else sync.update
        assert isinstance(envelope.data, msgspec.Raw)
        for change, texts in zip(wire.BOOK.decode(envelope.data), wire.BOOK_TEXTS.decode(envelope.data), strict=True):
            outcomes[take(change, texts)] += 1
    assert sum(sync.verified for sync in books.values()) == every
    assert set(outcomes) == {Outcome.CHANGED, Outcome.APPLIED}


def only(lake: Lake, stream: Stream) -> pl.DataFrame:
    (held,) = lake.current(ObjectKind.TICKS, dataset=stream)
    return lake.store.read_parquet(held.path)


def test_a_linear_swap_is_imported_in_base_units(lake: Lake, real_data: Path) -> None:
    reports = import_recordings(lake, Exchange.OKX_PERPS, [real_data / name for name in OF_2021])
    instruments, recording = reports
    assert instruments.ignored == {"configuration": 1, "instruments": 5}
    assert (recording.ticks, recording.rejected, recording.gaps) == ({"book": 269, "quotes": 71, "trades": 5}, {}, [])
    assert recording.ignored["backlog_trade"] == 1
    assert recording.ignored["tickers"] + recording.ignored["other_instrument"] == 1_262
    assert recording.notes == [
        "aggregated_trades",
        "backlog_dropped:perpetual-XMR-USDT:USDT:1626995753337475",
        "quotes_from_book",
    ]
    trades = only(lake, Stream.TRADES)
    assert trades["sequence"].to_list() == list(range(6_845_126, 6_845_131))
    assert trades["amount"].to_list() == [2.5, 0.6, 0.1, 0.4, 4.3]  # 25, 6, 1, 4 and 43 contracts of 0.1 XMR
    assert trades["local_timestamp"][0] == datetime(2021, 7, 22, 23, 15, 56, 762_924, tzinfo=UTC)
    first = only(lake, Stream.BOOK).row(0, named=True)
    assert (first["ask_price_01"], first["ask_amount_01"]) == (196.11, 10.3)
    quotes, books = only(lake, Stream.QUOTES), only(lake, Stream.BOOK)
    assert books.join(quotes, on=["local_timestamp", "exchange_timestamp"]).height == quotes.height


def test_an_inverse_swap_is_imported_in_base_units(lake: Lake, real_data: Path) -> None:
    _, recording = import_recordings(lake, Exchange.OKX_PERPS, [real_data / name for name in OF_2022])
    assert (recording.ticks, recording.rejected) == ({"book": 88, "quotes": 49}, {})
    first = only(lake, Stream.BOOK).row(0, named=True)
    assert (first["ask_price_01"], first["ask_amount_01"]) == (5.148, 600 / 5.148)
    assert first["ask_amount_02"] == 1920 / 5.149


def test_frames_are_read_as_tardis_reads_them(real_data: Path) -> None:
    text = (real_data / "tardis_raw_to_normalized/okx.jsonl").read_text(encoding="utf-8")
    compared: Counter[str] = Counter()
    for case in map(json.loads, text.splitlines()):
        channel = case["message"].get("arg", {}).get("channel", "")
        wanted = next((_wanted(each, channel) for each in case["expected_normalized"] if channel in _COMPARED), None)
        if wanted is None or not case["expected_normalized"]:
            continue
        sink = Collected()
        name = case["message"]["arg"]["instId"]
        mapper = OkxMapper(sink, {name: Contract(1, 1, inverse=False)}, recorded_before=lambda _symbol, _local: True)
        mapper.read(int(datetime.fromisoformat(case["local_timestamp"]).timestamp() * 1e6), _bytes(case["message"]))
        if channel == "funding-rate" and wanted[0] is None:
            assert sink.ticks == []
        else:
            ((_, _, row),) = sink.ticks
            assert row[2 : 2 + len(wanted)] == wanted
        compared[channel] += 1
    assert compared == {"trades": 1, "bbo-tbt": 1, "mark-price": 1, "open-interest": 1, "funding-rate": 2}


_COMPARED = {"trades", "bbo-tbt", "mark-price", "open-interest", "funding-rate"}


def _bytes(message: object) -> bytes:
    return json.dumps(message).encode()


def _wanted(event: dict[str, Any], channel: str) -> tuple[Any, ...]:
    if channel == "trades":
        return tuple(event[name] for name in ("id", "side", "price", "amount"))
    if channel == "bbo-tbt":
        return tuple(event[name] for name in ("bidPrice", "bidAmount", "askPrice", "askAmount"))
    if channel == "funding-rate":
        at = datetime.fromisoformat(event["fundingTimestamp"])
        return event["fundingRate"], int(at.timestamp()) * 1_000_000
    return (event["markPrice" if channel == "mark-price" else "openInterest"],)
