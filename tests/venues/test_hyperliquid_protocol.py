from __future__ import annotations

import json

import pytest

from aperiodic.market import Exchange, InvalidInputError
from aperiodic.venues import feed_of
from aperiodic.venues.feed import FrameKind

FEED = feed_of(Exchange.HYPERLIQUID_PERPS)


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        (b'{"channel":"trades","data":[{"coin":"BTC","side":"A"}]}', "trades:BTC"),
        (b'{"channel":"trades","data":[{"side":"A","coin":"BTC"}]}', "trades:BTC"),
        (b'{"channel":"bbo","data":{"coin":"kPEPE","time":1,"bbo":[null,null]}}', "bbo:kPEPE"),
        (b'{"channel":"l2Book","data":{"coin":"BTC","time":1,"levels":[[],[]]}}', "l2Book:BTC"),
        (b'{"channel":"l2Book","data":{"coin":"BTC","time":1,"levels":[[],[]],"fast":true}}', "l2Book.fast:BTC"),
        (b'{"channel":"activeAssetCtx","data":{"coin":"BTC","ctx":{}}}', "activeAssetCtx:BTC"),
    ],
)
def test_a_data_frame_is_told_by_channel_and_coin(frame: bytes, name: str) -> None:
    told = FEED.read(frame)
    assert (told.kind, told.name, told.native) == (FrameKind.DATA, name, name.partition(":")[2])


def test_the_two_forms_of_the_book_are_told_apart() -> None:
    slow = b'{"channel":"l2Book","data":{"coin":"ETH","time":1,"levels":[[],[]]}}'
    fast = b'{"channel":"l2Book","data":{"coin":"ETH","time":1,"levels":[[],[]],"fast":true}}'
    assert [FEED.read(frame).name for frame in (slow, fast, slow, fast)] == ["l2Book:ETH", "l2Book.fast:ETH"] * 2


@pytest.mark.parametrize(
    ("frame", "kind", "names"),
    [
        (b'{"channel":"pong"}', FrameKind.HEARTBEAT, ()),
        (
            (
                b'{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"l2Book",'
                b'"coin":"BTC","nSigFigs":null,"mantissa":null,"fast":true}}}'
            ),
            FrameKind.ACKNOWLEDGED,
            ("l2Book.fast:BTC",),
        ),
        (b'{"channel":"error","data":"Already subscribed: {}"}', FrameKind.REFUSED, ()),
        (b'{"channel":"trades","data":[]}', FrameKind.OTHER, ()),
        (b'{"channel":"trades","data":5}', FrameKind.OTHER, ()),
        (b"<html>", FrameKind.OTHER, ()),
    ],
)
def test_other_frames(frame: bytes, kind: FrameKind, names: tuple[str, ...]) -> None:
    told = FEED.read(frame)
    assert (told.kind, told.names) == (kind, names)


def test_each_stream_has_a_message() -> None:
    channels = {channel.name: channel for channel in FEED.channels}
    streams = [FEED.subscription(channels[name], "BTC") for name in ("book", "deep_book")]
    assert [json.loads(message)["subscription"] for message in FEED.subscribe(streams, 1)] == [
        {"type": "l2Book", "coin": "BTC", "fast": True},
        {"type": "l2Book", "coin": "BTC"},
    ]
    assert channels["book"].group != channels["deep_book"].group


def test_books_are_whole_and_have_no_numbers() -> None:
    assert FEED.chain("BTC") is None
    assert FEED.snapshot("BTC") is None
    assert FEED.read_time(b'{"specialStatuses":null,"time":1795000000123}') == 1_795_000_000_123


def test_an_unknown_venue_has_no_feed() -> None:
    with pytest.raises(InvalidInputError, match="binnance"):
        feed_of(Exchange("binnance"))
