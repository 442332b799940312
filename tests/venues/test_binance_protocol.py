from __future__ import annotations

import json
from typing import Any

import pytest

from aperiodic.market import Exchange
from aperiodic.venues import feed_of
from aperiodic.venues.binance.chain import DepthChain
from aperiodic.venues.feed import ChainState, FrameKind

FUTURES = feed_of(Exchange.BINANCE_FUTURES)
SPOT = feed_of(Exchange.BINANCE)
START_MS = 1_795_000_000_000


def depth(first: int, last: int, previous: int | None, time: int = START_MS) -> bytes:
    data: dict[str, Any] = {"e": "depthUpdate", "E": time, "T": time, "s": "BTCUSDT", "U": first, "u": last}
    if previous is not None:
        data["pu"] = previous
    return json.dumps(
        {"stream": "btcusdt@depth@0ms", "data": {**data, "b": [], "a": []}}, separators=(",", ":")
    ).encode()


def answer(number: int) -> bytes:
    return json.dumps({"lastUpdateId": number, "bids": [], "asks": []}).encode()


def test_a_data_frame_is_told_by_its_stream() -> None:
    frame = FUTURES.read(b'{"stream":"btcusdt@trade","data":{"e":"trade"}}')
    assert (frame.kind, frame.name, frame.native) == (FrameKind.DATA, "btcusdt@trade", "BTCUSDT")
    assert FUTURES.read(b'{"stream":"btcusdt@trade","data":{"e":"other"}}') is frame
    spaced = FUTURES.read(b'{ "data": {"e":"trade"}, "stream": "btcusdt@trade" }')
    assert (spaced.kind, spaced.name) == (FrameKind.DATA, "btcusdt@trade")
    everything = FUTURES.read(b'{"stream":"!markPrice@arr@1s","data":[]}')
    assert (everything.name, everything.native) == ("!markPrice@arr@1s", "")
    foreign = FUTURES.read('{"stream":"币安人生usdt@trade","data":{}}'.encode())
    assert foreign.native == "币安人生USDT"


@pytest.mark.parametrize(
    ("frame", "kind", "request_number", "code"),
    [
        (b'{"result":null,"id":7}', FrameKind.ACKNOWLEDGED, 7, ""),
        (b'{"error":{"code":4,"msg":"Too many subscriptions"},"id":3}', FrameKind.REFUSED, 3, "4"),
        (b'{"code":2,"msg":"Invalid request: unknown"}', FrameKind.REFUSED, None, "2"),
        (
            b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}',
            FrameKind.CLOSING,
            None,
            "serverShutdown",
        ),
        (b'{"e":"serverShutdown","E":1}', FrameKind.CLOSING, None, "serverShutdown"),
        (b'{"e":"trade","E":1,"s":"BTCUSDT"}', FrameKind.OTHER, None, "trade"),
        (b"<html>", FrameKind.OTHER, None, "unreadable"),
        (b"\xff\xfe", FrameKind.OTHER, None, "unreadable"),
        (b"[" * 100_000, FrameKind.OTHER, None, "unreadable"),
        (b"", FrameKind.OTHER, None, "unreadable"),
        (b'{"stream":"', FrameKind.OTHER, None, "unreadable"),
        (b'{"stream":5}', FrameKind.OTHER, None, "unreadable"),
    ],
)
def test_other_frames(frame: bytes, kind: FrameKind, request_number: int | None, code: str) -> None:
    told = FUTURES.read(frame)
    assert (told.kind, told.request, told.code) == (kind, request_number, code)


def test_subscriptions_are_cut_into_messages() -> None:
    trades = FUTURES.channels[0]
    streams = [FUTURES.subscription(trades, f"A{number}USDT") for number in range(401)]
    messages = [json.loads(message) for message in FUTURES.subscribe(streams, 5)]
    assert [len(message["params"]) for message in messages] == [200, 200, 1]
    assert [message["id"] for message in messages] == [5, 6, 7]
    assert messages[0]["params"][0] == "a0usdt@trade"
    assert FUTURES.subscription(trades, "BTCUSDT", trades.instead[0]).name == "btcusdt@aggTrade"


