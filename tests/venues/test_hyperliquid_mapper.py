from __future__ import annotations

import json
from typing import Any

import pytest
from tests.venues.test_binance_mapper import Collected

from aperiodic.market import Stream, Symbol
from aperiodic.venues import RejectedFrameError
from aperiodic.venues.hyperliquid.mapper import HyperliquidMapper

T = 1_737_918_843_000
LOCAL = 1_737_918_843_893_903
PEPE = Symbol.parse("perpetual-kPEPE-USDC:USDC")


def read(*frames: object, recorded_before: bool = True) -> Collected:
    sink = Collected()
    mapper = HyperliquidMapper(sink, recorded_before=lambda _symbol, _local: recorded_before)
    for frame in frames:
        mapper.read(LOCAL, frame if isinstance(frame, bytes) else json.dumps(frame).encode())
    return sink


def trade(number: int, **changes: Any) -> dict[str, Any]:
    data = {"coin": "kPEPE", "side": "B", "px": "1.9", "sz": "10.5", "time": T, "hash": "0x", "tid": number}
    return data | changes


def trades(*each: dict[str, Any]) -> dict[str, Any]:
    return {"channel": "trades", "data": list(each)}


def book(bids: list[tuple[str, str]], asks: list[tuple[str, str]], **changes: Any) -> dict[str, Any]:
    levels = [[{"px": price, "sz": amount, "n": 1} for price, amount in side] for side in (bids, asks)]
    return {"channel": "l2Book", "data": {"coin": "kPEPE", "time": T, "levels": levels} | changes}


def test_trades_keep_the_order_they_were_told_in_and_have_no_number() -> None:
    sink = read(trades(trade(9), trade(3, side="A")))
    assert sink.ticks == [
        (Stream.TRADES, PEPE, (T * 1000, LOCAL, "9", "buy", 1.9, 10.5, None)),
        (Stream.TRADES, PEPE, (T * 1000, LOCAL, "3", "sell", 1.9, 10.5, None)),
    ]
    assert sink.seen == []


def test_the_backlog_is_dropped_once_and_told_again_after_a_reconnect_changes_nothing() -> None:
    backlog = trades(trade(1), trade(2))
    sink = read(backlog, trades(trade(3)), trades(trade(2), trade(3), trade(4)), recorded_before=False)
    assert [row[2] for row in sink.only(Stream.TRADES)] == ["3", "4"]
    assert sink.counts == {("ignored", "backlog_trade"): 2, ("duplicate", "trades"): 2}
    assert sink.notes == {f"backlog_dropped:{PEPE}:{LOCAL}"}


def test_a_recording_that_carries_on_has_no_backlog() -> None:
    assert len(read(trades(trade(1), trade(2))).ticks) == 2


def test_every_frame_is_a_whole_book() -> None:
    sink = read(
        book([], []),
        book([("99", "1")], [("101", "2")]),
        book([("99", "1")], [("101", "2")]),
        book([("98", "1")], [("101", "2")]),
    )
    rows = sink.only(Stream.BOOK)
    assert [(row[2], row[4], row[52], row[-1]) for row in rows] == [(99, None, 101, None), (98, None, 101, None)]
    assert [row[2:] for row in sink.only(Stream.QUOTES)] == [(99, 1, 101, 2, None), (98, 1, 101, 2, None)]


def test_the_fast_form_is_a_book_of_five_levels_beside_the_other() -> None:
    whole = book([("99", "1"), ("98", "1")], [("101", "2")])
    fast = book([("99", "1")], [("101", "2")], fast=True)
    sink = read(whole, fast, whole, fast, book([("99", "3")], [("101", "2")], fast=True))
    assert [(row[2:6], row[-2]) for row in sink.only(Stream.BOOK)] == [
        ((99, 1, 98, 1), 25),
        ((99, 1, None, None), 5),
        ((99, 3, None, None), 5),
    ]
    assert [row[2:6] for row in sink.only(Stream.QUOTES)] == [(99, 1, 101, 2), (99, 3, 101, 2)]


@pytest.mark.parametrize("levels", [[{"px": "5", "sz": "2", "n": 1}], [{"px": "5", "sz": "2", "n": 1}, None]])
def test_a_quote_may_miss_a_side(levels: list[Any]) -> None:
    sink = read({"channel": "bbo", "data": {"coin": "kPEPE", "time": T, "bbo": levels}})
    assert sink.only(Stream.QUOTES) == [(T * 1000, LOCAL, 5.0, 2.0, None, None, None)]


def test_the_asset_context_has_no_time_of_its_own() -> None:
    context = {"funding": "-0.00004", "openInterest": "1861.5", "oraclePx": "0.1995", "markPx": "0.19963"}
    sink = read({"channel": "activeAssetCtx", "data": {"coin": "kPEPE", "ctx": context}})
    assert [(stream, row) for stream, _, row in sink.ticks] == [
        (Stream.MARK_PRICE, (LOCAL, LOCAL, 0.19963, None)),
        (Stream.INDEX_PRICE, (LOCAL, LOCAL, 0.1995, None)),
        (Stream.FUNDING_RATE, (LOCAL, LOCAL, -0.00004, None, None)),
        (Stream.OPEN_INTEREST, (LOCAL, LOCAL, 1861.5, None)),
    ]
    assert sink.notes == {"modelled_exchange_time"}


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (trades(trade(1, coin="@107")), "other_instrument"),
        (book([], [], coin="PURR/USDC"), "other_instrument"),
        ({"channel": "bbo", "data": {"coin": "@1", "time": T, "bbo": [None, None]}}, "other_instrument"),
        ({"channel": "subscriptionResponse", "data": {}}, "subscriptionResponse"),
        ({"channel": "pong"}, "pong"),
    ],
)
def test_what_is_not_wanted_is_counted(given: object, kind: str) -> None:
    sink = read(given)
    assert (sink.ticks, dict(sink.counts)) == ([], {("ignored", kind): 1})


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (trades(trade(1, px="0")), "malformed"),
        (trades(trade(1, sz="nan")), "malformed"),
        (trades(trade(1, side="C")), "malformed"),
        (trades(trade(1, time=5)), "bad_time"),
        (trades(trade(1, coin="no coin")), "unknown_symbol"),
        ({"channel": "mystery", "data": {}}, "unknown_channel"),
        ({"channel": "trades"}, "unknown_channel"),
        (b"{", "malformed"),
        (b"[]", "malformed"),
    ],
)
def test_what_cannot_be_used_is_refused(given: object, code: str) -> None:
    with pytest.raises(RejectedFrameError) as caught:
        read(given)
    assert caught.value.code == code
