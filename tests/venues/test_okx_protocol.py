from __future__ import annotations

import json

import pytest

from aperiodic.market import Exchange
from aperiodic.venues import feed_of
from aperiodic.venues.feed import ChainState, FrameKind
from aperiodic.venues.okx.chain import BookNumbers

FEED = feed_of(Exchange.OKX_PERPS)
SWAP = "BTC-USDT-SWAP"


def book(previous: int, number: int, action: str = "update") -> bytes:
    data = [{"asks": [], "bids": [], "ts": "1795000000204", "checksum": 0, "seqId": number, "prevSeqId": previous}]
    frame = {"arg": {"channel": "books", "instId": SWAP}, "action": action, "data": data}
    return json.dumps(frame, separators=(",", ":")).encode()


def answer(number: int) -> bytes:
    return json.dumps({"code": "0", "data": [{"asks": [], "bids": [], "ts": "1", "seqId": number}]}).encode()


def test_a_data_frame_is_told_by_its_argument() -> None:
    frame = FEED.read(book(1, 2))
    assert (frame.kind, frame.name, frame.native) == (FrameKind.DATA, f"books:{SWAP}", SWAP)
    assert FEED.read(book(2, 3)) is frame
    index = FEED.read(b'{"arg":{"channel":"index-tickers","instId":"BTC-USDT"},"data":[]}')
    assert index.name == "index-tickers:BTC-USDT"


@pytest.mark.parametrize(
    ("frame", "kind", "code"),
    [
        (b"pong", FrameKind.HEARTBEAT, ""),
        (
            b'{"id":"4","event":"subscribe","arg":{"channel":"books","instId":"X"},"connId":"a"}',
            FrameKind.ACKNOWLEDGED,
            "",
        ),
        (b'{"event":"error","code":"60018","msg":"wrong channel","connId":"a"}', FrameKind.REFUSED, "60018"),
        (b'{"event":"notice","code":"64008","msg":"soon","connId":"a"}', FrameKind.CLOSING, "64008"),
        (b'{"event":"notice","code":"64000","msg":"else"}', FrameKind.OTHER, "64000"),
        (b'{"event":"channel-conn-count","channel":"orders","connCount":"2"}', FrameKind.OTHER, "channel-conn-count"),
        (b'{"event":"channel-conn-count-error","channel":"orders"}', FrameKind.REFUSED, ""),
        (b"<html>", FrameKind.OTHER, "unreadable"),
        (b"{}", FrameKind.OTHER, "unlabelled"),
    ],
)
def test_other_frames(frame: bytes, kind: FrameKind, code: str) -> None:
    told = FEED.read(frame)
    assert (told.kind, told.code) == (kind, code)


def test_one_message_subscribes_to_many() -> None:
    channels = {channel.name: channel for channel in FEED.channels}
    streams = [FEED.subscription(channels[name], SWAP) for name in ("trades", "index_price")]
    (message,) = map(json.loads, FEED.subscribe(streams, 3))
    assert message == {
        "id": "3",
        "op": "subscribe",
        "args": [{"channel": "trades-all", "instId": SWAP}, {"channel": "index-tickers", "instId": "BTC-USDT"}],
    }


def test_the_time() -> None:
    assert FEED.read_time(b'{"code":"0","data":[{"ts":"1795000000123"}]}') == 1_795_000_000_123
    assert FEED.read_time(b'{"code":"0","data":[]}') is None


def test_a_book_begins_with_the_snapshot_of_the_channel() -> None:
    chain = BookNumbers()
    assert chain.see(book(-1, 100, "snapshot"), 0) is ChainState.KNOWN
    assert chain.see(book(100, 110), 0) is ChainState.KNOWN
    assert chain.see(book(110, 110), 0) is ChainState.KNOWN  # a sign of life
    assert chain.see(book(100, 110), 0) is ChainState.KNOWN  # told again
    assert chain.see(book(110, 7), 0) is ChainState.KNOWN  # maintenance
    assert chain.see(book(8, 9), 0) is ChainState.BROKEN


def test_a_book_without_a_snapshot_takes_the_answer() -> None:
    chain = BookNumbers()
    assert chain.see(book(100, 110), 0) is ChainState.WANTS_SNAPSHOT
    assert chain.snapshot(answer(90), 0) is ChainState.WANTS_SNAPSHOT
    assert chain.see(book(110, 120), 0) is ChainState.WANTS_SNAPSHOT
    assert chain.snapshot(answer(115), 0) is ChainState.KNOWN
    assert chain.see(book(120, 130), 0) is ChainState.KNOWN


def test_an_answer_ahead_of_the_channel_waits_for_it() -> None:
    chain = BookNumbers()
    chain.see(book(100, 110), 0)
    assert chain.snapshot(answer(125), 0) is ChainState.WAITING
    assert chain.see(book(110, 120), 0) is ChainState.WAITING
    assert chain.see(book(120, 130), 0) is ChainState.KNOWN


def test_a_second_connection_does_not_break_the_book() -> None:
    chain = BookNumbers()
    chain.see(book(-1, 100, "snapshot"), 0)
    chain.see(book(100, 110), 0)
    chain.see(book(-1, 110, "snapshot"), 0)
    assert chain.see(book(110, 120), 0) is ChainState.KNOWN
    assert chain.see(book(110, 120), 0) is ChainState.KNOWN
    chain.see(book(-1, 140, "snapshot"), 0)
    assert chain.see(book(120, 130), 0) is ChainState.KNOWN
    assert chain.see(book(130, 140), 0) is ChainState.KNOWN
    assert chain.see(book(140, 150), 0) is ChainState.KNOWN