def test_rest_requests() -> None:
    snapshot = FUTURES.snapshot("BTCUSDT")
    assert snapshot is not None
    assert (snapshot.path, snapshot.weight) == ("/fapi/v1/depth?symbol=BTCUSDT&limit=1000", 20)
    assert [(poll.native, poll.every_s) for poll in FUTURES.polls(["BTCUSDT", "AUSDT"])] == [
        ("BTCUSDT", 10.0),
        ("AUSDT", 60.0),
    ]
    assert not SPOT.polls(["BTCUSDT"])
    assert SPOT.path([]) == "/stream?timeUnit=MICROSECOND"
    assert FUTURES.used_weight({"x-mbx-used-weight-1m": "33"}) == 33
    assert FUTURES.used_weight({"x-mbx-used-weight-1m": "much"}) is None
    assert FUTURES.read_time(b'{"serverTime":1795000000000}') == START_MS
    assert FUTURES.read_time(b"<html>") is None


def test_a_futures_book_is_known_from_a_snapshot_on() -> None:
    chain = DepthChain()
    assert chain.state is ChainState.WAITING
    assert chain.see(depth(11, 20, 10), 0) is ChainState.WANTS_SNAPSHOT
    assert chain.see(depth(25, 30, 20), 0) is ChainState.WANTS_SNAPSHOT
    assert chain.snapshot(answer(5), 0) is ChainState.WANTS_SNAPSHOT
    assert chain.snapshot(answer(20), 0) is ChainState.KNOWN
    assert chain.see(depth(31, 40, 30), 0) is ChainState.KNOWN
    assert chain.see(depth(31, 40, 30), 0) is ChainState.KNOWN  # from a second connection
    assert chain.see(depth(51, 60, 50), 0) is ChainState.BROKEN
    assert chain.see(depth(61, 70, 60), 0) is ChainState.BROKEN
    assert chain.snapshot(answer(62), 0) is ChainState.KNOWN


def test_a_snapshot_ahead_of_the_stream_waits_for_it() -> None:
    chain = DepthChain()
    chain.see(depth(11, 20, 10), 0)
    assert chain.snapshot(answer(33), 0) is ChainState.WAITING
    assert chain.see(depth(21, 30, 20), 0) is ChainState.WAITING
    assert chain.see(depth(31, 40, 30), 0) is ChainState.KNOWN


def test_a_spot_book_goes_by_first_numbers() -> None:
    chain = DepthChain()
    chain.see(depth(11, 20, None), 0)
    assert chain.snapshot(answer(20), 0) is ChainState.KNOWN
    assert chain.see(depth(21, 25, None), 0) is ChainState.KNOWN
    assert chain.see(depth(27, 30, None), 0) is ChainState.BROKEN


def test_numbers_that_begin_anew_break_the_book_and_repeated_ones_do_not() -> None:
    chain = DepthChain()
    chain.see(depth(11, 20, 10), 0)
    chain.snapshot(answer(20), 0)
    assert chain.see(depth(1, 5, 0, START_MS + 500), 0) is ChainState.KNOWN
    assert chain.see(depth(1, 5, 0, START_MS + 5_000), 0) is ChainState.BROKEN
    assert chain.snapshot(answer(5), 0) is ChainState.KNOWN


@pytest.mark.parametrize("frame", [b"", b"\xff", b'{"stream":"btcusdt@depth@0ms","data":{}}', b'{"data":[]}'])
def test_what_cannot_be_read_changes_no_chain(frame: bytes) -> None:
    chain = DepthChain()
    chain.see(depth(11, 20, 10), 0)
    assert chain.see(frame, 0) is ChainState.WANTS_SNAPSHOT
    assert chain.snapshot(frame, 0) is ChainState.WANTS_SNAPSHOT
