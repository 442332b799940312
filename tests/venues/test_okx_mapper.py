from __future__ import annotations

import json
from typing import Any

import pytest
from tests.venues.test_binance_mapper import Collected

from aperiodic.market import Stream, Symbol
from aperiodic.venues import Contract, RejectedFrameError, UnknownContractError
from aperiodic.venues.okx import read_contracts
from aperiodic.venues.okx.mapper import OkxMapper

T = 1_652_459_225_000
LOCAL = 1_652_459_225_123_456
BTC, UNI = Symbol.parse("perpetual-BTC-USDT:USDT"), Symbol.parse("perpetual-UNI-USD:UNI")
CONTRACTS = {"BTC-USDT-SWAP": Contract(1, 100, inverse=False), "UNI-USD-SWAP": Contract(10, 1, inverse=True)}


def read(*frames: object, recorded_before: bool = True, contracts: dict[str, Contract] | None = None) -> Collected:
    sink = Collected()
    mapper = OkxMapper(
        sink,
        CONTRACTS if contracts is None else contracts,
        recorded_before=lambda _symbol, _local: recorded_before,
    )
    for frame in frames:
        mapper.read(LOCAL, frame if isinstance(frame, bytes) else json.dumps(frame).encode())
    return sink


def frame(channel: str, name: str, *data: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"arg": {"channel": channel, "instId": name}, "data": list(data)} | more


def trade(number: int, *, channel: str = "trades", name: str = "BTC-USDT-SWAP", **changes: Any) -> dict[str, Any]:
    data = {"instId": name, "tradeId": str(number), "px": "50000", "sz": "5", "side": "buy", "ts": str(T)}
    return frame(channel, name, data | changes)


def book(action: str, number: int | None = None, previous: int | None = None, **sides: Any) -> dict[str, Any]:
    name = sides.pop("name", "BTC-USDT-SWAP")
    levels = {side: [[*level, "0", "1"] for level in sides.get(side, [])] for side in ("bids", "asks")}
    numbers = {} if number is None else {"seqId": number, "prevSeqId": previous}
    return frame("books", name, levels | {"ts": str(T), "checksum": 0} | numbers, action=action)


def test_amounts_of_linear_swaps_are_contracts_times_their_size() -> None:
    sink = read(trade(7, sz="3"))
    assert sink.ticks == [(Stream.TRADES, BTC, (T * 1000, LOCAL, "7", "buy", 50000.0, 0.03, 7))]
    assert sink.seen == [(Stream.TRADES, 6, 7, "not_recorded")]


def test_amounts_of_inverse_swaps_are_divided_by_the_price() -> None:
    sink = read(trade(7, name="UNI-USD-SWAP", px="5.123", sz="100", side="sell"))
    assert sink.ticks == [(Stream.TRADES, UNI, (T * 1000, LOCAL, "7", "sell", 5.123, 1000 / 5.123, 7))]


def test_an_aggregate_covers_the_fills_in_it() -> None:
    assert read(trade(9, count="3")).seen == [(Stream.TRADES, 6, 9, "not_recorded")]


def test_the_first_frame_is_a_backlog_and_so_is_its_repetition_after_a_reconnect() -> None:
    sink = read(trade(7), trade(8), trade(7), trade(9), recorded_before=False)
    assert [row[2] for row in sink.only(Stream.TRADES)] == ["8", "9"]
    assert sink.counts["ignored", "backlog_trade"] == 2
    assert sink.notes == {f"backlog_dropped:{BTC}:{LOCAL}"}


def test_without_the_size_of_a_contract_nothing_is_guessed() -> None:
    with pytest.raises(UnknownContractError, match="BTC-USDT-SWAP"):
        read(trade(7), contracts={})


def test_sizes_are_learnt_from_the_recording_itself() -> None:
    instrument = {"instId": "BTC-USDT-SWAP", "instType": "SWAP", "ctVal": "0.01", "ctMult": "1", "ctType": "linear"}
    sink = read({"code": "0", "data": [instrument]}, trade(7, sz="5"), contracts={})
    assert sink.only(Stream.TRADES)[0][5] == 0.05


def test_only_swaps_with_a_size_are_listed() -> None:
    swap = {"instId": "A-USDT-SWAP", "instType": "SWAP", "ctVal": "0.1", "ctMult": "10", "ctType": "linear"}
    rows = [swap, swap | {"instId": "B", "ctVal": ""}, swap | {"instId": "C", "ctVal": "NaN"}]
    rows += [swap | {"instId": "D", "ctVal": "0"}, swap | {"instId": "E", "instType": "FUTURES"}]
    assert read_contracts(json.dumps(rows).encode()) == {"A-USDT-SWAP": Contract(1, 1, inverse=False)}


def test_a_snapshot_is_a_tick_like_any_other_frame_that_changes_the_book() -> None:
    sink = read(
        book("snapshot", 10, -1, bids=[("99", "1")], asks=[("101", "2")]),
        book("update", 10, 10),
        book("update", 12, 10, bids=[("99", "1")]),
        book("update", 13, 12, bids=[("99", "3")]),
    )
    rows = sink.only(Stream.BOOK)
    assert [(row[2], row[3], row[52], row[53], row[-1]) for row in rows] == [
        (99.0, 0.01, 101.0, 0.02, 10),
        (99.0, 0.03, 101.0, 0.02, 13),
    ]
    assert sink.counts == {("ignored", "heartbeat"): 1}
    assert [each[1:3] for each in sink.seen] == [(9, 10), (10, 12), (12, 13)]


def test_book_amounts_of_inverse_swaps_are_divided_by_the_price_of_their_level() -> None:
    row = read(book("snapshot", 10, -1, name="UNI-USD-SWAP", bids=[("4", "2"), ("5", "2")])).only(Stream.BOOK)[0]
    assert row[2:6] == (5.0, 4.0, 4.0, 5.0)


def test_a_book_goes_on_where_its_numbers_begin_anew() -> None:
    sink = read(book("snapshot", 10, -1, bids=[("99", "1")]), book("update", 3, 10, bids=[("99", "2")]))
    assert [row[-1] for row in sink.only(Stream.BOOK)] == [10, 3]
    assert "sequence_reset" in sink.notes
    assert sink.seen == [(Stream.BOOK, 9, 10, "not_recorded"), (Stream.BOOK, 2, 3, "sequence_reset")]


def test_changes_of_the_best_level_stand_in_for_quotes() -> None:
    sink = read(
        book("snapshot", 10, -1, bids=[("99", "1"), ("98", "1")], asks=[("101", "2")]),
        book("update", 11, 10, bids=[("98", "5")]),
        book("update", 12, 11, bids=[("99", "0")]),
    )
    assert [row[2:] for row in sink.only(Stream.QUOTES)] == [(99, 0.01, 101, 0.02, 10), (98, 0.05, 101, 0.02, 12)]


def test_a_book_of_another_channel_is_not_mixed_in() -> None:
    other = book("snapshot", 500, -1, bids=[("1", "1")])
    other["arg"]["channel"] = "books-l2-tbt"
    sink = read(book("snapshot", 10, -1, bids=[("99", "1")]), other)
    assert len(sink.only(Stream.BOOK)) == 1
    assert sink.counts["ignored", "other_book_channel"] == 1


def test_the_best_quote_of_its_own_channel_may_miss_a_side() -> None:
    level = [["38632.3", "990", "0", "22"]]
    sink = read(frame("bbo-tbt", "BTC-USDT-SWAP", {"asks": [], "bids": level, "ts": str(T), "seqId": 5}))
    assert sink.only(Stream.QUOTES) == [(T * 1000, LOCAL, 38632.3, 9.9, None, None, 5)]


def test_derivative_channels() -> None:
    sink = read(
        frame("mark-price", "BTC-USDT-SWAP", {"instId": "BTC-USDT-SWAP", "markPx": "2.1729", "ts": str(T)}),
        frame("index-tickers", "BTC-USDT", {"instId": "BTC-USDT", "idxPx": "2.1675", "ts": str(T)}),
        frame("index-tickers", "ETH-BTC", {"instId": "ETH-BTC", "idxPx": "0.05", "ts": str(T)}),
        frame("open-interest", "BTC-USDT-SWAP", {"instId": "BTC-USDT-SWAP", "oi": "5", "oiCcy": "0.05", "ts": str(T)}),
        frame(
            "funding-rate",
            "BTC-USDT-SWAP",
            {"instId": "BTC-USDT-SWAP", "fundingRate": "0.0001", "fundingTime": str(T + 5), "ts": str(T)},
            {"instId": "BTC-USDT-SWAP", "fundingRate": "0.0002", "fundingTime": str(T + 5)},
            {"instId": "BTC-USDT-SWAP", "fundingTime": str(T + 5)},
        ),
    )
    assert {symbol for _, symbol, _ in sink.ticks} == {BTC}
    assert [(stream, row) for stream, _, row in sink.ticks] == [
        (Stream.MARK_PRICE, (T * 1000, LOCAL, 2.1729, None)),
        (Stream.INDEX_PRICE, (T * 1000, LOCAL, 2.1675, None)),
        (Stream.OPEN_INTEREST, (T * 1000, LOCAL, 0.05, None)),
        (Stream.FUNDING_RATE, (T * 1000, LOCAL, 0.0001, (T + 5) * 1000, None)),
        (Stream.FUNDING_RATE, (LOCAL, LOCAL, 0.0002, (T + 5) * 1000, None)),
    ]
    assert sink.notes == {"modelled_exchange_time"}
    assert sink.counts == {("ignored", "other_instrument"): 1, ("ignored", "funding_without_rate"): 1}


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (trade(7, name="BTC-USDT"), "other_instrument"),
        (trade(7, name="BTC-USD-220527"), "other_instrument"),
        (frame("tickers", "BTC-USDT-SWAP", {"any": "thing"}), "tickers"),
        ({"event": "subscribe", "arg": {"channel": "trades", "instId": "BTC-USDT-SWAP"}}, "acknowledgement"),
        (b"pong", "pong"),
    ],
)
def test_what_is_not_wanted_is_counted(given: object, kind: str) -> None:
    sink = read(given)
    assert (sink.ticks, dict(sink.counts)) == ([], {("ignored", kind): 1})


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (trade(7, px="0"), "malformed"),
        (trade(7, sz="-1"), "malformed"),
        (trade(7, px="nan"), "malformed"),
        (trade(7, px="inf"), "malformed"),
        (trade(7, side="up"), "malformed"),
        (trade(2**63), "malformed"),
        (trade(7, ts="5"), "bad_time"),
        (frame("mystery", "BTC-USDT-SWAP", {}), "unknown_channel"),
        (book("delete", 1, 0), "unknown_frame"),
        ({"table": "swap/trade"}, "unknown_frame"),
        (b"{", "malformed"),
        (b"[" * 100_000, "malformed"),
        (b'{"event":"\xff"}', "malformed"),
    ],
)
def test_what_cannot_be_used_is_refused(given: object, code: str) -> None:
    with pytest.raises(RejectedFrameError) as caught:
        read(given)
    assert caught.value.code == code
